import { expect, test } from "vitest";
import Stripe from "stripe";
import { card, failure, session, start } from "./support.ts";

test("only test keys are let in", async () => {
  const { client, url } = start();
  for (const key of ["sk_live_1234567890", "pk_test_1234567890", "nonsense"]) {
    const error = await failure(client({}, key).balance.retrieve());
    expect(error).toBeInstanceOf(Stripe.errors.StripeAuthenticationError);
    expect(error.statusCode).toBe(401);
    expect(error.message).not.toContain(key);
  }
  expect((await fetch(`${url}/v1/balance`)).status).toBe(401);
  const basic = { authorization: `Basic ${btoa("sk_test_x:")}` };
  expect((await fetch(`${url}/v1/balance`, { headers: basic })).status).toBe(200);
});

test("what does not exist is a 404 in Stripe's shape, never an empty success", async () => {
  const { stripe, url } = start();
  const calls = [
    stripe.customers.retrieve("cus_x"),
    stripe.paymentIntents.retrieve("pi_x"),
    stripe.checkout.sessions.retrieve("cs_x"),
    stripe.checkout.sessions.listLineItems("cs_x"),
    stripe.charges.retrieve("ch_x"),
    stripe.refunds.retrieve("re_x"),
    stripe.disputes.retrieve("du_x"),
    stripe.accounts.retrieve("acct_x"),
    stripe.transfers.retrieve("tr_x"),
    stripe.payouts.retrieve("po_x"),
    stripe.events.retrieve("evt_x"),
    stripe.webhookEndpoints.retrieve("we_x"),
    stripe.balanceTransactions.retrieve("txn_x"),
    stripe.paymentMethods.retrieve("pm_x"),
    stripe.paymentIntents.confirm("pi_x"),
  ];
  for (const call of calls) {
    const error = await failure(call);
    expect(error).toMatchObject({ statusCode: 404, code: "resource_missing" });
    expect(error.requestId).toMatch(/^req_/);
  }
  const headers = { authorization: "Bearer sk_test_x" };
  const unknown = await fetch(`${url}/v1/unicorns`, { headers });
  expect(unknown.status).toBe(404);
  expect((await unknown.json()).error.type).toBe("invalid_request_error");
});

test("an id in a parameter that does not exist is a 400", async () => {
  const { stripe } = start();
  const calls: [Promise<unknown>, string][] = [
    [stripe.paymentIntents.create({ ...card(500), customer: "cus_x" }), "customer"],
    [stripe.paymentIntents.create(card(500, "pm_x")), "payment_method"],
    [stripe.refunds.create({ payment_intent: "pi_x" }), "payment_intent"],
    [stripe.transfers.create({ amount: 1, currency: "eur", destination: "acct_x" }), "destination"],
  ];
  for (const [call, param] of calls) {
    expect(await failure(call))
      .toMatchObject({ statusCode: 400, code: "resource_missing", param });
  }
  expect((await stripe.paymentIntents.list()).data).toEqual([]);
});

test.each([
  [0, "parameter_invalid_integer"],
  [-5, "parameter_invalid_integer"],
  [1.5, "parameter_invalid_integer"],
  [1e308, "parameter_invalid_integer"],
  [NaN, "parameter_invalid_integer"],
  [null, "parameter_missing"],
  [undefined, "parameter_missing"],
  [49, "amount_too_small"],
  [100_000_000, "amount_too_large"],
  [2 ** 53, "amount_too_large"],
  [2 ** 63, "amount_too_large"],
])("an amount of %s is refused: %s", async (amount, code) => {
  const { stripe } = start();
  const params = { ...card(0), amount: amount as number };
  const error = await failure(stripe.paymentIntents.create(params));
  expect(error).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
  expect(error).toMatchObject({ statusCode: 400, code, param: "amount" });
  expect((await stripe.paymentIntents.list()).data).toEqual([]);
});

test("the largest amount and each currency's smallest are accepted", async () => {
  const { stripe } = start();
  const amounts: [number, string][] = [[99_999_999, "usd"], [50, "eur"], [30, "gbp"], [50, "jpy"]];
  for (const [amount, currency] of amounts) {
    const intent = await stripe.paymentIntents.create({ ...card(amount), currency });
    expect(intent).toMatchObject({ amount_received: amount, currency });
  }
  expect((await failure(stripe.paymentIntents.create({ ...card(29), currency: "gbp" }))).code)
    .toBe("amount_too_small");
});

test("a currency that Stripe does not know is refused", async () => {
  const { stripe } = start();
  for (const currency of ["xxx", "euro", "e"]) {
    expect(await failure(stripe.paymentIntents.create({ ...card(500), currency })))
      .toMatchObject({ statusCode: 400, param: "currency" });
  }
});

test("unknown parameters are refused by name, wherever they stand", async () => {
  const { stripe } = start();
  const extra = { status: "succeeded" };
  const line = {
    quantity: 1,
    price_data: { currency: "eur", unit_amount: 500, product_data: { name: "x" }, ...extra },
  };
  const calls: [Promise<unknown>, string][] = [
    [stripe.paymentIntents.create({ ...card(500), ...extra }), "status"],
    [stripe.customers.create({ ...extra } as object), "status"],
    [stripe.refunds.create({ charge: "ch_x", ...extra } as object), "status"],
    [stripe.payouts.create({ amount: 1, currency: "eur", ...extra }), "status"],
    [
      stripe.checkout.sessions.create({
        mode: "payment",
        success_url: "http://localhost/",
        line_items: [line],
      }),
      "line_items[0][price_data][status]",
    ],
  ];
  for (const [call, param] of calls) {
    expect(await failure(call))
      .toMatchObject({ statusCode: 400, code: "parameter_unknown", param });
  }
});

