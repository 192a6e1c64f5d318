// One port for everything, and opaque API keys turned into roles, both as on hosted Supabase.
import { Hono } from "hono";
import type { Context } from "hono";
import { catalogue } from "../../shared/errors.ts";
import type { Keys } from "./keys.ts";
import { serviceToken } from "./keys.ts";

export interface Targets {
  auth: string;
  rest: string;
  novu: string;
  /** Undefined until they have started. */
  functions: () => string | undefined;
  /** How many requests the functions are given at once, and as many the data API, which is theirs too. */
  atOnce: number;
}

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, x-client-info, apikey, content-type, prefer, " +
    "range, accept-profile, content-profile, x-supabase-api-version",
  "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD",
  "access-control-expose-headers": "content-range, content-location, sb-request-id",
};

export function createGateway(keys: Keys, targets: Targets): Hono {
  const gateway = new Hono();
  const service = `Bearer ${serviceToken(keys.jwt_secret)}`;

  const admitToFunctions = admission(targets.atOnce);
  const admitToData = admission(targets.atOnce);

  const checked = (target: string, prefix: string) => async (c: Context) => {
    if (c.req.method === "OPTIONS") return c.body(null, 204, CORS);
    const headers = new Headers(c.req.raw.headers);
    const refused = exchangeKey(headers, new URL(c.req.url), keys, service);
    if (refused) return c.json(refused, 401, CORS);
    const answer = await forward(c.req.raw, target, prefix, headers);
    for (const [name, value] of Object.entries(CORS)) answer.headers.set(name, value);
    return answer;
  };

  const data = checked(targets.rest, "/rest/v1");
  gateway.all("/rest/v1/*", (c) => admitToData(c.req.raw, () => data(c)));
  // A link in a mail is opened by a browser, which has no key.
  gateway.get("/auth/v1/verify", (c) => forward(c.req.raw, targets.auth, ""));
  gateway.all("/auth/v1/*", checked(targets.auth, ""));
  // Functions check their own callers (verify_jwt = false) and set their own CORS headers.
  gateway.all("/functions/v1/*", (c) => {
    const pass = () => forward(c.req.raw, targets.functions(), "/functions/v1");
    return isReserved(c, keys) ? pass() : admitToFunctions(c.req.raw, pass);
  });
  gateway.get("/_local/mail", (c) => forward(c.req.raw, targets.auth, ""));
  gateway.get("/_local/novu", (c) => forward(c.req.raw, targets.novu, ""));
  gateway.get(
    "/",
    (c) => c.json({ name: "rafflebase", functions: "/functions/v1", rest: "/rest/v1" }),
  );
  gateway.notFound((c) => c.json({ message: "no Route matched with those values" }, 404));
  return gateway;
}

/** What comes on top of so many at once is refused here: to pass it on costs ten times as much. */
function admission(atOnce: number) {
  let under = 0;
  return async ({ body }: Request, pass: () => Promise<Response>): Promise<Response> => {
    if (under >= atOnce) return await tryAgain(body);
    under++;
    try {
      return await pass();
    } finally {
      under--;
    }
  };
}

async function tryAgain(body: Request["body"]): Promise<Response> {
  // Whoever is still sending would be cut off by an answer that comes before the end.
  await body?.pipeTo(new WritableStream()).catch(() => {});
  const request_id = crypto.randomUUID();
  const { en: message, status } = catalogue.try_again;
  const headers = { ...CORS, "retry-after": "1", "x-request-id": request_id };
  return Response.json({ error: { code: "try_again", message, request_id } }, { status, headers });
}

/** Operators' health, Stripe's webhooks and the clock are let through: the functions know what they can take. */
const isReserved = (c: Context, { scheduler_secret }: Keys) =>
  /^\/functions\/v1\/(health|stripe-webhook)\b/.test(c.req.path) ||
  c.req.header("authorization") === `Bearer ${scheduler_secret}`;

/** Hosted's rule: an opaque key is never a token; alone it stands for a role. Returns a refusal. */
function exchangeKey(headers: Headers, url: URL, keys: Keys, service: string) {
  const bearer = headers.get("authorization")?.replace(/^Bearer\s+/i, "") ?? "";
  const key = headers.get("apikey") ?? url.searchParams.get("apikey") ?? bearer;
  const isToken = bearer !== "" && !bearer.startsWith("sb_");
  if (key === "") return { message: "No API key found in request" };
  if (key.startsWith("sb_") && key !== keys.publishable_key && key !== keys.secret_key) {
    return { message: "Invalid API key" };
  }
  if (!isToken) {
    headers.delete("authorization");
    if (key === keys.secret_key) headers.set("authorization", service);
    else if (!key.startsWith("sb_")) headers.set("authorization", `Bearer ${key}`);
  }
  return null;
}

async function forward(
  request: Request,
  target: string | undefined,
  prefix: string,
  headers = new Headers(request.headers),
): Promise<Response> {
  if (!target) {
    return Response.json({ message: "The functions are still starting" }, { status: 503 });
  }
  const url = new URL(request.url);
  // A raw request may leave the prefix by "..": what is cut off must really be the prefix.
  if (!url.pathname.startsWith(`${prefix}/`)) {
    return Response.json({ message: "no Route matched" }, { status: 404 });
  }
  if (request.method === "TRACE") {
    return Response.json({ message: "method not allowed" }, { status: 405 });
  }
  const host = headers.get("host");
  headers.delete("host");
  headers.set("x-forwarded-host", host ?? url.host);
  headers.set("x-forwarded-proto", url.protocol.slice(0, -1));
  const body = request.method === "GET" || request.method === "HEAD" ? undefined : request.body;
  const destination = `${target}${url.pathname.slice(prefix.length)}${url.search}`;
  try {
    const answer = await fetch(destination, {
      method: request.method,
      headers,
      body,
      redirect: "manual",
    });
    return new Response(answer.body, {
      status: answer.status,
      headers: withoutLength(answer.headers),
    });
  } catch (error) {
    console.error(`gateway: ${destination}: ${error instanceof Error ? error.message : error}`);
    return Response.json({ message: "The upstream server is not reachable" }, { status: 503 });
  }
}

/** fetch has already decoded the body, so what described its encoding no longer holds. */
function withoutLength(headers: Headers): Headers {
  const copy = new Headers(headers);
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) copy.delete(name);
  return copy;
}
