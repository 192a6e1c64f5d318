import { expect, test } from "vitest";
import { card, failure, type Stack, start } from "./support.ts";

async function balanceOf({ stripe }: Stack): Promise<number> {
  const { available } = await stripe.balance.retrieve();
  return available.find((row) => row.currency === "eur")?.amount ?? 0;
}

test("a second refund cannot exceed the charge", async () => {
  const stack = start();
  const { stripe } = stack;
  const { id } = await stripe.paymentIntents.create(card(1000));
  const first = await stripe.refunds.create({ payment_intent: id, amount: 700 });
  expect(first).toMatchObject({ status: "succeeded", amount: 700, payment_intent: id });
  const error = await failure(stripe.refunds.create({ payment_intent: id, amount: 301 }));
  expect(error).toMatchObject({ statusCode: 400, param: "amount" });
  await stripe.refunds.create({ payment_intent: id, amount: 300 });
  expect(await failure(stripe.refunds.create({ payment_intent: id })))
    .toMatchObject({ statusCode: 400, code: "charge_already_refunded" });
  expect(await balanceOf(stack)).toBe(0);
});

test("twenty refunds at once give back no more than was paid", async () => {
  const { stripe } = start();
  const { id } = await stripe.paymentIntents.create(card(1000));
  await Promise.allSettled(
    Array.from({ length: 20 }, () => stripe.refunds.create({ payment_intent: id, amount: 300 })),
  );
  const { data } = await stripe.refunds.list({ payment_intent: id, limit: 100 });
  expect(data.map((refund) => refund.amount)).toEqual([300, 300, 300]);
});

test("a partial refund tells how much is refunded, a full one that it is", async () => {
  const { stripe, receiver, flush } = start();
  const { id, latest_charge } = await stripe.paymentIntents.create(card(1000));
  await stripe.refunds.create({ charge: latest_charge as string, amount: 400 });
  const partly = await stripe.charges.retrieve(latest_charge as string, { expand: ["refunds"] });
  expect(partly).toMatchObject({ amount_refunded: 400, refunded: false });
  expect(partly.refunds!.data).toHaveLength(1);
  await stripe.refunds.create({ payment_intent: id, reason: "requested_by_customer" });
  expect(await stripe.charges.retrieve(latest_charge as string))
    .toMatchObject({ amount_refunded: 1000, refunded: true });
  const types = await flush();
  expect(types.slice(-4))
    .toEqual(["refund.created", "charge.refunded", "refund.created", "charge.refunded"]);
  expect(receiver.events.at(-1)!.data.previous_attributes)
    .toEqual({ amount_refunded: 400, refunded: false });
});

test("what was released at a partial capture cannot be refunded", async () => {
  const { stripe } = start();
  const held = await stripe.paymentIntents.create({ ...card(1000), capture_method: "manual" });
  expect((await failure(stripe.refunds.create({ payment_intent: held.id }))).statusCode).toBe(400);
  await stripe.paymentIntents.capture(held.id, { amount_to_capture: 600 });
  expect((await failure(stripe.refunds.create({ payment_intent: held.id, amount: 601 }))).param)
    .toBe("amount");
  expect((await stripe.refunds.create({ payment_intent: held.id })).amount).toBe(600);
});

test("a refund that fails gives the money and the right to refund back", async () => {
  const stack = start();
  const { stripe, control, flush } = stack;
  const { id } = await stripe.paymentIntents.create(card(1000));
  const refund = await stripe.refunds.create({ payment_intent: id });
  expect(await balanceOf(stack)).toBe(0);
  await control(`POST /refunds/${refund.id}/fail`);
  expect(await stripe.refunds.retrieve(refund.id)).toMatchObject({ status: "failed" });
  expect(await balanceOf(stack)).toBe(1000);
  expect((await flush()).slice(-2)).toEqual(["refund.updated", "refund.failed"]);
  expect((await stripe.refunds.create({ payment_intent: id })).status).toBe("succeeded");
});

