// What somebody with our secret key tells us in Stripe's name: reconcile asks Stripe itself, and tells the operators.
import type Stripe from "stripe";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import { runScheduled, signUpWithdrawer, stripeClient } from "../support/payments.ts";
import type { TestStack } from "../support/stack.ts";
import { buy, player, raffle } from "../support/raffles.ts";
import { call, secretClient, signUp, testStack } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { topUpThen, withdrawThen } from "../support/stripe-acts.ts";
import { stripeId } from "../support/stripe-events.ts";

let stack: TestStack;
let stripe: Stripe;
beforeAll(async () => {
  stack = await testStack({ STRIPE_TIMEOUT_MS: "1000" });
  await stack.superuser`delete from cron.job`;
  stripe = stripeClient(stack);
  await control(stack, "POST /settings", { settle_after_ms: null });
});

const secretly = async (name: string, args: object) => {
  const { data, error } = await secretClient(stack).rpc(name as never, args as never);
  expect(error).toBeNull();
  return data as unknown;
};

const tellUs = async (
  type: string,
  told: { id: string; [field: string]: unknown },
  account?: string,
) => {
  const event = { id: stripeId("evt"), type, account, created: 1, data: { object: told } };
  const { outcome } = await secretly("receive_stripe_event", { event }) as { outcome: string };
  expect(["applied", "duplicate"]).toContain(outcome);
  return told.id;
};

const intentOf = async (topup: string) => {
  const [{ id }] = await stack.sql`
    select provider_txn_id as id from public.wallet_topups where id = ${topup}`;
  return await stripe.paymentIntents.retrieve(id);
};

const payoutOf = async (withdrawal: string): Promise<[Stripe.Payout, string]> => {
  const [{ destination, id }] = await stack.sql`select destination, provider_txn_id as id
    from public.wallet_withdrawals where id = ${withdrawal}`;
  return [await stripe.payouts.retrieve(id, {}, { stripeAccount: destination }), destination];
};

/** Names another's payment of 10.00 as that of a session which pays more. */
const steal = async (intent: string) => {
  const ben = await signUp(stack);
  const session = {
    id: stripeId("cs"),
    object: "checkout.session",
    amount_total: 90_000,
    currency: "eur",
    livemode: false,
    payment_intent: intent,
  };
  const [{ id: topup_id }] = await stack.sql`insert into public.wallet_topups
    (user_id, account_id, amount_cents, currency, method, status, provider_txn_id, livemode)
    select ${ben.id}, app.account_of('USER', 'EUR', ${ben.id}), 90_000, 'EUR', 'checkout', 'PROCESSING', ${session.id}, false
    returning id`;
  const paid = { ...session, status: "complete", payment_status: "paid", metadata: { topup_id } };
  expect(await secretly("apply_stripe_object", { object: paid, account: null })).toBe("applied");
};

/** What Stripe says of each thing that it denies. */
const denials = async () =>
  Object.fromEntries(
    (await stack.sql`select subject, details -> 'stripe' as stripe from public.operator_alerts
      where kind = 'stripe_denies' and resolved_at is null`)
      .map(({ subject, stripe }) => [subject, stripe?.status]),
  );

/** What was before is too old to be looked at. */
beforeEach(async () => {
  await control(stack, "POST /webhooks/chaos", { drop: 0, duplicate: 0, delay: 0 });
  await stack
    .superuser`update app.card_payments set received_at = received_at - interval '9 days',
      charge_told_at = charge_told_at - interval '9 days'`;
  await stack
    .superuser`update public.wallet_withdrawals set completed_at = completed_at - interval '9 days',
      failed_at = failed_at - interval '9 days', transfer_booked_at = transfer_booked_at - interval '9 days',
      transfer_reversed_at = transfer_reversed_at - interval '9 days'`;
  await stack.superuser`update app.card_reversals set told_at = told_at - interval '9 days'`;
  await stack
    .superuser`update public.operator_alerts set resolved_at = now() where resolved_at is null`;
});

