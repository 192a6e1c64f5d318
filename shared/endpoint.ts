// The factory every function starts from. A function states its contract and gives a handler for each
// route; ids, CORS, headers, limits, parsing, errors and logging are the same everywhere, from here.
import { Hono } from "hono";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import type { z } from "zod";
import type { Contract, Route } from "./contract.ts";
import type { Rpc } from "./database.ts";
import { callerDatabase } from "./database.ts";
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";
import { inPlace, outOfPlace } from "./places.ts";
import { logRequest, respondWithError } from "./report.ts";
import { readBody, readQuery } from "./request.ts";
import { isSameSecret } from "./secret.ts";

export interface Variables {
  requestId: string;
  errorCode?: string;
}

type Parsed<Schema> = Schema extends z.ZodType ? z.infer<Schema> : undefined;

export interface Call<R extends Route> {
  body: Parsed<R["body"]>;
  query: Parsed<R["query"]>;
  params: Parsed<R["params"]>;
  /** Of 1 to 255 characters where the route is idempotent, else empty. */
  idempotencyKey: string;
  rpc: Rpc;
  requestId: string;
  context: Context<{ Variables: Variables }>;
}

/** Returns what the database answered, or a whole Response where 200 and JSON are not what is wanted. */
type Handler<R extends Route> = (call: Call<R>) => Promise<unknown>;

const BODY_LIMIT = 64 * 1024;
const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

export function endpoint<Routes extends Record<string, Route>>(
  contract: Contract<Routes>,
  handlers: { [Name in keyof Routes]: Handler<Routes[Name]> },
): Hono<{ Variables: Variables }> {
  const origins = env().CORS_ORIGINS;
  const app = new Hono<{ Variables: Variables }>({ strict: false }).basePath(`/${contract.name}`);

  app.use("*", async (c, next) => {
    const given = c.req.header("x-request-id") ?? "";
    const requestId = REQUEST_ID.test(given) ? given : crypto.randomUUID();
    const started = performance.now();
    c.set("requestId", requestId);
    await next();
    c.header("x-request-id", requestId);
    logRequest(contract.name, c, performance.now() - started);
  });
  app.use("*", secureHeaders({ crossOriginResourcePolicy: "cross-origin" }));
  app.use(
    "*",
    cors({
      origin: origins.includes("*") ? "*" : origins,
      allowHeaders: [
        "authorization",
        "x-client-info",
        "apikey",
        "content-type",
        "idempotency-key",
        "x-request-id",
      ],
      allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
      exposeHeaders: ["x-request-id", "idempotent-replayed", "retry-after", "etag"],
      maxAge: 86_400,
    }),
  );
  app.use(
    "*",
    bodyLimit({
      maxSize: BODY_LIMIT,
      onError: () => {
        throw new ApiError("body_too_large", { limit_bytes: BODY_LIMIT });
      },
    }),
  );

  for (const [name, route] of Object.entries(contract.routes)) {
    app.on(
      route.method.toUpperCase(),
      route.path,
      (c) => serve(c, route, handlers[name] as Handler<Route>),
    );
  }
  for (const path of new Set(Object.values(contract.routes).map((route) => route.path))) {
    app.all(path, (c) => {
      const methods = Object.values(contract.routes).filter((route) => route.path === path)
        .map((route) => route.method.toUpperCase());
      c.header("allow", methods.join(", "));
      throw new ApiError("method_not_allowed", { allowed: methods });
    });
  }
  app.notFound((c) => respondWithError(new ApiError("route_not_found"), c));
  app.onError(respondWithError);
  return app;
}

async function serve(
  c: Context<{ Variables: Variables }>,
  route: Route,
  handler: Handler<Route>,
): Promise<Response> {
  const requestId = c.get("requestId");
  const token = readToken(c);
  if (route.caller === "user" && !token) throw new ApiError("not_authenticated");
  const isScheduler = token !== null && isSameSecret(token, env().SCHEDULER_SECRET);
  if (route.caller === "scheduler" && !isScheduler) throw new ApiError("not_authenticated");
  const rpc = callerDatabase(isScheduler ? null : token, requestId);
  const claim = isScheduler ? "unrefusable" : route.reserved ? "reserved" : "ordinary";
  return await inPlace(claim, () => serveInPlace(c, route, handler, rpc));
}

async function serveInPlace(
  c: Context<{ Variables: Variables }>,
  route: Route,
  handler: Handler<Route>,
  rpc: Rpc,
): Promise<Response> {
  const requestId = c.get("requestId");
  try {
    const body = await readBody(c, route.body);
    const query = readQuery(c.req.query(), route.query);
    const params = readQuery(c.req.param(), route.params);
    const idempotencyKey = route.idempotent ? readIdempotencyKey(c) : "";
    const call = { body, query, params, idempotencyKey, rpc, requestId, context: c };
    if (route.idempotent) {
      return respondOnce(c, await inTurn(() => handler(call as Call<Route>)) as Once, route.status);
    }
    const answer = await handler(call as Call<Route>);
    return answer instanceof Response ? answer : c.json(answer as object, route.status ?? 200);
  } catch (error) {
    // Whoever is not signed in is told so first, even when the body is bad too. The database, which
    // verifies tokens, is only asked in this case, so that good requests make no second call.
    if (route.caller === "user" && error instanceof ApiError && beforeTheDatabase.has(error.code)) {
      await rpc("check_session");
    }
    throw error;
  }
}

const LONGEST_WAIT_MS = 10_000;

/** While the same request is being worked on elsewhere, waits for its answer. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  for (let pause = 25;; pause = Math.min(pause * 2, 400)) {
    try {
      return await work();
    } catch (error) {
      const waits = error instanceof ApiError && error.code === "request_in_progress";
      if (!waits || performance.now() - began > LONGEST_WAIT_MS) throw error;
      await outOfPlace(() => sleep(pause * (1 + Math.random())));
    }
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Once {
  answer: object;
  replayed: boolean;
}

function respondOnce(c: Context, { answer, replayed }: Once, status: Route["status"]): Response {
  if (replayed) c.header("idempotent-replayed", "true");
  return c.json(answer, status ?? 200);
}

function readIdempotencyKey(c: Context): string {
  const key = c.req.header("idempotency-key") ?? "";
  if (key.length < 1 || key.length > 255) throw new ApiError("idempotency_key_required");
  return key;
}

const beforeTheDatabase = new Set([
  "json_invalid",
  "content_type_unsupported",
  "request_invalid",
  "idempotency_key_required",
]);

/** An opaque key in place of a token is what supabase-js sends while nobody is signed in. */
function readToken(c: Context): string | null {
  const [, token] = /^Bearer\s+(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  return token && !token.startsWith("sb_") ? token : null;
}