test("a pending refund can succeed, and only one that waits for the customer be canceled", async () => {
  const { stripe, control } = start();
  const { id } = await stripe.paymentIntents.create(card(1000, "pm_card_pendingRefund"));
  const first = await stripe.refunds.create({ payment_intent: id, amount: 400 });
  expect(first.status).toBe("pending");
  expect((await failure(stripe.refunds.cancel(first.id))).statusCode).toBe(400);
  await control(`POST /refunds/${first.id}/succeed`);
  expect((await stripe.refunds.retrieve(first.id)).status).toBe("succeeded");
  const second = await stripe.refunds.create({ payment_intent: id });
  await control(`POST /refunds/${second.id}/require_action`);
  expect((await stripe.refunds.cancel(second.id)).status).toBe("canceled");
  const intent = await stripe.paymentIntents.retrieve(id, { expand: ["latest_charge"] });
  expect(intent.latest_charge).toMatchObject({ amount_refunded: 400, refunded: false });
});

test("a dispute takes the money at once, and only a won one returns it", async () => {
  const stack = start();
  const { stripe, control, flush } = stack;
  const left: Record<string, number> = {};
  for (const verb of ["win", "lose"]) {
    const { id } = await stripe.paymentIntents.create(card(1000));
    const before = await balanceOf(stack);
    const dispute = await control(`POST /charges/${id}/dispute`, { reason: "fraudulent" });
    expect(await stripe.disputes.retrieve(dispute.id)).toMatchObject({
      amount: 1000,
      payment_intent: id,
      reason: "fraudulent",
      status: "needs_response",
    });
    expect(await balanceOf(stack)).toBe(before - 1000);
    await control(`POST /disputes/${dispute.id}/${verb}`);
    left[verb] = await balanceOf(stack) - before;
    expect((await failure(stripe.disputes.close(dispute.id))).code).toBe("dispute_already_closed");
  }
  expect(left).toEqual({ win: 0, lose: -1000 });
  expect((await flush()).filter((type) => type.startsWith("charge.dispute"))).toEqual([
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.closed",
  ]);
});

test("an inquiry takes nothing, however it ends, and leaves the charge to be refunded", async () => {
  const stack = start();
  const { stripe, control, flush } = stack;
  const { id } = await stripe.paymentIntents.create(card(1000));
  const before = await balanceOf(stack);
  const inquiry = await control(`POST /charges/${id}/dispute`, { inquiry: true });
  expect(inquiry).toMatchObject({ status: "warning_needs_response", balance_transactions: [] });
  await control(`POST /disputes/${inquiry.id}/win`);
  expect((await stripe.disputes.retrieve(inquiry.id)).status).toBe("warning_closed");
  expect(await balanceOf(stack)).toBe(before);
  expect((await stripe.refunds.create({ payment_intent: id })).status).toBe("succeeded");
  expect((await flush()).filter((type) => type.startsWith("charge.dispute"))).toEqual([
    "charge.dispute.created",
    "charge.dispute.closed",
  ]);
});

test("a disputed charge cannot be refunded as well", async () => {
  const { stripe } = start();
  const { id } = await stripe.paymentIntents.create(card(1000, "pm_card_createDispute"));
  const { data: [dispute] } = await stripe.disputes.list({ payment_intent: id });
  expect(dispute.status).toBe("needs_response");
  expect(await failure(stripe.refunds.create({ payment_intent: id })))
    .toMatchObject({ statusCode: 400, code: "charge_disputed" });
  const answered = await stripe.disputes.update(dispute.id, {
    evidence: { uncategorized_text: "They came to the draw." },
    submit: true,
  });
  expect(answered).toMatchObject({
    status: "under_review",
    evidence_details: { has_evidence: true },
  });
  expect((await stripe.disputes.close(dispute.id)).status).toBe("lost");
});
