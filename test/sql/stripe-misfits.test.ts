// What does not fit our rows moves no money, and operators hear of it once.
import { beforeAll, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import type { Money, StripeEvent, StripeObject } from "../support/stripe-events.ts";
import * as stripe from "../support/stripe-events.ts";
import {
  apply,
  BANK,
  paidTopup,
  receive,
  sendTopupToBank,
  withdrawTopup,
} from "../support/stripe-inbox.ts";

const AMOUNT = 2_500;

let db: TestDatabase;
let topup: Money;
let intent: StripeObject;
let session: StripeObject;
beforeAll(async () => void (db = await testDatabase()));
beforeEach(async () => void ({ topup, intent, session } = await paidTopup(db, AMOUNT)));

const completed = () => stripe.event("checkout.session.completed", session);
const succeeded = () => stripe.event("payment_intent.succeeded", intent);

const credits = () =>
  db.sql`select from public.wallet_ledger where topup_id = ${topup.id} and user_id is not null`;

async function taken(): Promise<number> {
  const [payment] = await db
    .sql`select taken_cents::int from app.card_payments where intent_id = ${intent.id}`;
  return payment.taken_cents;
}

const MISFITS: Record<string, () => StripeEvent> = {
  "another amount": () =>
    stripe.event("payment_intent.succeeded", { ...intent, amount: 1, amount_received: 1 }),
  "a part of the amount": () =>
    stripe.event("payment_intent.succeeded", { ...intent, amount_received: 1 }),
  "another status than its event": () =>
    stripe.event("payment_intent.succeeded", { ...intent, status: "processing" }),
  "another amount of a session": () =>
    stripe.event("checkout.session.completed", { ...session, amount_total: AMOUNT + 1 }),
  "another currency": () =>
    stripe.event("payment_intent.succeeded", { ...intent, currency: "jpy" }),
  "another mode than the session's": () =>
    stripe.event("payment_intent.succeeded", { ...intent, livemode: true }),
  "an account that is not the platform": () =>
    stripe.event("payment_intent.succeeded", intent, { account: "acct_other" }),
  "a word for an id": () =>
    stripe.event("payment_intent.succeeded", { ...intent, metadata: { topup_id: "none" } }),
  "a top-up that is not there": () =>
    stripe.event("payment_intent.succeeded", { ...intent, metadata: {} }),
};

for (const [what, misfit] of Object.entries(MISFITS)) {
  test(`a payment with ${what} credits nothing and is set aside`, async () => {
    await apply(db.sql, {
      ...session,
      payment_intent: null,
      payment_status: "unpaid",
      status: "open",
    });
    expect(await receive(db.sql, misfit())).toBe("quarantined");
    expect(await credits()).toHaveLength(0);
    expect(await receive(db.sql, completed())).toBe("applied");
    expect(await credits()).toHaveLength(1);
  });
}

test("a payout of another account, amount or mode does not end a withdrawal", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await sendTopupToBank(db.sql, topup);
  const payout = stripe.payout(withdrawal, { status: "paid" });
  const tell = (fields: object, account?: string) =>
    receive(db.sql, stripe.event("payout.paid", { ...payout, ...fields }, { account }));
  expect(await tell({}, "acct_other")).toBe("quarantined");
  expect(await tell({})).toBe("quarantined");
  expect(await tell({ amount: 1 }, BANK)).toBe("quarantined");
  expect(await tell({ livemode: true }, BANK)).toBe("quarantined");
  expect(await tell({}, BANK)).toBe("applied");
});

test("what is set aside is not hidden by something else under its id", async () => {
  const stray = stripe.event("payment_intent.succeeded", {
    ...intent,
    id: stripe.stripeId("pi"),
    metadata: {},
  });
  const { id } = stray.data.object;
  expect(await receive(db.sql, stray)).toBe("quarantined");
  const charge = { ...stripe.charge(topup, intent.id), id };
  expect(await receive(db.sql, stripe.event("charge.refunded", charge))).toBe("quarantined");
  expect(await receive(db.sql, succeeded())).toBe("applied");
  const alerts = await db.sql`select details ->> 'object' as object, resolved_at is null as open
    from public.operator_alerts where kind = 'stripe_mismatch' and starts_with(subject, ${id}) order by id`;
  expect(alerts).toEqual([{ object: "payment_intent", open: true }, {
    object: "charge",
    open: false,
  }]);
});

