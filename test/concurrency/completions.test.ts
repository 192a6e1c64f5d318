import { beforeAll, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { codeOf, testDatabase } from "../support/database.ts";
import { race, untilSomeoneWaits } from "../support/races.ts";
import type { Money, StripeObject } from "../support/stripe-events.ts";
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

async function expectOneCredit(): Promise<void> {
  expect(
    await db.sql`select t.status, l.amount_cents, a.balance_cents from public.wallet_topups t
    join public.wallet_accounts a on a.id = t.account_id
    left join public.wallet_ledger l on l.topup_id = t.id and l.account_id = a.id
    where t.id = ${topup.id}`,
  ).toEqual([
    { status: "COMPLETED", amount_cents: `${AMOUNT}`, balance_cents: `${AMOUNT}` },
  ]);
  expect(await db.sql`select * from app.check_invariants()`).toEqual([]);
}

const count = (outcomes: string[], outcome: string) =>
  outcomes.filter((one) => one === outcome).length;

test("fifty completions of one top-up at once credit it once, and none fails", async () => {
  const ways = [
    () => receive(db.sql, completed()),
    () => receive(db.sql, succeeded()),
    () => apply(db.sql, session),
    () => apply(db.sql, intent),
  ];
  const outcomes = await Promise.all(Array.from({ length: 50 }, (_, at) => ways[at % 4]()));
  expect([count(outcomes, "applied"), count(outcomes, "duplicate")]).toEqual([1, 49]);
  await expectOneCredit();
});

test("of twenty deliveries of one event at once, one is applied and nineteen are duplicates", async () => {
  const event = completed();
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => receive(db.sql, event)));
  expect([count(outcomes, "applied"), count(outcomes, "duplicate")]).toEqual([1, 19]);
  expect(await db.sql`select from app.stripe_events where id = ${event.id}`).toHaveLength(1);
  await expectOneCredit();
});

test("the session and its payment, told at once, wait for each other and credit once", async () => {
  const outcomes: string[] = [];
  const outcome = await race(
    db,
    async (sql) => outcomes.push(await receive(sql, succeeded())),
    async (sql) => outcomes.push(await receive(sql, completed())),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(outcomes).toEqual(["applied", "duplicate"]);
  await expectOneCredit();
});

test("a second delivery waits for the first, and is a duplicate once that is committed", async () => {
  const event = completed();
  const outcomes: string[] = [];
  const outcome = await race(
    db,
    async (sql) => outcomes.push(await receive(sql, event)),
    async (sql) => outcomes.push(await receive(sql, event)),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(outcomes).toEqual(["applied", "duplicate"]);
});

test("when the first delivery fails, the second that waited for it applies the event", async () => {
  const event = completed();
  let second = "";
  let waiting: Promise<unknown> | undefined;
  const first = db.sql.begin(async (sql) => {
    expect(await receive(sql, event)).toBe("applied");
    waiting = receive(db.sql, event).then((outcome) => second = outcome);
    await untilSomeoneWaits(db);
    throw new Error("the connection was lost");
  });
  await expect(first).rejects.toThrow("the connection was lost");
  await waiting;
  expect(second).toBe("applied");
  await expectOneCredit();
});

test("an event whose effect fails leaves nothing in the inbox, and can come again", async () => {
  await db
    .superuser`alter table public.wallet_ledger add constraint broken check (false) not valid`;
  const event = completed();
  await expect(receive(db.sql, event)).rejects.toThrow("broken");
  await db.superuser`alter table public.wallet_ledger drop constraint broken`;
  expect(await db.sql`select from app.stripe_events where id = ${event.id}`).toHaveLength(0);
  expect(await receive(db.sql, event)).toBe("applied");
  await expectOneCredit();
});

test("whatever is not locked, a second credit of one top-up is refused", async () => {
  const complete = () =>
    db.sql`select app.complete_topup(t, ${intent.id}) from public.wallet_topups t where id = ${topup.id}`;
  await complete();
  expect(await codeOf(complete())).toBe("23505");
});

const taken = async () =>
  (await db.sql`select taken_cents from app.card_payments where intent_id = ${intent.id}`)
    .map(({ taken_cents }) => Number(taken_cents));

test("a refund that is told while its payment is coming in waits for it, and is taken", async () => {
  const refund = stripe.refund(stripe.charge(topup, intent.id), 1_000);
  const outcome = await race(
    db,
    (sql) => receive(sql, succeeded()),
    (sql) => receive(sql, stripe.event("refund.created", refund)),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await taken()).toEqual([1_000]);
});

test("a payment that comes in while its refund is being set aside waits for that, and takes it", async () => {
  const refund = stripe.refund(stripe.charge(topup, intent.id), 1_000);
  const outcome = await race(
    db,
    (sql) => receive(sql, stripe.event("refund.created", refund)),
    (sql) => receive(sql, succeeded()),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await taken()).toEqual([1_000]);
});

test("two refunds of one payment, told at once, are both taken, and each once", async () => {
  await receive(db.sql, succeeded());
  const charge = stripe.charge(topup, intent.id);
  const refunds = [stripe.refund(charge, 1_000), stripe.refund(charge, 700)];
  const outcome = await race(
    db,
    (sql) => receive(sql, stripe.event("refund.created", refunds[0])),
    (sql) => receive(sql, stripe.event("refund.created", refunds[1])),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await taken()).toEqual([1_700]);
});

test("a payout's failure that is told while its payment is being booked gives the money back once", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await sendTopupToBank(db.sql, topup);
  const payout = stripe.payout(withdrawal, { status: "paid" });
  const failed = { ...payout, status: "failed", failure_code: "account_closed" };
  const tell = (type: string, object: StripeObject) =>
    stripe.event(type, object, { account: BANK });
  const outcome = await race(
    db,
    (sql) => receive(sql, tell("payout.paid", payout)),
    (sql) => receive(sql, tell("payout.failed", failed)),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(
    await db.sql`select w.status, a.balance_cents, a.held_cents from public.wallet_withdrawals w
    join public.wallet_accounts a on a.id = w.account_id where w.id = ${withdrawal.id}`,
  ).toEqual([{ status: "FAILED", balance_cents: `${AMOUNT}`, held_cents: "0" }]);
  expect(await db.sql`select * from app.check_invariants()`).toEqual([]);
});

test("of many that claim a step of a withdrawal at once, one gets it", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  const claims = async (step: string) => {
    const all = Array.from(
      { length: 20 },
      () => db.sql`select ${db.sql(`app.${step}`)}(${withdrawal.id}) as claim`,
    );
    return (await Promise.all(all)).filter(([{ claim }]) => claim).length;
  };
  expect(await claims("claim_payout")).toBe(0);
  expect(await claims("claim_transfer")).toBe(1);
  expect(await claims("claim_payout")).toBe(0);
  await apply(db.sql, stripe.transfer(withdrawal, BANK));
  expect(await claims("claim_payout")).toBe(1);
});
