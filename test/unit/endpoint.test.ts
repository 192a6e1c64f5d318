// The factory by app.request(), with no server: what every endpoint does before the database is asked.
import { Hono } from "hono";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { parseEnvironment } from "../../shared/env.ts";

const environment = {
  SUPABASE_URL: "http://127.0.0.1:9",
  SUPABASE_ANON_KEY: "sb_publishable_test",
  SUPABASE_SERVICE_ROLE_KEY: "sb_secret_test",
  CORS_ORIGINS: "https://shop.example, https://admin.example",
  ADMIN_SECRET: "an admin secret of some length",
  SCHEDULER_SECRET: "a scheduler secret of some length",
  SITE_URL: "https://shop.example",
  STRIPE_SECRET_KEY: "sk_test_0123456789abcdef",
  STRIPE_WEBHOOK_SECRETS: "whsec_a,whsec_b",
  NOVU_SECRET_KEY: "novu_0123456789abcdef",
};

let app: Hono;
beforeAll(async () => {
  for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
  const { endpoint } = await import("../../shared/endpoint.ts");
  const contract = defineContract("things", {
    make: {
      method: "post",
      path: "/",
      summary: "Make a thing",
      caller: "anyone",
      body: z.strictObject({ name: z.string() }),
      status: 201,
      response: z.object({ name: z.string() }),
    },
    read: {
      method: "get",
      path: "/:id",
      summary: "Read a thing",
      caller: "anyone",
      params: z.object({ id: z.coerce.number().int() }),
      query: z.strictObject({ limit: z.coerce.number().int().max(100).optional() }),
      response: z.object({ id: z.number() }),
    },
    pay: {
      method: "post",
      path: "/pay",
      summary: "Pay for a thing",
      caller: "anyone",
      idempotent: true,
      status: 201,
      response: z.object({ paid: z.string() }),
    },
    crash: {
      method: "get",
      path: "/crash/now",
      summary: "Crash",
      caller: "anyone",
      response: z.null(),
    },
    queue: {
      method: "get",
      path: "/queue/now",
      summary: "Ask a database that cannot be reached",
      caller: "anyone",
      response: z.null(),
    },
  });
  app = endpoint(contract, {
    make: ({ body }) => Promise.resolve({ name: body.name }),
    read: ({ params, query }) => Promise.resolve({ id: params.id, limit: query.limit }),
    pay: ({ idempotencyKey }) =>
      Promise.resolve({ answer: { paid: idempotencyKey }, replayed: idempotencyKey === "again" }),
    crash: () => Promise.reject(new Error("the secret reason")),
    queue: ({ rpc }) => rpc("report_health"),
  }) as unknown as Hono;
});

const post = (
  body: string,
  headers: Record<string, string> = { "content-type": "application/json" },
) => app.request("/things", { method: "POST", body, headers });

test("a good request is answered with the route's status", async () => {
  const answer = await post('{"name":"x"}');
  expect([answer.status, await answer.json()]).toEqual([201, { name: "x" }]);
});

test("parameters of path and query are parsed and checked", async () => {
  expect(await (await app.request("/things/7?limit=3")).json()).toEqual({ id: 7, limit: 3 });
  expect((await app.request("/things/seven")).status).toBe(422);
  expect((await app.request("/things/7?limit=101")).status).toBe(422);
  expect((await app.request("/things/7?other=1")).status).toBe(422);
});

test("a request that moves money needs a key, and says when its answer is a repeated one", async () => {
  const pay = (headers: Record<string, string>) =>
    app.request("/things/pay", { method: "POST", headers });
  for (const headers of [{}, { "idempotency-key": "" }, { "idempotency-key": "x".repeat(256) }]) {
    const refused = await pay(headers as Record<string, string>);
    expect([refused.status, (await refused.json()).error.code]).toEqual([
      400,
      "idempotency_key_required",
    ]);
  }
  const first = await pay({ "idempotency-key": "k" });
  expect([first.status, await first.json(), first.headers.get("idempotent-replayed")]).toEqual([
    201,
    { paid: "k" },
    null,
  ]);
  expect((await pay({ "idempotency-key": "again" })).headers.get("idempotent-replayed")).toBe(
    "true",
  );
});

