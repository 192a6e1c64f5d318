import { expect, test } from "vitest";
import Stripe from "stripe";
import { card, receive, type Receiver, session, start } from "./support.ts";

const ids = (receiver: Receiver) => receiver.events.map((event) => event.id);

test("an event is signed, names its request and shows the object as it was then", async () => {
  const { stripe, receiver, flush } = start();
  const held = await stripe.paymentIntents.create(
    { ...card(1000), capture_method: "manual" },
    { idempotencyKey: "topup-1" },
  );
  await stripe.paymentIntents.capture(held.id);
  await flush();
  expect(receiver.refused).toBe(0);
  const [created, charged] = receiver.events;
  expect(created).toMatchObject({
    id: expect.stringMatching(/^evt_/),
    object: "event",
    api_version: Stripe.API_VERSION,
    livemode: false,
    pending_webhooks: 1,
    request: { id: held.lastResponse.requestId, idempotency_key: "topup-1" },
    type: "payment_intent.created",
    data: { object: { id: held.id, status: "requires_payment_method" } },
  });
  expect(charged.data.object).toMatchObject({ object: "charge", captured: false });
});

test("a receiver with another secret refuses what it gets", async () => {
  const { stripe, receiver, control } = start();
  receiver.secret = "whsec_other";
  await stripe.customers.create();
  await control("POST /webhooks/flush", { hurry: true });
  expect(receiver.events).toEqual([]);
  expect(receiver.refused).toBe(5);
});

test("a delivery that is refused is tried again until it is accepted", async () => {
  const { stripe, receiver, control, flush } = start();
  let tries = 0;
  receiver.answer = () => ++tries < 4 ? 500 : 200;
  await stripe.customers.create();
  expect(await flush()).toEqual(["customer.created"]);
  const { deliveries: [delivery] } = await control("GET /deliveries");
  expect(delivery).toMatchObject({ state: "delivered", endpoint: expect.stringMatching(/^we_/) });
  expect(delivery.attempts.map((attempt: { status: number }) => attempt.status))
    .toEqual([500, 500, 500, 200]);
});

test("what was never accepted stays undelivered, where reconciliation finds it", async () => {
  const { stripe, receiver, control } = start();
  receiver.answer = () => 503;
  const lost = await stripe.customers.create();
  await control("POST /webhooks/flush", { hurry: true });
  receiver.answer = () => 200;
  await stripe.customers.create();
  await control("POST /webhooks/flush", { hurry: true });
  const { data } = await stripe.events.list({ delivery_success: false });
  expect(data.map((event) => (event.data.object as Stripe.Customer).id)).toEqual([lost.id]);
  const { data: good } = await stripe.events.list({ delivery_success: true });
  expect(good).toHaveLength(1);
  expect(good[0].pending_webhooks).toBe(0);
});

test("several endpoints get what they listen to, each under its own secret", async () => {
  const { stripe, flush } = start({ accounts: ["acct_ana"] });
  const [payments, connect] = [receive(), receive()];
  const first = await stripe.webhookEndpoints.create({
    url: payments.url,
    enabled_events: ["payment_intent.succeeded"],
  });
  const second = await stripe.webhookEndpoints.create({
    url: connect.url,
    enabled_events: ["*"],
    connect: true,
  });
  payments.secret = first.secret!;
  connect.secret = second.secret!;
  expect((await stripe.webhookEndpoints.list()).data.map((row) => row.secret))
    .toEqual([undefined, undefined, undefined]);
  await stripe.paymentIntents.create(card(5000));
  await stripe.transfers.create({ amount: 900, currency: "eur", destination: "acct_ana" });
  await stripe.payouts.create({ amount: 900, currency: "eur" }, { stripeAccount: "acct_ana" });
  const all = await flush();
  expect(all).toContain("payout.created");
  expect(payments.types()).toEqual(["payment_intent.succeeded"]);
  expect(connect.types()).toEqual(["payout.created"]);
  expect([payments.refused, connect.refused]).toEqual([0, 0]);

  expect((await stripe.webhookEndpoints.del(first.id)).deleted).toBe(true);
  await stripe.paymentIntents.create(card(5000));
  await flush();
  expect(payments.types()).toHaveLength(1);
});

test("webhooks can be dropped, and stay in the list of events", async () => {
  const { stripe, control, flush } = start();
  await control("POST /webhooks/rules", { kind: "drop", type: "payment_intent.succeeded" });
  await stripe.paymentIntents.create(card(500));
  await stripe.paymentIntents.create(card(500));
  const types = await flush();
  expect(types.filter((type) => type === "payment_intent.succeeded")).toHaveLength(1);
  const { data } = await stripe.events.list({ type: "payment_intent.succeeded" });
  expect(data.map((event) => event.pending_webhooks)).toEqual([0, 1]);
});

test("webhooks can be duplicated, under the same id or under fresh ones", async () => {
  const { stripe, control, flush, receiver } = start();
  await control("POST /webhooks/rules", { kind: "duplicate", copies: 2 });
  await stripe.customers.create();
  await flush();
  expect(receiver.events).toHaveLength(3);
  expect(new Set(ids(receiver)).size).toBe(1);
  await control("POST /webhooks/rules", { kind: "duplicate", copies: 2, fresh_ids: true });
  await stripe.customers.create();
  await flush();
  const fresh = receiver.events.slice(3);
  expect(new Set(fresh.map((event) => event.id)).size).toBe(3);
  expect(new Set(fresh.map((event) => JSON.stringify(event.data))).size).toBe(1);
});