test("whoever has our secret key is found to have told what Stripe has not, and nobody else is", async () => {
  await topUpThen(stack, "payment_intent", ["pay", "refund", "fail the refund"]);
  await topUpThen(stack, "payment_intent", ["pay", "inquire"]);
  for (const acts of [["pay"], ["fail"], ["pay", "fail"]]) await withdrawThen(stack, acts);

  const unpaid = await intentOf(await topUpThen(stack, "payment_intent", []));
  const refunded = await intentOf(await topUpThen(stack, "payment_intent", ["pay", "refund"]));
  const disputed = await intentOf(await topUpThen(stack, "payment_intent", ["pay", "dispute"]));
  const kept = await intentOf(await topUpThen(stack, "payment_intent", ["pay"]));
  const another = await intentOf(await topUpThen(stack, "payment_intent", ["pay"]));
  const inquired = await intentOf(await topUpThen(stack, "payment_intent", ["pay", "inquire"]));
  const paidOut = await withdrawThen(stack, ["pay"]);
  const underWay = await withdrawThen(stack, []);
  await flushWebhooks(stack);
  const { data: [refund] } = await stripe.refunds.list({ payment_intent: refunded.id });
  const { data: [dispute] } = await stripe.disputes.list({ payment_intent: disputed.id });
  const [back, account] = await payoutOf(paidOut);
  const [arrived, itsAccount] = await payoutOf(underWay);
  const { data: [transfer] } = await stripe.transfers.list({ destination: itsAccount });
  const { data: [inquiry] } = await stripe.disputes.list({ payment_intent: inquired.id });
  const charge = await stripe.charges.retrieve(another.latest_charge as string);
  const invented = { ...refund, id: stripeId("re"), amount: 1, payment_intent: kept.id };

  const lies = [
    await tellUs("payment_intent.succeeded", {
      ...unpaid,
      status: "succeeded",
      amount_received: unpaid.amount,
    }),
    await tellUs("refund.failed", { ...refund, status: "failed" }),
    await tellUs("charge.dispute.closed", { ...dispute, status: "won" }),
    await tellUs("payout.failed", { ...back, status: "failed" }, account),
    await tellUs("payout.paid", { ...arrived, status: "paid" }, itsAccount),
    await tellUs("charge.dispute.updated", { ...inquiry, status: "needs_response" }),
    await tellUs("refund.updated", { ...invented, status: "succeeded" }),
    await tellUs("transfer.reversed", {
      ...transfer,
      reversed: true,
      amount_reversed: transfer.amount,
    }),
  ];
  await tellUs("charge.refunded", { ...charge, amount_refunded: charge.amount, refunded: true });
  const { denied } = await runScheduled(stack, "/reconcile");
  expect(denied.toSorted()).toEqual([...lies, another.id].toSorted());
  expect(await denials()).toEqual({
    [another.id]: null,
    [inquiry.id]: "warning_needs_response",
    [unpaid.id]: "requires_payment_method",
    [refund.id]: "succeeded",
    [dispute.id]: "needs_response",
    [back.id]: "paid",
    [arrived.id]: "pending",
    [transfer.id]: "sent",
    [invented.id]: undefined,
  });
});

test("whoever has our secret key cannot pass another's payment off as a larger one, and whose it is hears nothing false", async () => {
  await control(stack, "POST /webhooks/chaos", { drop: 1 });
  const topup = await topUpThen(stack, "checkout", ["pay"]);
  const { data: [{ id }] } = await stripe.paymentIntents.list({ limit: 1 });
  await steal(id);
  const { denied } = await runScheduled(stack, "/reconcile");
  expect(denied).toEqual([id]);
  expect(
    await stack.sql`select details -> 'stripe' as stripe from public.operator_alerts
    where kind = 'stripe_denies' and subject = ${id}`,
  ).toMatchObject([{
    stripe: { cents: 1_000, owner: topup, status: "succeeded" },
  }]);
  const [{ status, provider_txn_id: session }] = await stack.sql`
    select status, provider_txn_id from public.wallet_topups where id = ${topup}`;
  expect(status).toBe("PROCESSING");
  expect(
    await stack.sql`select subject from public.operator_alerts where kind = 'stripe_mismatch'
      and resolved_at is null and details ->> 'reason' = 'another row has it'`,
  ).toEqual([{ subject: session }]);
});

test("whoever has our secret key cannot invent the transfer of a withdrawal", async () => {
  const ana = await signUpWithdrawer(stack, 2_000);
  const [{ id: withdrawal_id }] = await stack.sql`insert into public.wallet_withdrawals
      (user_id, account_id, hold_id, amount_cents, currency, destination, check_at)
    select user_id, id, app.place_hold(id, 1500, 'WITHDRAWAL'), 1500, 'EUR', ${ana.account}, null
    from public.wallet_accounts where user_id = ${ana.id} returning id`;
  await secretly("claim_transfer", { withdrawal_id });
  const told = await tellUs("transfer.created", {
    id: stripeId("tr"),
    object: "transfer",
    amount: 1_500,
    amount_reversed: 0,
    currency: "eur",
    destination: ana.account,
    livemode: false,
    metadata: { withdrawal_id },
    reversed: false,
  });
  expect(await runScheduled(stack, "/reconcile")).toMatchObject({ denied: [told] });
});

