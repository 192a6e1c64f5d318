import { expect, test } from "vitest";
import Stripe from "stripe";
import { card, failure, start } from "./support.ts";

test("a confirmed intent takes the money and says so in Stripe's shape", async () => {
  const { stripe, flush } = start();
  const customer = await stripe.customers.create({ email: "ana@example.com" });
  const intent = await stripe.paymentIntents.create({
    ...card(1250),
    customer: customer.id,
    description: "Top-up",
    metadata: { topup: "t1" },
    expand: ["latest_charge.balance_transaction", "customer"],
  });
  expect(intent).toMatchObject({
    object: "payment_intent",
    amount: 1250,
    amount_received: 1250,
    currency: "eur",
    livemode: false,
    metadata: { topup: "t1" },
    status: "succeeded",
    customer: { id: customer.id, email: "ana@example.com" },
    latest_charge: {
      object: "charge",
      amount_captured: 1250,
      captured: true,
      paid: true,
      status: "succeeded",
      balance_transaction: { type: "charge", amount: 1250, net: 1250 },
    },
  });
  expect(intent.client_secret).toMatch(new RegExp(`^${intent.id}_secret_`));
  expect(intent.lastResponse.requestId).toMatch(/^req_/);
  expect(await flush()).toEqual([
    "customer.created",
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
  ]);
});

test.each([
  ["pm_card_chargeDeclined", "card_declined", "generic_decline"],
  ["pm_card_visa_chargeDeclined", "card_declined", "generic_decline"],
  ["pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"],
  ["pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"],
  ["pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"],
  ["pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"],
])("%s is refused with 402 %s / %s and leaves a failed charge", async (method, code, reason) => {
  const { stripe, flush } = start();
  const error = await failure(stripe.paymentIntents.create(card(1250, method)));
  expect(error).toBeInstanceOf(Stripe.errors.StripeCardError);
  expect(error).toMatchObject({ statusCode: 402, code, decline_code: reason });
  expect(error.payment_intent).toMatchObject({ status: "requires_payment_method" });
  const intent = await stripe.paymentIntents.retrieve(error.payment_intent!.id);
  expect(intent.last_payment_error).toMatchObject({ code, decline_code: reason });
  const charge = await stripe.charges.retrieve(intent.latest_charge as string);
  expect(charge).toMatchObject({ status: "failed", paid: false, failure_code: code });
  expect(await flush()).toEqual([
    "payment_intent.created",
    "charge.failed",
    "payment_intent.payment_failed",
  ]);
});

test("a declined intent can be confirmed again with another card, and only once", async () => {
  const { stripe } = start();
  const error = await failure(stripe.paymentIntents.create(card(900, "pm_card_chargeDeclined")));
  const { id } = error.payment_intent!;
  const paid = await stripe.paymentIntents.confirm(id, { payment_method: "pm_card_visa" });
  expect(paid).toMatchObject({ status: "succeeded", last_payment_error: null });
  const other = { payment_method: "pm_card_mastercard" };
  const again = await failure(stripe.paymentIntents.confirm(id, other));
  expect(again).toMatchObject({ statusCode: 400, code: "payment_intent_unexpected_state" });
  expect(again.payment_intent).toMatchObject({ id, status: "succeeded" });
  expect((await stripe.paymentIntents.retrieve(id)).payment_method).toBe(paid.payment_method);
  expect((await stripe.charges.list({ payment_intent: id })).data).toHaveLength(2);
});

test("a manual capture holds the money until it is captured, and releases the rest", async () => {
  const { stripe, flush } = start();
  const held = await stripe.paymentIntents.create({ ...card(1000), capture_method: "manual" });
  expect(held).toMatchObject({
    status: "requires_capture",
    amount_capturable: 1000,
    amount_received: 0,
  });
  expect((await stripe.balance.retrieve()).available.find((row) => row.currency === "eur"))
    .toBeUndefined();
  const more = await failure(stripe.paymentIntents.capture(held.id, { amount_to_capture: 1001 }));
  expect(more).toMatchObject({ statusCode: 400, code: "amount_too_large" });
  const captured = await stripe.paymentIntents.capture(held.id, {
    amount_to_capture: 600,
    expand: ["latest_charge"],
  });
  expect(captured).toMatchObject({ status: "succeeded", amount_received: 600 });
  expect(captured.latest_charge).toMatchObject({ amount_captured: 600, captured: true });
  expect((await failure(stripe.paymentIntents.capture(held.id))).code)
    .toBe("payment_intent_unexpected_state");
  expect(await flush()).toEqual([
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.amount_capturable_updated",
    "charge.captured",
    "payment_intent.succeeded",
  ]);
});

