import { expect, test } from "vitest";
import Stripe from "stripe";
import { card, failure, start } from "./support.ts";

test("the control API lists its verbs", async () => {
  const { control } = start();
  const { verbs } = await control("GET /");
  expect(Object.keys(verbs)).toContain("POST /_control/faults");
  for (const [verb, meaning] of Object.entries(verbs)) {
    expect(verb).toMatch(/^(GET|POST|DELETE) \/_control/);
    expect(meaning).not.toBe("");
  }
});

test("the next confirmations can be declined, with a code, and then no more", async () => {
  const { stripe, control } = start();
  await control("POST /faults", { kind: "decline", code: "insufficient_funds", times: 2 });
  for (let time = 0; time < 2; time++) {
    expect(await failure(stripe.paymentIntents.create(card(500))))
      .toMatchObject({ statusCode: 402, decline_code: "insufficient_funds" });
  }
  expect((await stripe.paymentIntents.create(card(500))).status).toBe("succeeded");
});

test("an error before the work leaves nothing; one after it leaves the work done", async () => {
  const { stripe, control } = start();
  await control("POST /faults", { kind: "error", method: "POST", path: "/v1/payment_intents" });
  expect((await failure(stripe.paymentIntents.create(card(500)))).statusCode).toBe(500);
  expect((await stripe.charges.list()).data).toHaveLength(0);
  await control("POST /faults", { kind: "error", status: 503, when: "after" });
  expect((await failure(stripe.paymentIntents.create(card(500)))).statusCode).toBe(503);
  expect((await stripe.charges.list()).data).toHaveLength(1);
});

test("an answer that never comes has done its work, and the same key finds it", async () => {
  const { client, stripe, control } = start({ accounts: ["acct_ana"] });
  await control("POST /balance", { amount: 1000, currency: "eur" });
  await control("POST /faults", { kind: "hang", method: "POST", path: "/v1/transfers" });
  const transfer = { amount: 400, currency: "eur", destination: "acct_ana" };
  const error = await failure(
    client({ timeout: 1000 }).transfers.create(transfer, { idempotencyKey: "w1" }),
  );
  expect(error).toBeInstanceOf(Stripe.errors.StripeConnectionError);
  const found = await stripe.transfers.create(transfer, { idempotencyKey: "w1" });
  expect((await stripe.transfers.list()).data.map((row) => row.id)).toEqual([found.id]);
});

test("a connection that breaks after the work is a connection error, and no second work", async () => {
  const { stripe, control } = start();
  await control("POST /faults", { kind: "disconnect", method: "POST", times: 2 });
  const error = await failure(stripe.customers.create({ name: "Ana" }, { idempotencyKey: "k" }));
  expect(error).toBeInstanceOf(Stripe.errors.StripeConnectionError);
  await control("DELETE /faults");
  await stripe.customers.create({ name: "Ana" }, { idempotencyKey: "k" });
  expect((await stripe.customers.list()).data).toHaveLength(1);
});

test("a fault hits the method and path that it names, so often and no other", async () => {
  const { stripe, control } = start();
  const rule = { kind: "error", method: "GET", path: "/v1/customers/*", times: 1 };
  await control("POST /faults", rule);
  const { id } = await stripe.customers.create();
  await stripe.customers.list();
  expect((await failure(stripe.customers.retrieve(id))).statusCode).toBe(500);
  expect((await stripe.customers.retrieve(id)).id).toBe(id);
  const { faults } = await control("GET /faults");
  expect(faults).toMatchObject([{ ...rule, hits: 1 }]);
});

test("a fault of a chance strikes the same calls for the same seed", async () => {
  const runs: string[] = [];
  for (const seed of [5, 5, 6]) {
    const { stripe, control } = start();
    await control("POST /faults/seed", { seed });
    await control("POST /faults", { kind: "error", times: null, probability: 0.5 });
    const calls = [];
    for (let time = 0; time < 20; time++) {
      calls.push(await stripe.customers.create().then(() => "1", () => "0"));
    }
    runs.push(calls.join(""));
  }
  expect(runs[0]).toMatch(/1/);
  expect(runs[0]).toMatch(/0/);
  expect(runs[1]).toBe(runs[0]);
  expect(runs[2]).not.toBe(runs[0]);
});

test("a misspelt rule is refused instead of doing nothing", async () => {
  const { control } = start();
  await expect(control("POST /faults", { kind: "explode" })).rejects.toThrow("kind");
  await expect(control("POST /faults", { kind: "error", staus: 500 })).rejects.toThrow("staus");
  await expect(control("POST /webhooks/rules", { kind: "lose" })).rejects.toThrow("kind");
  await expect(control("POST /webhooks/chaos", { dorp: 1 })).rejects.toThrow("dorp");
});

test("a reset forgets everything but what the host set", async () => {
  const { stripe, control, flush } = start({
    accounts: ["acct_ana"],
    openingBalance: { eur: 700 },
  });
  await stripe.paymentIntents.create(card(500), { idempotencyKey: "k" });
  await control("POST /faults", { kind: "error", times: null });
  await control("POST /reset");
  expect((await stripe.paymentIntents.list()).data).toEqual([]);
  expect((await stripe.events.list()).data).toEqual([]);
  expect((await stripe.accounts.retrieve("acct_ana")).payouts_enabled).toBe(true);
  const { available } = await stripe.balance.retrieve();
  expect(available).toContainEqual(expect.objectContaining({ currency: "eur", amount: 700 }));
  await stripe.paymentIntents.create(card(501), { idempotencyKey: "k" });
  expect(await flush()).toContain("payment_intent.succeeded");
});

test("every event can be looked at, in the order in which it happened", async () => {
  const { stripe, control } = start();
  const { id } = await stripe.paymentIntents.create(card(500));
  const { events } = await control(`GET /events?object=${id}`);
  expect(events.map((event: Stripe.Event) => event.type))
    .toEqual(["payment_intent.created", "payment_intent.succeeded"]);
});
