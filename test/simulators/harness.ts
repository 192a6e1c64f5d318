/** Hosts a simulator on a free loopback port, as the local stack does. */
export function serve(app: {
  fetch: (request: Request) => Response | Promise<Response>;
  close: () => void;
}) {
  const server = Deno.serve(
    // A broken answer is what some tests ask for: it is no reason to fill the log.
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, onError: () => new Response(null) },
    app.fetch,
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    stop: async () => {
      app.close();
      await server.shutdown();
    },
  };
}

/** Calls a simulator without a network. */
export function callerOf(app: { fetch: (request: Request) => Response | Promise<Response> }) {
  const call = async (path: string, init?: RequestInit) =>
    await app.fetch(new Request(`http://simulator${path}`, init));
  const control = (verb: string, body: unknown = {}) =>
    call(`/_control/${verb}`, { method: "POST", body: JSON.stringify(body) });
  return { call, control };
}
