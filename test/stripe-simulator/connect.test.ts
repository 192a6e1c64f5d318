import { expect, test } from "vitest";
import type Stripe from "stripe";
import { card, failure, type Stack, start } from "./support.ts";

const ANA = "acct_ana";

async function available(stripe: Stripe, stripeAccount?: string): Promise<number> {
  const { available } = await stripe.balance.retrieve({}, { stripeAccount });
  return available.find((row) => row.currency === "eur")?.amount ?? 0;
}

async function fund({ stripe }: Stack, amount: number): Promise<void> {
  await stripe.paymentIntents.create(card(10_000));
  await stripe.transfers.create({ amount, currency: "eur", destination: ANA });
}

test("an account cannot receive money before it is onboarded", async () => {
  const { stripe, control, page, flush, receiver } = start();
  await control("POST /balance", { amount: 5000, currency: "eur" });
  const account = await stripe.accounts.create({ type: "express", country: "US" });
  expect(account).toMatchObject({ payouts_enabled: false, details_submitted: false });
  const transfer = { amount: 100, currency: "eur", destination: account.id };
  expect(await failure(stripe.transfers.create(transfer)))
    .toMatchObject({ statusCode: 400, code: "insufficient_capabilities_for_transfer" });
  const link = await stripe.accountLinks.create({
    account: account.id,
    type: "account_onboarding",
    refresh_url: "http://localhost:3000/refresh",
    return_url: "http://localhost:3000/return",
  });
  const back = await page(link.url, {});
  expect(back.headers.get("location")).toBe("http://localhost:3000/return");
  expect(await stripe.accounts.retrieve(account.id))
    .toMatchObject({ payouts_enabled: true, capabilities: { transfers: "active" } });
  expect((await stripe.transfers.create(transfer)).amount).toBe(100);
  expect(await flush()).toEqual(["account.updated", "transfer.created"]);
  expect(receiver.events[0].account).toBe(account.id);
  expect(receiver.events[1].account).toBeUndefined();
});

test("a transfer cannot take more than the platform has available", async () => {
  const { stripe } = start({ accounts: [ANA] });
  await stripe.paymentIntents.create(card(1000));
  const params = { currency: "eur", destination: ANA };
  const calls = Array.from(
    { length: 10 },
    () => stripe.transfers.create({ ...params, amount: 300 }),
  );
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(3);
  expect(await failure(stripe.transfers.create({ ...params, amount: 101 })))
    .toMatchObject({ statusCode: 400, code: "balance_insufficient" });
  expect(await available(stripe)).toBe(100);
  expect(await available(stripe, ANA)).toBe(900);
});

test("money that has not settled can be neither transferred nor paid out", async () => {
  const { stripe, control } = start({
    accounts: [ANA],
    fundsAvailableAfterSeconds: 86_400,
  });
  await stripe.paymentIntents.create(card(1000));
  const transfer = { amount: 500, currency: "eur", destination: ANA };
  expect((await failure(stripe.transfers.create(transfer))).code).toBe("balance_insufficient");
  const { pending } = await stripe.balance.retrieve();
  expect(pending.find((row) => row.currency === "eur")?.amount).toBe(1000);
  await control("POST /clock", { advance_seconds: 86_400 });
  expect((await stripe.transfers.create(transfer)).amount).toBe(500);
});

test("reversals of a transfer never exceed it", async () => {
  const stack = start({ accounts: [ANA] });
  const { stripe, flush } = stack;
  await stripe.paymentIntents.create(card(1000));
  const { id } = await stripe.transfers.create({
    amount: 800,
    currency: "eur",
    destination: ANA,
  });
  const reversal = await stripe.transfers.createReversal(id, { amount: 500 });
  expect(reversal).toMatchObject({ object: "transfer_reversal", amount: 500, transfer: id });
  expect((await failure(stripe.transfers.createReversal(id, { amount: 301 }))).param)
    .toBe("amount");
  await stripe.transfers.createReversal(id);
  expect((await failure(stripe.transfers.createReversal(id))).statusCode).toBe(400);
  expect(await stripe.transfers.retrieve(id))
    .toMatchObject({ amount_reversed: 800, reversed: true });
  expect((await stripe.transfers.listReversals(id)).data.map((row) => row.amount))
    .toEqual([300, 500]);
  expect(await available(stripe)).toBe(1000);
  expect((await flush()).slice(-3))
    .toEqual(["transfer.created", "transfer.reversed", "transfer.reversed"]);
});

test("a payout leaves the connected account at once and is paid later", async () => {
  const stack = start({ accounts: [ANA] });
  const { stripe, control, flush, receiver } = stack;
  await fund(stack, 900);
  const params = { amount: 600, currency: "eur", metadata: { withdrawal: "w1" } };
  const payout = await stripe.payouts.create(params, { stripeAccount: ANA });
  expect(payout).toMatchObject({ status: "pending", amount: 600, metadata: { withdrawal: "w1" } });
  expect(await available(stripe, ANA)).toBe(300);
  await control(`POST /payouts/${payout.id}/pay`);
  const paid = await stripe.payouts.retrieve(payout.id, {}, { stripeAccount: ANA });
  expect(paid.status).toBe("paid");
  expect((await flush()).slice(-2)).toEqual(["payout.created", "payout.paid"]);
  expect(receiver.events.at(-1)).toMatchObject({
    account: ANA,
    data: { object: { id: payout.id }, previous_attributes: { status: "pending" } },
  });
});