test("a session that is paid by another payment than its own credits nothing", async () => {
  await apply(db.sql, { ...session, payment_status: "unpaid", status: "open" });
  const other = stripe.event("checkout.session.completed", { ...session, payment_intent: "pi_9" });
  expect(await receive(db.sql, other)).toBe("quarantined");
  expect(await credits()).toHaveLength(0);
});

test("a transfer elsewhere, in part, or of what was not sent moves nothing", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  const transfer = stripe.transfer(withdrawal, BANK);
  const tell = (fields: object = {}) =>
    receive(db.sql, stripe.event("transfer.created", { ...transfer, ...fields }));
  expect(await tell()).toBe("quarantined");
  await db.sql`select app.claim_transfer(${withdrawal.id})`;
  expect(await tell({ destination: "acct_other" })).toBe("quarantined");
  expect(await tell({ amount_reversed: 1 })).toBe("quarantined");
  expect(await tell()).toBe("applied");
});

test("a payout that is paid after it was given up is set aside", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await sendTopupToBank(db.sql, topup);
  await db.sql`select app.refuse_withdrawal(${withdrawal.id}, 'payout_unknown')`;
  const payout = stripe.payout(withdrawal, { status: "paid" });
  const [{ outcome }] = await db.sql`select app.apply_stripe_object(${
    db.sql.json({ ...payout, status: "pending" } as never)
  }, null, ${BANK}) as outcome`;
  expect(outcome).toBe("quarantined");
  expect(await receive(db.sql, stripe.event("payout.paid", payout, { account: BANK })))
    .toBe("quarantined");
});

test("a refund that was another before takes nothing more", async () => {
  await receive(db.sql, succeeded());
  const refund = stripe.refund(stripe.charge(topup, intent.id), 100, { status: "pending" });
  expect(await receive(db.sql, stripe.event("refund.created", refund))).toBe("applied");
  const other = stripe.event("refund.updated", { ...refund, amount: 200, status: "succeeded" });
  expect(await receive(db.sql, other)).toBe("quarantined");
  expect(await taken()).toBe(100);
});

test("a refund of more than was paid, or in another currency, takes nothing", async () => {
  await receive(db.sql, succeeded());
  const refund = stripe.refund(stripe.charge(topup, intent.id), AMOUNT);
  for (const fields of [{ amount: AMOUNT + 1 }, { currency: "jpy" }]) {
    const event = stripe.event("refund.created", { ...refund, ...fields });
    expect(await receive(db.sql, event)).toBe("quarantined");
  }
  expect(await taken()).toBe(0);
});

test("of what is delivered only what we use is kept", async () => {
  const event = stripe.event("payment_intent.succeeded", { ...intent, shipping: { name: "Ana" } });
  await receive(db.sql, event);
  const [{ object }] = await db.sql`select object from app.stripe_events where id = ${event.id}`;
  expect(object).toMatchObject({ id: intent.id, amount: AMOUNT });
  expect(object).not.toHaveProperty("shipping");
});

test("a misfit that is delivered again is a duplicate, and operators are told once", async () => {
  const misfit = stripe.event("payment_intent.succeeded", { ...intent, amount: 1 });
  expect([await receive(db.sql, misfit), await receive(db.sql, misfit)])
    .toEqual(["quarantined", "duplicate"]);
  expect(await db.sql`select times from public.operator_alerts where subject = ${intent.id}`)
    .toEqual([{ times: 1 }]);
});

test("what a charge says was refunded of it is taken, and an older charge gives nothing back", async () => {
  await receive(db.sql, succeeded());
  const charge = stripe.charge(topup, intent.id);
  for (const amount_refunded of [400, 1_000, 400, 0]) {
    await receive(db.sql, stripe.event("charge.refunded", { ...charge, amount_refunded }));
  }
  expect(await taken()).toBe(1_000);
  const tooMuch = { ...charge, amount_refunded: AMOUNT + 1 };
  expect(await receive(db.sql, stripe.event("charge.refunded", tooMuch))).toBe("quarantined");
  expect(await taken()).toBe(1_000);
});

test("an inquiry takes nothing, and the chargeback that it becomes takes the money at once", async () => {
  await receive(db.sql, succeeded());
  const charge = stripe.charge(topup, intent.id);
  const dispute = stripe.dispute(charge, AMOUNT, { status: "warning_needs_response" });
  await receive(db.sql, stripe.event("charge.dispute.created", dispute));
  expect(await taken()).toBe(0);
  const escalated = { ...dispute, status: "needs_response" };
  await receive(db.sql, stripe.event("charge.dispute.updated", escalated));
  expect(await taken()).toBe(AMOUNT);
});