describe("each kind of bad request has its own clear answer", () => {
  test.each([
    ["malformed JSON", '{"name":', "application/json", 400, "json_invalid"],
    ["another content type", '{"name":"x"}', "text/plain", 415, "content_type_unsupported"],
    ["an unknown field", '{"name":"x","admin":true}', "application/json", 422, "request_invalid"],
    ["a missing field", "", "application/json", 422, "request_invalid"],
    ["an array", "[]", "application/json", 422, "request_invalid"],
    ["NUL in a string", '{"name":"a\\u0000"}', "application/json", 422, "request_invalid"],
    ["half a character", '{"name":"\\ud800"}', "application/json", 422, "request_invalid"],
    [
      "deep nesting",
      "[".repeat(30_000) + "]".repeat(30_000),
      "application/json",
      422,
      "request_invalid",
    ],
    [
      "a body over 64 KB",
      `{"name":"${"x".repeat(70_000)}"}`,
      "application/json",
      413,
      "body_too_large",
    ],
  ])("%s", async (_, body, type, status, code) => {
    const answer = await post(body, { "content-type": type });
    const { error } = await answer.json();
    expect([answer.status, error.code]).toEqual([status, code]);
    expect(error.request_id).toBe(answer.headers.get("x-request-id"));
    expect(
      Object.keys(error).every((key) => ["code", "message", "request_id", "details"].includes(key)),
    ).toBe(true);
  });

  test("an unknown route is 404, an unknown method 405 with what is allowed", async () => {
    const unknown = await app.request("/things/7/more");
    expect([unknown.status, (await unknown.json()).error.code]).toEqual([404, "route_not_found"]);
    const method = await app.request("/things", { method: "DELETE" });
    expect([method.status, method.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await method.json()).error.code).toBe("method_not_allowed");
  });
});

test("an unknown failure tells nothing but a request id", async () => {
  const answer = await app.request("/things/crash/now");
  const text = await answer.text();
  expect(answer.status).toBe(500);
  expect(JSON.parse(text).error.code).toBe("internal_error");
  expect(text).not.toMatch(/secret reason|\.ts|at /);
});

test("who is told to try again is told when", async () => {
  const answer = await app.request("/things/queue/now");
  expect([answer.status, (await answer.json()).error.code]).toEqual([503, "try_again"]);
  expect(answer.headers.get("retry-after")).toBe("1");
});

test("a client may send its own request id, unless it is unfit for a log", async () => {
  const send = async (id: string) =>
    (await app.request("/things/7", { headers: { "x-request-id": id } })).headers.get(
      "x-request-id",
    );
  expect(await send("checkout-42")).toBe("checkout-42");
  expect(await send('{"forged":"line"}')).toMatch(/^[0-9a-f-]{36}$/);
  expect(await send("x".repeat(129))).toMatch(/^[0-9a-f-]{36}$/);
});

test("only origins on the list may read answers in a browser", async () => {
  const from = async (origin: string, method = "GET") =>
    (await app.request("/things/7", {
      method,
      headers: { origin, "access-control-request-method": "GET" },
    })).headers
      .get("access-control-allow-origin");
  expect(await from("https://shop.example")).toBe("https://shop.example");
  expect(await from("https://admin.example", "OPTIONS")).toBe("https://admin.example");
  expect(await from("https://evil.example")).toBeNull();
});

test("every answer has the security headers", async () => {
  for (const path of ["/things/7", "/things/nowhere/at/all"]) {
    const { headers } = await app.request(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("strict-transport-security")).toContain("max-age");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  }
});

describe("settings", () => {
  const parse = (changes: Record<string, string | undefined>) =>
    parseEnvironment((name) => ({ ...environment, ...changes })[name as keyof typeof environment]);

  test("a list is split, a default fills in what is not set", () => {
    const parsed = parse({});
    expect(parsed.STRIPE_WEBHOOK_SECRETS).toEqual(["whsec_a", "whsec_b"]);
    expect(parsed.STRIPE_API_URL).toBe("https://api.stripe.com");
  });

  test.each(Object.keys(environment))("without %s the start stops and names it", (name) => {
    expect(() => parse({ [name]: undefined })).toThrow(`The setting ${name} is missing`);
    expect(() => parse({ [name]: "" })).toThrow(`The setting ${name} is missing`);
  });

  test("a senseless value is named, and not shown", () => {
    expect(() => parse({ ADMIN_SECRET: "hunter2" })).toThrow(/^The setting ADMIN_SECRET must have/);
    expect(() => parse({ SUPABASE_URL: "nowhere" })).toThrow("The setting SUPABASE_URL");
  });
});