test("whoever has our secret key cannot hide behind an account that is gone", async () => {
  const withdrawal = await withdrawThen(stack, ["pay"]);
  await flushWebhooks(stack);
  const [payout] = await payoutOf(withdrawal);
  const gone = stripeId("acct");
  await stack.superuser`update public.wallet_withdrawals set destination = ${gone},
    created_at = created_at - interval '60 days', transfer_booked_at = transfer_booked_at - interval '60 days',
    completed_at = completed_at - interval '60 days' where id = ${withdrawal}`;
  await tellUs("payout.failed", { ...payout, status: "failed" }, gone);
  expect(await runScheduled(stack, "/reconcile")).toMatchObject({ denied: [gone] });
});

test("whoever has our secret key cannot buy with another's top-up", async () => {
  const victim = await topUpThen(stack, "payment_intent", []);
  const intent = await intentOf(victim);
  const raffle_id = await raffle(stack, { ticket_price_cents: intent.amount });
  const thief = await player(stack);
  const { purchase } = await buy(stack, thief.id, { raffle_id, payment_method: "card" }, "key");
  const object = { id: intent.id, livemode: false };
  await secretly("record_purchase_payment", {
    purchase_id: purchase.id,
    idempotency_key: "key",
    object,
  });
  await control(stack, `POST /payment_intents/${intent.id}/succeed`);
  await flushWebhooks(stack);
  const { denied } = await runScheduled(stack, "/reconcile");
  expect(denied).toEqual([intent.id]);
});

test.each([
  ["an address", '../re/1?"'],
  ["the way up", ".."],
  ["nothing", ""],
  ["a name of Stripe's own", "search"],
  ["null", null],
  ["more than an alert can name", `pi_${"x".repeat(2_685)}`],
])(
  "what has %s instead of an id of Stripe's is set aside",
  async (_, id) => {
    const topup = await topUpThen(stack, "payment_intent", ["pay"]);
    await flushWebhooks(stack);
    const { id: payment_intent } = await intentOf(topup);
    const refund = { id, object: "refund", amount: 1, currency: "eur", status: "failed" };
    const told = { ...refund, payment_intent };
    expect(await secretly("apply_stripe_object", { object: told, account: null })).toBe(
      "quarantined",
    );
    expect(await runScheduled(stack, "/reconcile")).toMatchObject({ denied: [] });
  },
);

test("whoever has our secret key cannot fail a withdrawal that was paid long ago, nor hide it by a list that fails", async () => {
  const withdrawal = await withdrawThen(stack, ["pay"]);
  await flushWebhooks(stack);
  const [payout, account] = await payoutOf(withdrawal);
  await stack
    .superuser`update public.wallet_withdrawals set created_at = created_at - interval '60 days',
    completed_at = completed_at - interval '60 days' where id = ${withdrawal}`;
  const told = await tellUs("payout.failed", { ...payout, status: "failed" }, account);
  for (const path of ["/v1/events", "/v1/checkout/sessions", "/v1/disputes"]) {
    await stack
      .superuser`update public.operator_alerts set resolved_at = now() where resolved_at is null`;
    const fault = { method: "GET", path, kind: "error", status: 500, when: "before", times: null };
    await control(stack, "POST /faults", fault);
    const answer = await call(stack, "POST", "/reconcile", { token: keys.scheduler_secret });
    expect(answer.status, path).toBe(503);
    await control(stack, "DELETE /faults");
    expect(await denials(), path).toEqual({ [told]: "paid" });
  }
});

test("whoever has our secret key does not hide what else is told by what Stripe cannot answer", async () => {
  await topUpThen(stack, "payment_intent", ["pay"]);
  await flushWebhooks(stack);
  const lies = ["pi_choke", ...Array.from({ length: 3 }, () => stripeId("pi"))];
  await stack
    .superuser`insert into app.card_payments (intent_id, account_id, amount_cents, currency, livemode)
    select lie, account_id, amount_cents, currency, livemode from unnest(${lies}::text[]) lie,
      (select * from app.card_payments limit 1) honest`;
  await control(stack, "POST /faults", {
    method: "GET",
    path: "/v1/payment_intents/pi_choke",
    kind: "error",
    status: 500,
    when: "before",
    times: null,
  });
  const answer = await call(stack, "POST", "/reconcile", { token: keys.scheduler_secret });
  expect(answer).toMatchObject({
    status: 503,
    body: { error: { code: "payment_provider_unavailable" } },
  });
  await control(stack, "DELETE /faults");
  expect(Object.keys(await denials()).sort()).toEqual(lies.slice(1).sort());
  await stack.superuser`delete from app.card_payments where intent_id = any(${lies})`;
});
