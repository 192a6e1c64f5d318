// A process takes on so much at once: what comes on top is refused before anything is done for it.
import type { Hono } from "hono";
import { afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

const PLACES = 4;
const environment = {
  SUPABASE_URL: "http://127.0.0.1:9",
  SUPABASE_ANON_KEY: "sb_publishable_test",
  SUPABASE_SERVICE_ROLE_KEY: "sb_secret_test",
  CORS_ORIGINS: "https://shop.example",
  ADMIN_SECRET: "an admin secret of some length",
  SCHEDULER_SECRET: "scheduler-secret",
  SITE_URL: "https://shop.example",
  STRIPE_SECRET_KEY: "sk_test_0123456789abcdef",
  STRIPE_WEBHOOK_SECRETS: "whsec_a",
  NOVU_SECRET_KEY: "novu_0123456789abcdef",
  REQUESTS_AT_ONCE: String(PLACES),
};

const route = {
  method: "get",
  caller: "anyone",
  summary: "Take time",
  response: z.null(),
} as const;
const contract = defineContract("things", {
  work: { ...route, path: "/work" },
  reserved: { ...route, path: "/reserved", reserved: true },
  scheduled: { ...route, path: "/scheduled", caller: "scheduler" },
  pay: { ...route, path: "/pay" },
  fail: { ...route, path: "/fail" },
});

let app: Hono;
let stripe: Deno.HttpServer<Deno.NetAddr>;
const waiting: (() => void)[] = [];
const finish = () => waiting.splice(0).forEach((end) => end());
const untilFinished = () => new Promise<void>((resolve) => waiting.push(resolve));

beforeAll(async () => {
  // A Stripe that answers when it is told to.
  stripe = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    await untilFinished();
    return Response.json({ object: "balance" });
  });
  const STRIPE_API_URL = `http://127.0.0.1:${stripe.addr.port}`;
  for (const [name, value] of Object.entries({ ...environment, STRIPE_API_URL })) {
    Deno.env.set(name, value);
  }
  const { endpoint } = await import("../../shared/endpoint.ts");
  const { ask } = await import("../../shared/stripe.ts");
  const work = () => untilFinished().then(() => ({}));
  const pay = () => ask((client) => client.balance.retrieve());
  const fail = () => Promise.reject(new Error("a reason"));
  const handlers = { work, reserved: work, scheduled: work, pay, fail };
  app = endpoint(contract, handlers) as unknown as Hono;
  return () => stripe.shutdown();
});

let under: Promise<Response>[] = [];
afterEach(async () => {
  finish();
  await Promise.all(under);
  under = [];
});

const get = (path: string, headers = {}) => app.request(`/things${path}`, { headers });
/** Sends so many, and waits until they are being worked on. */
async function occupy(path: string, count: number): Promise<void> {
  const until = waiting.length + count;
  under.push(...Array.from({ length: count }, () => Promise.resolve(get(path))));
  await expect.poll(() => waiting.length).toBe(until);
}
const refusal = async (answer: Response) => [
  answer.status,
  (await answer.json()).error.code,
  answer.headers.get("retry-after"),
];

test("one more than it works on is told to try again at once, until one of them is done", async () => {
  await occupy("/work", PLACES);
  expect(await refusal(await get("/work"))).toEqual([503, "try_again", "1"]);
  finish();
  await Promise.all(under);
  await occupy("/work", PLACES);
});

test("who has failed has left the place", async () => {
  for (let times = 0; times <= PLACES; times++) expect((await get("/fail")).status).toBe(500);
  await occupy("/work", PLACES);
});

test("what is reserved is answered when others are not, a quarter more and then no longer", async () => {
  await occupy("/work", PLACES);
  await occupy("/reserved", 1);
  expect(await refusal(await get("/reserved"))).toEqual([503, "try_again", "1"]);
});

test("the clock is never refused", async () => {
  await occupy("/work", PLACES);
  await occupy("/reserved", 1);
  const authorization = `Bearer ${environment.SCHEDULER_SECRET}`;
  under.push(Promise.resolve(get("/scheduled", { authorization })));
  await expect.poll(() => waiting.length).toBe(PLACES + 2);
});

test("a Stripe that does not answer keeps nobody else waiting", async () => {
  for (let times = 0; times < 3 * PLACES; times++) await occupy("/pay", 1);
  await occupy("/work", PLACES);
  expect((await get("/work")).status).toBe(503);
  finish();
  for (const answer of await Promise.all(under)) expect(answer.status).toBe(200);
});
