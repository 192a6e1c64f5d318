// Where Postgres has no pg_net: the worker that sends what net.http_post has queued, and keeps the answers.
import type postgres from "postgres";

interface Request {
  id: string;
  url: string;
  headers: Record<string, string>;
  body: unknown;
  timeout_milliseconds: number;
}

export function startSender(
  sql: postgres.Sql,
  log: (line: string) => void,
): { stop(): Promise<void> } {
  const sending = new Set<Promise<void>>();

  const send = async ({ id, url, headers, body, timeout_milliseconds }: Request) => {
    let answer: { status_code?: number; content?: string; error_msg?: string; timed_out?: boolean };
    try {
      const signal = AbortSignal.timeout(timeout_milliseconds);
      const init = { method: "POST", headers, body: JSON.stringify(body), signal };
      const response = await fetch(url, init);
      answer = { status_code: response.status, content: await response.text() };
    } catch (error) {
      const timed_out = (error as Error).name === "TimeoutError";
      answer = { error_msg: String(error), timed_out };
    }
    if (answer.error_msg || answer.status_code! > 299) log(`${url}: ${JSON.stringify(answer)}`);
    await sql`insert into net._http_response ${sql({ id, ...answer })}`;
  };
  const work = async () => {
    const requests = await sql<Request[]>`delete from net.http_request_queue returning *`;
    for (const request of requests) {
      const sent = send(request).catch((error) => log(`pg_net: ${error}`));
      sending.add(sent);
      sent.finally(() => sending.delete(sent));
    }
  };
  const attempt = () => work().catch((error) => log(`pg_net: ${error}`));

  sql.listen("net", attempt, attempt).catch((error) => log(`pg_net: ${error}`));
  const timer = setInterval(attempt, 5000);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(sending);
    },
  };
}
