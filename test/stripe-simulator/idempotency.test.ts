import { expect, test } from "vitest";
import Stripe from "stripe";
import { card, failure, start } from "./support.ts";

const key = (idempotencyKey: string) => ({ idempotencyKey });

test("the same key and parameters get the first answer, and nothing is done twice", async () => {
  const { stripe, control } = start();
  const first = await stripe.paymentIntents.create(card(500), key("k"));
  const again = await stripe.paymentIntents.create(card(500), key("k"));
  expect(again).toEqual(first);
  expect(again.lastResponse.requestId).not.toBe(first.lastResponse.requestId);
  expect((await stripe.paymentIntents.list()).data).toHaveLength(1);
  const { requests } = await control("GET /requests?method=POST");
  expect(requests.map((entry: { replayed: boolean }) => entry.replayed)).toEqual([false, true]);
  expect(requests[0]).toMatchObject({
    path: "/v1/payment_intents",
    idempotency_key: "k",
    params: { amount: "500", allowed_payment_method_types: { 0: "card" } },
    status: 200,
  });
  expect(JSON.stringify(requests)).not.toContain("sk_test");
});

test("a replay says so in a header", async () => {
  const { url } = start();
  const send = () =>
    fetch(`${url}/v1/customers`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_x", "idempotency-key": "k" },
      body: new URLSearchParams({ name: "Ana" }),
    });
  const [first, second] = [await send(), await send()];
  expect(first.headers.get("idempotent-replayed")).toBeNull();
  expect(second.headers.get("idempotent-replayed")).toBe("true");
  expect(second.headers.get("original-request")).toBe(first.headers.get("request-id"));
  expect(await second.text()).toBe(await first.text());
});

test("a decline is remembered as well", async () => {
  const { stripe } = start();
  const params = card(500, "pm_card_chargeDeclined");
  const first = await failure(stripe.paymentIntents.create(params, key("k")));
  const again = await failure(stripe.paymentIntents.create(params, key("k")));
  expect(again.payment_intent!.id).toBe(first.payment_intent!.id);
  expect((await stripe.charges.list()).data).toHaveLength(1);
});

test("the same key with other parameters, or for another endpoint, is refused", async () => {
  const { stripe } = start();
  await stripe.paymentIntents.create(card(500), key("k"));
  const error = await failure(stripe.paymentIntents.create(card(501), key("k")));
  expect(error).toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
  expect(error).toMatchObject({ statusCode: 400, rawType: "idempotency_error" });
  const [ana, ben] = [await stripe.customers.create(), await stripe.customers.create()];
  await stripe.customers.update(ana.id, { name: "Ana" }, key("k2"));
  const elsewhere = await failure(stripe.customers.update(ben.id, { name: "Ana" }, key("k2")));
  expect(elsewhere.rawType).toBe("idempotency_error");
  expect((await stripe.paymentIntents.list()).data).toHaveLength(1);
});

test("a key in use is refused with 409, and works once the first call has ended", async () => {
  const { stripe, control } = start();
  await control("POST /faults", { kind: "delay", path: "/v1/customers" });
  const first = stripe.customers.create({ name: "Ana" }, key("k"));
  while ((await control("GET /requests")).requests.length === 0);
  const error = await failure(stripe.customers.create({ name: "Ana" }, key("k")));
  expect(error).toMatchObject({
    statusCode: 409,
    code: "idempotency_key_in_use",
    rawType: "idempotency_error",
  });
  await control("DELETE /faults");
  await first;
  const again = await stripe.customers.create({ name: "Ana" }, key("k"));
  expect(again.id).toBe((await first).id);
});

test("the package's own retries get through a key in use", async () => {
  const { client, control } = start();
  const stripe = client({ maxNetworkRetries: 2 });
  await control("POST /faults", { kind: "delay" });
  const calls = [1, 2].map(() => stripe.customers.create({ name: "Ana" }, key("k")));
  const refused = (entry: { status: number }) => entry.status === 409;
  while (!(await control("GET /requests")).requests.some(refused));
  await control("DELETE /faults");
  const [first, second] = await Promise.all(calls);
  expect(second.id).toBe(first.id);
});

test("a call that never began is not remembered", async () => {
  const { stripe, control } = start();
  const wrong = { ...card(500), surprise: "x" } as Stripe.PaymentIntentCreateParams;
  expect((await failure(stripe.paymentIntents.create(wrong, key("k")))).code)
    .toBe("parameter_unknown");
  await control("POST /faults", { kind: "error", status: 429 });
  expect(await failure(stripe.paymentIntents.create(card(500), key("k"))))
    .toMatchObject({ statusCode: 429, code: "rate_limit" });
  expect((await stripe.paymentIntents.create(card(500), key("k"))).status).toBe("succeeded");
});

test("a refusal by the endpoint itself is remembered, even when it would now succeed", async () => {
  const { stripe, control } = start({ accounts: ["acct_ana"] });
  const transfer = { amount: 500, currency: "eur", destination: "acct_ana" };
  await failure(stripe.transfers.create(transfer, key("k")));
  await control("POST /balance", { amount: 1000, currency: "eur" });
  expect((await failure(stripe.transfers.create(transfer, key("k")))).code)
    .toBe("balance_insufficient");
  expect((await stripe.transfers.create(transfer, key("k2"))).amount).toBe(500);
});

test("a stored 500 is replayed, as Stripe does; one that is not stored can be retried", async () => {
  const { stripe, control } = start();
  await control("POST /faults", { kind: "error", path: "/v1/customers" });
  for (let time = 0; time < 2; time++) {
    const error = await failure(stripe.customers.create({}, key("k")));
    expect(error).toBeInstanceOf(Stripe.errors.StripeAPIError);
    expect(error.statusCode).toBe(500);
  }
  await control("POST /faults", { kind: "error", stored: false });
  await failure(stripe.customers.create({}, key("k2")));
  expect((await stripe.customers.create({}, key("k2"))).object).toBe("customer");
});

test("each account has its own keys", async () => {
  const { stripe } = start({ accounts: ["acct_ana"] });
  const own = await stripe.customers.create({}, key("k"));
  const theirs = await stripe.customers.create({}, { ...key("k"), stripeAccount: "acct_ana" });
  expect(theirs.id).not.toBe(own.id);
});

test("a key is forgotten after a day", async () => {
  const { stripe, control } = start();
  const first = await stripe.customers.create({}, key("k"));
  await control("POST /clock", { advance_seconds: 24 * 3600 + 1 });
  expect((await stripe.customers.create({}, key("k"))).id).not.toBe(first.id);
});

test("a key does nothing on a read", async () => {
  const { stripe } = start();
  const { id } = await stripe.customers.create({ name: "Ana" });
  await stripe.customers.retrieve(id, {}, key("k"));
  await stripe.customers.update(id, { name: "Ben" });
  expect(await stripe.customers.retrieve(id, {}, key("k"))).toMatchObject({ name: "Ben" });
});

test("fifty calls at once with one key make one thing", async () => {
  const { client } = start();
  const stripe = client({ maxNetworkRetries: 2 });
  const calls = Array.from(
    { length: 50 },
    () => stripe.paymentIntents.create(card(500), key("k")),
  );
  expect(new Set((await Promise.all(calls)).map((intent) => intent.id)).size).toBe(1);
  expect((await stripe.charges.list()).data).toHaveLength(1);
});