test("a payout is paid by itself when nobody interferes", async () => {
  const stack = start({ accounts: [ANA], settleAfterMs: 1 });
  await fund(stack, 900);
  const params = { amount: 600, currency: "eur" };
  const { id } = await stack.stripe.payouts.create(params, { stripeAccount: ANA });
  await stack.receiver.until("payout.paid");
  const { status } = await stack.stripe.payouts.retrieve(id, {}, { stripeAccount: ANA });
  expect(status).toBe("paid");
});

test("a payout that fails or is canceled gives the money back", async () => {
  const stack = start({ accounts: [ANA] });
  const { stripe, control, flush } = stack;
  await fund(stack, 900);
  const params = { amount: 600, currency: "eur" };
  const ends: Record<string, string> = {};
  for (const verb of ["fail", "cancel"]) {
    const payout = await stripe.payouts.create(params, { stripeAccount: ANA });
    expect((await failure(stripe.payouts.create(params, { stripeAccount: ANA }))).code)
      .toBe("balance_insufficient");
    await control(`POST /payouts/${payout.id}/${verb}`, { code: "account_closed" });
    const ended = await stripe.payouts.retrieve(payout.id, {}, { stripeAccount: ANA });
    ends[ended.status] = ended.failure_code ?? "";
    expect(await available(stripe, ANA)).toBe(900);
  }
  expect(ends).toEqual({ failed: "account_closed", canceled: "" });
  expect((await flush()).filter((type) => type.startsWith("payout")))
    .toEqual(["payout.created", "payout.failed", "payout.created", "payout.canceled"]);
});

test("a paid payout cannot be canceled, though its bank may still return it", async () => {
  const stack = start({ accounts: [ANA] });
  const { stripe, control } = stack;
  await fund(stack, 900);
  const params = { amount: 600, currency: "eur" };
  const { id } = await stripe.payouts.create(params, { stripeAccount: ANA });
  await control(`POST /payouts/${id}/pay`);
  expect((await failure(stripe.payouts.cancel(id, {}, { stripeAccount: ANA }))).statusCode)
    .toBe(400);
  await control(`POST /payouts/${id}/fail`);
  await expect(control(`POST /payouts/${id}/fail`)).rejects.toThrow("cannot become failed");
  expect(await available(stripe, ANA)).toBe(900);
});

test("Stripe's failing bank account number makes a payout fail by itself", async () => {
  const stack = start({ settleAfterMs: 1 });
  const { stripe, control, receiver } = stack;
  await control("POST /balance", { amount: 5000, currency: "eur" });
  const { id: stripeAccount } = await stripe.accounts.create({
    type: "custom",
    country: "US",
    external_account: {
      object: "bank_account",
      account_number: "000111111116",
      country: "US",
      currency: "usd",
      routing_number: "110000000",
    } as unknown as string,
    tos_acceptance: { date: 1_700_000_000, ip: "127.0.0.1" },
  });
  await stripe.transfers.create({ amount: 500, currency: "eur", destination: stripeAccount });
  const payout = await stripe.payouts.create({ amount: 500, currency: "eur" }, { stripeAccount });
  await receiver.until("payout.failed");
  expect(await stripe.payouts.retrieve(payout.id, {}, { stripeAccount }))
    .toMatchObject({ status: "failed", failure_code: "no_account" });
});

test("the objects of one account cannot be seen from another", async () => {
  const stack = start({ accounts: [ANA, "acct_ben"] });
  const { stripe } = stack;
  await fund(stack, 900);
  const { id } = await stripe.payouts.create(
    { amount: 600, currency: "eur" },
    { stripeAccount: ANA },
  );
  for (const stripeAccount of [undefined, "acct_ben"]) {
    expect(await failure(stripe.payouts.retrieve(id, {}, { stripeAccount })))
      .toMatchObject({ statusCode: 404, code: "resource_missing" });
    expect((await stripe.payouts.list({}, { stripeAccount })).data).toEqual([]);
  }
  expect(await failure(stripe.balance.retrieve({}, { stripeAccount: "acct_nobody" })))
    .toMatchObject({ statusCode: 403, code: "account_invalid" });
});

test("every balance is the sum of its transactions, and nothing is lost on the way", async () => {
  const stack = start({
    accounts: [ANA],
    fees: { basisPoints: 290, fixed: 30 },
    disputeFee: 1500,
  });
  const { stripe, control } = stack;
  const paid = [];
  for (const amount of [10_000, 20_000, 3_333]) {
    paid.push(await stripe.paymentIntents.create(card(amount)));
  }
  await stripe.refunds.create({ payment_intent: paid[0].id, amount: 2_500 });
  const dispute = await control(`POST /charges/${paid[1].id}/dispute`);
  await control(`POST /disputes/${dispute.id}/win`);
  const transfer = await stripe.transfers.create({
    amount: 5_000,
    currency: "eur",
    destination: ANA,
  });
  await stripe.transfers.createReversal(transfer.id, { amount: 1_000 });
  const params = { amount: 1_500, currency: "eur" };
  const payout = await stripe.payouts.create(params, { stripeAccount: ANA });
  await control(`POST /payouts/${payout.id}/fail`);
  await stripe.payouts.create(params, { stripeAccount: ANA });

  for (const stripeAccount of [undefined, ANA]) {
    const { data } = await stripe.balanceTransactions.list({ limit: 100 }, { stripeAccount });
    for (const row of data) expect(row.net).toBe(row.amount - row.fee);
    const sum = data.reduce((total, row) => total + row.net, 0);
    expect(await available(stripe, stripeAccount)).toBe(sum);
  }
  const fees = 320 + 610 + 127;
  expect(await available(stripe)).toBe(33_333 - fees - 2_500 - 1_500 - 4_000);
  expect(await available(stripe, ANA)).toBe(4_000 - 1_500);
});