test("a parameter called __proto__ is a parameter like others", async () => {
  const { url } = start();
  const answer = await fetch(`${url}/v1/customers`, {
    method: "POST",
    headers: { authorization: "Bearer sk_test_x" },
    body: "__proto__[polluted]=yes&name=Ana",
  });
  expect(answer.status).toBe(400);
  expect((await answer.json()).error.param).toBe("__proto__");
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
});

test("payment_method_types is refused, as since this version of the API", async () => {
  const { stripe } = start();
  const types = { payment_method_types: ["card"] };
  const params = { amount: 500, currency: "eur", ...types };
  expect(await failure(stripe.paymentIntents.create(params)))
    .toMatchObject({ statusCode: 400, code: "payment_method_types_no_longer_supported" });
  const open = await stripe.paymentIntents.create({
    amount: 500,
    currency: "eur",
    allowed_payment_method_types: ["card", "link"],
  });
  expect(open).toMatchObject({
    allowed_payment_method_types: ["card", "link"],
    payment_method_types: ["card"],
  });
  expect((await failure(stripe.checkout.sessions.create({ ...session(500), ...types }))).code)
    .toBe("parameter_unknown");
});

test("metadata is merged, and an empty value removes its key", async () => {
  const { stripe } = start();
  const { id } = await stripe.customers.create({ metadata: { a: "1", b: "2", __proto__x: "3" } });
  const changed = await stripe.customers.update(id, { metadata: { a: "", c: "4" } });
  expect(changed.metadata).toEqual({ b: "2", c: "4", __proto__x: "3" });
  expect((await stripe.customers.update(id, { metadata: "" })).metadata).toEqual({});
  const long = { metadata: { key: "x".repeat(501) } };
  expect((await failure(stripe.customers.update(id, long))).param).toBe("metadata");
});

test("lists come newest first, in pages that neither skip nor repeat", async () => {
  const { stripe } = start();
  const made: string[] = [];
  for (let number = 0; number < 25; number++) made.unshift((await stripe.customers.create()).id);
  const first = await stripe.customers.list();
  expect(first).toMatchObject({ object: "list", url: "/v1/customers", has_more: true });
  expect(first.data.map((row) => row.id)).toEqual(made.slice(0, 10));
  const last = await stripe.customers.list({ starting_after: made[19] });
  expect(last.data.map((row) => row.id)).toEqual(made.slice(20));
  expect(last.has_more).toBe(false);
  const before = await stripe.customers.list({ ending_before: made[20], limit: 3 });
  expect(before.data.map((row) => row.id)).toEqual(made.slice(17, 20));
  expect(before.has_more).toBe(true);
  const all = [];
  for await (const customer of stripe.customers.list({ limit: 7 })) all.push(customer.id);
  expect(all).toEqual(made);
  expect(await failure(stripe.customers.list({ limit: 101 })))
    .toMatchObject({ statusCode: 400, param: "limit" });
  expect(await failure(stripe.customers.list({ starting_after: "cus_x" })))
    .toMatchObject({ statusCode: 400, code: "resource_missing" });
});

test("events are found by type, by several types, by family and by time", async () => {
  const now = 1_900_000_000;
  const { stripe, control } = start({ clock: () => now * 1000 });
  await stripe.paymentIntents.create(card(500));
  await control("POST /clock", { advance_seconds: 60 });
  await stripe.customers.create();
  const types = async (params: Stripe.EventListParams) =>
    (await stripe.events.list(params)).data.map((event) => event.type);
  expect(await types({ type: "customer.created" })).toEqual(["customer.created"]);
  expect(await types({ types: ["customer.created", "charge.succeeded"] }))
    .toEqual(["customer.created", "charge.succeeded"]);
  expect(await types({ type: "payment_intent.*" }))
    .toEqual(["payment_intent.succeeded", "payment_intent.created"]);
  expect(await types({ created: { gt: now } })).toEqual(["customer.created"]);
  expect(await types({ created: { gte: now, lte: now } })).toHaveLength(3);
});

test("ids are replaced by their objects where that is asked, and only what can be", async () => {
  const { stripe } = start();
  const customer = await stripe.customers.create();
  const { id } = await stripe.paymentIntents.create({ ...card(500), customer: customer.id });
  const plain = await stripe.paymentIntents.retrieve(id);
  expect(typeof plain.latest_charge).toBe("string");
  const { data } = await stripe.charges.list({
    expand: ["data.payment_intent.customer", "data.balance_transaction"],
  });
  expect(data[0]).toMatchObject({
    payment_intent: { id, customer: { id: customer.id } },
    balance_transaction: { object: "balance_transaction", amount: 500 },
  });
  expect(await failure(stripe.paymentIntents.retrieve(id, { expand: ["nothing"] })))
    .toMatchObject({ statusCode: 400, param: "expand" });
});

test("the version that was asked for is echoed, and a malformed one refused", async () => {
  const { url, stripe } = start();
  const ask = (version: string) =>
    fetch(`${url}/v1/balance`, {
      headers: { authorization: "Bearer sk_test_x", "stripe-version": version },
    });
  expect((await ask("2020-01-01")).headers.get("stripe-version")).toBe("2020-01-01");
  expect((await ask("latest")).status).toBe(400);
  const { lastResponse } = await stripe.balance.retrieve();
  expect(lastResponse.apiVersion).toBe(Stripe.API_VERSION);
});