test("a delayed webhook is overtaken by the next one", async () => {
  const { stripe, control, receiver } = start();
  await control("POST /webhooks/rules", { kind: "delay", type: "customer.created", ms: 60_000 });
  const { id } = await stripe.customers.create();
  await stripe.customers.update(id, { name: "Ana" });
  await receiver.until("customer.updated");
  expect(receiver.types()).toEqual(["customer.updated"]);
  await control("POST /webhooks/flush", { hurry: true });
  expect(receiver.types()).toEqual(["customer.updated", "customer.created"]);
});

test("the order of paused deliveries can be shuffled, and the seed repeats it", async () => {
  const orders: string[] = [];
  for (const seed of [7, 7, 8]) {
    const { stripe, control, flush, receiver } = start();
    await control("POST /webhooks", { shuffle: true });
    await control("POST /webhooks/chaos", { seed });
    await control("POST /webhooks/pause");
    for (const name of ["a", "b", "c", "d", "e", "f"]) await stripe.customers.create({ name });
    expect(receiver.events).toEqual([]);
    await control("POST /webhooks/resume");
    await flush();
    orders.push(receiver.events.map((event) => (event.data.object as Stripe.Customer).name).join());
  }
  expect([...orders[0].split(",")].sort().join()).toBe("a,b,c,d,e,f");
  expect(orders[0]).not.toBe("a,b,c,d,e,f");
  expect(orders[1]).toBe(orders[0]);
  expect(orders[2]).not.toBe(orders[0]);
});

test("chaos loses and repeats by chance, the same way for the same seed", async () => {
  const counts: string[] = [];
  for (const seed of [3, 3]) {
    const { stripe, control, flush, receiver } = start();
    await control("POST /webhooks/chaos", { seed, drop: 0.3, duplicate: 0.3, fresh_ids: 0.5 });
    for (let number = 0; number < 30; number++) {
      await stripe.customers.create({ name: `${number}` });
    }
    await flush();
    const names = receiver.events.map((event) => (event.data.object as Stripe.Customer).name);
    expect(new Set(names).size).toBeLessThan(30);
    expect(names.length).toBeGreaterThan(new Set(names).size);
    counts.push(names.join());
  }
  expect(counts[0]).toBe(counts[1]);
});

test("after the rules are deleted every webhook arrives once, in order", async () => {
  const { stripe, control, flush } = start();
  await control("POST /webhooks/chaos", { drop: 1 });
  await control("POST /webhooks/rules", { kind: "duplicate", times: null });
  await control("POST /webhooks", { shuffle: true });
  await control("DELETE /webhooks/rules");
  const { id } = await stripe.customers.create();
  await stripe.customers.update(id, { name: "Ana" });
  expect(await flush()).toEqual(["customer.created", "customer.updated"]);
});

test("an event can be sent again, under its id and under a fresh one", async () => {
  const { stripe, control, flush, receiver } = start();
  await stripe.customers.create();
  await flush();
  const [{ id, data }] = receiver.events;
  await control(`POST /events/${id}/resend`, { times: 2 });
  const { events: [copy] } = await control(`POST /events/${id}/resend`, { fresh_id: true });
  await flush();
  expect(ids(receiver)).toEqual([id, id, id, copy.id]);
  expect(copy.id).not.toBe(id);
  expect(receiver.events[3].data).toEqual(data);
  expect((await stripe.events.retrieve(copy.id)).type).toBe("customer.created");
});

test("an event can be forged, to see that it is not believed", async () => {
  const { stripe, control, flush, receiver } = start();
  const open = await stripe.checkout.sessions.create(session(2500));
  await control("POST /events", {
    type: "checkout.session.completed",
    object: open.id,
    overrides: { amount_total: 1, currency: "jpy", payment_status: "paid" },
    event: { livemode: true },
  });
  await flush();
  expect(receiver.events[0]).toMatchObject({
    livemode: true,
    data: { object: { id: open.id, amount_total: 1, currency: "jpy" } },
  });
  expect((await stripe.checkout.sessions.retrieve(open.id)).payment_status).toBe("unpaid");
});

test("a receiver that is slow keeps nobody else waiting when deliveries run side by side", async () => {
  const { stripe, control, receiver } = start({ delivery: { concurrency: 3 } });
  let release = () => {};
  const held = new Promise<number>((resolve) => release = () => resolve(200));
  let first = true;
  receiver.answer = () => {
    const answer = first ? held : 200;
    first = false;
    return answer;
  };
  await stripe.customers.create({ name: "slow" });
  while (first) await control("GET /webhooks");
  await stripe.customers.create({ name: "quick" });
  while (receiver.events.length === 0) await control("GET /webhooks");
  release();
  await control("POST /webhooks/flush");
  expect(receiver.events.map((event) => (event.data.object as Stripe.Customer).name))
    .toEqual(["quick", "slow"]);
});
