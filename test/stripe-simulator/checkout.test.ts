import { expect, test } from "vitest";
import { failure, session, start } from "./support.ts";

test("a session that is paid on its page completes, with its own intent and charge", async () => {
  const { stripe, page, flush, receiver } = start();
  const open = await stripe.checkout.sessions.create(session(2500, {
    client_reference_id: "topup-1",
    metadata: { topup: "1" },
    payment_intent_data: { metadata: { topup: "1" }, description: "Top-up 1" },
  }));
  expect(open).toMatchObject({
    object: "checkout.session",
    amount_total: 2500,
    client_reference_id: "topup-1",
    currency: "eur",
    payment_intent: null,
    payment_status: "unpaid",
    status: "open",
  });
  const html = await (await fetch(open.url!)).text();
  expect(html).toContain("€25.00");

  const paid = await page(open.url!, { action: "pay", payment_method: "pm_card_visa" });
  expect(paid.status).toBe(303);
  expect(paid.headers.get("location")).toBe(`http://localhost:3000/done?session=${open.id}`);
  const complete = await stripe.checkout.sessions.retrieve(open.id, {
    expand: ["payment_intent.latest_charge", "line_items"],
  });
  expect(complete).toMatchObject({
    payment_intent: {
      amount_received: 2500,
      description: "Top-up 1",
      metadata: { topup: "1" },
      latest_charge: { amount_captured: 2500 },
    },
    payment_status: "paid",
    status: "complete",
    url: null,
    line_items: { data: [{ description: "Top-up", amount_total: 2500, quantity: 1 }] },
  });
  expect(await flush()).toEqual([
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
  ]);
  expect(receiver.events[3].data.object).toMatchObject({ id: open.id, payment_status: "paid" });
});

test("a decline on the page leaves the session open, to be paid by another card", async () => {
  const { stripe, page, flush } = start();
  const open = await stripe.checkout.sessions.create(session(2500));
  const declined = await page(open.url!, { action: "decline" });
  expect(declined.status).toBe(402);
  expect(await declined.text()).toContain("Your card was declined.");
  const still = await stripe.checkout.sessions.retrieve(open.id);
  expect(still).toMatchObject({ status: "open", payment_status: "unpaid" });
  await page(open.url!, { action: "pay", payment_method: "pm_card_visa" });
  const complete = await stripe.checkout.sessions.retrieve(open.id);
  expect(complete).toMatchObject({ status: "complete", payment_intent: still.payment_intent });
  expect(await flush()).toEqual([
    "payment_intent.created",
    "charge.failed",
    "payment_intent.payment_failed",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
  ]);
});

test("an expired session cannot be paid, nor a paid one expired", async () => {
  const { stripe, page, control, flush } = start();
  const first = await stripe.checkout.sessions.create(session(2500));
  const expired = await stripe.checkout.sessions.expire(first.id);
  expect(expired).toMatchObject({ status: "expired", url: null });
  await expect(control(`POST /sessions/${first.id}/pay`)).rejects.toThrow("expired");
  expect((await page(first.url!, { action: "pay" })).status).toBe(410);
  expect((await failure(stripe.checkout.sessions.expire(first.id))).statusCode).toBe(400);
  const second = await stripe.checkout.sessions.create(session(2500));
  await control(`POST /sessions/${second.id}/pay`);
  expect((await failure(stripe.checkout.sessions.expire(second.id))).statusCode).toBe(400);
  expect((await flush())[0]).toBe("checkout.session.expired");
});

test("a session expires by the clock", async () => {
  const { stripe, control, flush } = start();
  const expires_at = Math.floor(Date.now() / 1000) + 1860;
  const open = await stripe.checkout.sessions.create(session(2500, { expires_at }));
  await control("POST /clock", { advance_seconds: 1900 });
  expect((await stripe.checkout.sessions.retrieve(open.id)).status).toBe("expired");
  expect(await flush()).toEqual(["checkout.session.expired"]);
});

test("a payment that comes later completes the session unpaid and settles it afterwards", async () => {
  const { stripe, control, flush } = start();
  const outcome: Record<string, string[]> = {};
  for (const verb of ["succeed", "fail"]) {
    const open = await stripe.checkout.sessions.create(session(2500));
    const complete = await control(`POST /sessions/${open.id}/pay`, { later: true });
    expect(complete).toMatchObject({ status: "complete", payment_status: "unpaid" });
    await control(`POST /payment_intents/${complete.payment_intent}/${verb}`);
    const { payment_status } = await stripe.checkout.sessions.retrieve(open.id);
    outcome[verb] = [payment_status];
  }
  expect(outcome).toEqual({ succeed: ["paid"], fail: ["unpaid"] });
  expect((await flush()).filter((type) => type.startsWith("checkout"))).toEqual([
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.async_payment_failed",
  ]);
});

test("to let the intent of an open session succeed is to pay the session", async () => {
  const { stripe, page, control } = start();
  const open = await stripe.checkout.sessions.create(session(2500));
  await page(open.url!, { action: "decline" });
  const { payment_intent } = await stripe.checkout.sessions.retrieve(open.id);
  await control(`POST /payment_intents/${payment_intent}/succeed`);
  expect(await stripe.checkout.sessions.retrieve(open.id))
    .toMatchObject({ status: "complete", payment_status: "paid" });
});

test("an intent that belongs to a session is not canceled behind its back", async () => {
  const { stripe, page } = start();
  const open = await stripe.checkout.sessions.create(session(2500));
  await page(open.url!, { action: "decline" });
  const { payment_intent } = await stripe.checkout.sessions.retrieve(open.id);
  expect((await failure(stripe.paymentIntents.cancel(payment_intent as string))).statusCode)
    .toBe(400);
  await stripe.checkout.sessions.expire(open.id);
  const intent = await stripe.paymentIntents.retrieve(payment_intent as string);
  expect(intent.status).toBe("canceled");
});

test("the lines of a session can be listed, and sessions found by their intent", async () => {
  const { stripe, control } = start();
  const price = (unit_amount: number, name: string) => ({
    currency: "usd",
    unit_amount,
    product_data: { name },
  });
  const open = await stripe.checkout.sessions.create(session(0, {
    line_items: [
      { quantity: 3, price_data: price(200, "Ticket") },
      { quantity: 1, price_data: price(550, "T-shirt") },
    ],
  }));
  expect(open.amount_total).toBe(1150);
  const lines = await stripe.checkout.sessions.listLineItems(open.id);
  expect(lines.data.map((line) => [line.description, line.quantity, line.amount_total]))
    .toEqual([["Ticket", 3, 600], ["T-shirt", 1, 550]]);
  const { payment_intent } = await control(`POST /sessions/${open.id}/pay`);
  const found = await stripe.checkout.sessions.list({ payment_intent });
  expect(found.data.map((row) => row.id)).toEqual([open.id]);
});

test("a session that could not be sold is refused and not made", async () => {
  const { stripe } = start();
  const { create } = stripe.checkout.sessions;
  const tries = [
    [session(10), "amount_too_small"],
    [session(100_000_000), "amount_too_large"],
    [session(500, { line_items: [] }), "parameter_missing"],
    [session(500, { customer: "cus_nobody" }), "resource_missing"],
    [session(500, { line_items: [{ price: "price_1", quantity: 1 }] }), "resource_missing"],
  ] as const;
  for (const [params, code] of tries) {
    expect(await failure(create.call(stripe.checkout.sessions, params)))
      .toMatchObject({ statusCode: 400, code });
  }
  expect((await stripe.checkout.sessions.list()).data).toEqual([]);
});