test("an intent can be canceled until it has succeeded", async () => {
  const { stripe, flush } = start();
  const open = await stripe.paymentIntents.create({ amount: 500, currency: "eur" });
  expect(open.status).toBe("requires_payment_method");
  const reason = "requested_by_customer";
  const canceled = await stripe.paymentIntents.cancel(open.id, { cancellation_reason: reason });
  expect(canceled).toMatchObject({ status: "canceled", cancellation_reason: reason });
  expect(await flush()).toEqual(["payment_intent.created", "payment_intent.canceled"]);
  const paid = await stripe.paymentIntents.create(card(500));
  expect(await failure(stripe.paymentIntents.cancel(paid.id)))
    .toMatchObject({ statusCode: 400, code: "payment_intent_unexpected_state" });
});

test("a card that wants authentication waits for the customer's page", async () => {
  const { stripe, flush, page } = start();
  const intent = await stripe.paymentIntents.create({
    ...card(700, "pm_card_authenticationRequired"),
    return_url: "http://localhost:3000/back",
  });
  expect(intent.status).toBe("requires_action");
  const { url } = intent.next_action!.redirect_to_url!;
  const back = await page(url!, { answer: "yes" });
  expect(back.status).toBe(303);
  expect(back.headers.get("location")).toContain(`payment_intent=${intent.id}`);
  expect((await stripe.paymentIntents.retrieve(intent.id)).status).toBe("succeeded");
  expect(await flush()).toEqual([
    "payment_intent.created",
    "payment_intent.requires_action",
    "charge.succeeded",
    "payment_intent.succeeded",
  ]);
});

test("authentication that fails, or that nobody is there for, is a decline", async () => {
  const { stripe, page } = start();
  const params = card(700, "pm_card_authenticationRequired");
  const asked = await stripe.paymentIntents.create({ ...params, return_url: "http://localhost/" });
  await page(asked.next_action!.redirect_to_url!.url!, { answer: "no" });
  expect(await stripe.paymentIntents.retrieve(asked.id)).toMatchObject({
    status: "requires_payment_method",
    last_payment_error: { code: "authentication_required" },
  });
  const error = await failure(stripe.paymentIntents.create({ ...params, off_session: true }));
  expect(error).toMatchObject({ statusCode: 402, code: "authentication_required" });
});

test("with manual confirmation the server confirms again after authentication", async () => {
  const { stripe, control } = start();
  const intent = await stripe.paymentIntents.create({
    ...card(700, "pm_card_authenticationRequired"),
    confirmation_method: "manual",
  });
  expect(intent.next_action?.type).toBe("use_stripe_sdk");
  await control(`POST /payment_intents/${intent.id}/succeed`);
  expect((await stripe.paymentIntents.retrieve(intent.id)).status).toBe("requires_confirmation");
  expect((await stripe.paymentIntents.confirm(intent.id)).status).toBe("succeeded");
});

test("a server that confirms automatic payment methods has to give a return_url", async () => {
  const { stripe } = start();
  const intent = await stripe.paymentIntents.create({ amount: 500, currency: "eur" });
  const params = { payment_method: "pm_card_visa" };
  expect(await failure(stripe.paymentIntents.confirm(intent.id, params)))
    .toMatchObject({ statusCode: 400, param: "return_url" });
  const confirmed = await stripe.paymentIntents.confirm(intent.id, {
    ...params,
    return_url: "http://localhost:3000/back",
  });
  expect(confirmed.status).toBe("succeeded");
});
