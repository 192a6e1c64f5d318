import type postgres from "postgres";
import { beforeAll, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { codeOf, testDatabase } from "../support/database.ts";
import { race, untilSomeoneWaits } from "../support/races.ts";
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

test("an event and its repetition for a payment we know of wait for each other and credit once", async () => {
  await apply(db.sql, { ...session, status: "open", payment_status: "unpaid" });
  const outcomes: string[] = [];
  const tell = (event: StripeEvent) => async (sql: postgres.ISql) =>
    outcomes.push(await receive(sql, event));
  const outcome = await race(db, tell(completed()), tell(completed()));
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(outcomes).toEqual(["applied", "duplicate"]);
  await expectOneCredit();
});

test("what is paid while it is being cancelled waits, and is credited all the same", async () => {
  await apply(db.sql, { ...session, status: "open", payment_status: "unpaid" });
  const cancel = (sql: postgres.ISql) => sql`select app.cancel_topup(${topup.id}, 'abandoned')`;
  const outcome = await race(db, (sql) => receive(sql, succeeded()), cancel);
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  await expectOneCredit();
});

test("what Stripe made for a top-up that is being cancelled is not handed out", async () => {
  let answer: unknown;
  const outcome = await race(
    db,
    (sql) => sql`select app.cancel_topup(${topup.id}, 'abandoned')`,
    async (sql) =>
      [{ answer }] = await sql`select app.record_topup(${topup.id}, 'key', ${{
        ...session,
        status: "open",
        payment_status: "unpaid",
      } as never}::jsonb) as answer`,
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(answer).toBeNull();
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

test("what is told of a payout we know of, and our giving it up, come one after the other", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await sendTopupToBank(db.sql, topup);
  const payout = stripe.payout(withdrawal, { status: "pending" });
  await db.sql`select app.apply_stripe_object(${payout as never}::jsonb, null, ${BANK})`;
  const become = (status: string) =>
    stripe.event(`payout.${status}`, { ...payout, status }, { account: BANK });
  const outcome = await race(
    db,
    (sql) => receive(sql, become("failed")),
    (sql) => sql`select app.refuse_withdrawal(${withdrawal.id}, 'payout_unknown')`,
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await db.sql`select * from app.check_invariants()`).toEqual([]);
});

test("two words on a transfer wait for each other, and count once", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  await db.sql`select app.claim_transfer(${withdrawal.id})`;
  const transfer = stripe.transfer(withdrawal, BANK);
  const outcomes: string[] = [];
  const tell = async (sql: postgres.ISql) =>
    outcomes.push(await receive(sql, stripe.event("transfer.created", transfer)));
  const outcome = await race(db, tell, tell);
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(outcomes).toEqual(["applied", "duplicate"]);
});

test("a transfer that comes back comes back once, however often that is told", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  await db.sql`select app.claim_transfer(${withdrawal.id})`;
  const transfer = stripe.transfer(withdrawal, BANK);
  const back = { ...transfer, reversed: true, amount_reversed: AMOUNT };
  const tell = () => receive(db.sql, stripe.event("transfer.reversed", back));
  expect([await tell(), await tell()]).toEqual(["applied", "duplicate"]);
  expect(await db.sql`select * from app.check_invariants()`).toEqual([]);
});

test("two words on a payout we know of wait for each other, and count once", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await sendTopupToBank(db.sql, topup);
  const payout = stripe.payout(withdrawal, { status: "pending" });
  await db.sql`select app.apply_stripe_object(${payout as never}::jsonb, null, ${BANK})`;
  const outcomes: string[] = [];
  const tell = async (sql: postgres.ISql) =>
    outcomes.push(
      await receive(
        sql,
        stripe.event("payout.paid", { ...payout, status: "paid" }, { account: BANK }),
      ),
    );
  const outcome = await race(db, tell, tell);
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(outcomes).toEqual(["applied", "duplicate"]);
});

test("whatever is not locked, one payment and one payout of Stripe's are of one row", async () => {
  await receive(db.sql, succeeded());
  const { id } = await withdrawTopup(db.sql, topup);
  const other = await paidTopup(db, AMOUNT);
  await receive(db.sql, stripe.event("payment_intent.succeeded", other.intent));
  const { id: second } = await withdrawTopup(db.sql, other.topup);
  for (const column of ["provider_txn_id", "intent_id"]) {
    await db.sql`update public.wallet_topups set ${db.sql(column)} = 'pi_1' where id = ${topup.id}`;
    expect(
      await codeOf(db.sql`update public.wallet_topups set ${db.sql(column)} = 'pi_1'
      where id = ${other.topup.id}`),
    ).toBe("23505");
    await db.sql`update public.wallet_topups set intent_id = ${intent.id} where id = ${topup.id}`;
  }
  for (const column of ["provider_txn_id", "transfer_id"]) {
    const name = () =>
      db.sql`update public.wallet_withdrawals set ${db.sql(column)} = 'po_1'
      where id in (${id}, ${second})`;
    expect(await codeOf(name())).toBe("23505");
  }
});

test("whatever is not locked, a second capture of one withdrawal is refused", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  const capture = (sql: postgres.ISql) =>
    sql`insert into public.wallet_ledger
        (transaction_id, account_id, user_id, direction, amount_cents, currency, reason, withdrawal_id)
      select nextval('app.ledger_transactions'), account_id, user_id, 'DEBIT', 1, currency, 'WITHDRAWAL', id
      from public.wallet_withdrawals where id = ${withdrawal.id}`;
  const twice = db.sql.begin(async (sql) => {
    await capture(sql);
    await capture(sql);
  });
  expect(await codeOf(twice)).toBe("23505");
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

test("what is unfinished is handed to one sweeper, and the next does not wait", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  await db.sql`update public.wallet_withdrawals
    set check_at = case id when ${withdrawal.id} then now() end`;
  await db.sql`update public.wallet_topups set check_at = now() where id = ${topup.id}`;
  const [{ id: purchase }] = await db
    .sql`insert into public.purchases (user_id, raffle_id, type, status,
      quantity, amount_cents, currency, payment_method, redeem, check_at)
    select user_id, gen_random_uuid(), 'ENTRY', 'FAILED', 1, 100, 'EUR', 'card', true, now()
    from public.wallet_topups where id = ${topup.id} returning id`;
  await db.sql`insert into app.card_refunds (intent_id, purchase_id, amount_cents)
    values (${intent.id}, ${purchase}, 100)`;
  const handed: number[][] = [];
  const claim = async (sql: postgres.ISql) => {
    const [{ due }] = await sql`select app.claim_unfinished(50) as due`;
    handed.push(
      [due.topups, due.withdrawals, due.purchases, due.refunds].map(({ length }) => length),
    );
  };
  expect(await race(db, claim, claim))
    .toEqual({ first: "fulfilled", second: "done", waited: false });
  expect(handed).toEqual([[1, 1, 1, 1], [0, 0, 0, 0]]);
});

test("a withdrawal that may have been sent is not cancelled", async () => {
  await receive(db.sql, succeeded());
  const withdrawal = await withdrawTopup(db.sql, topup);
  await db.sql`select app.claim_transfer(${withdrawal.id})`;
  expect(await db.sql`select app.cancel_withdrawal(${withdrawal.id}) as cancelled`)
    .toEqual([{ cancelled: false }]);
});

test("a top-up, a withdrawal and a hold change their states in their order only", async () => {
  await receive(db.sql, succeeded());
  const { id } = await withdrawTopup(db.sql, topup);
  const refused = (statement: postgres.PendingQuery<postgres.Row[]>) =>
    expect(codeOf(statement)).resolves.toBe("state_change_refused");
  await refused(db.sql`update public.wallet_topups set status = 'FAILED', completed_at = null
    where id = ${topup.id}`);
  await refused(db.sql`update public.wallet_withdrawals set status = 'COMPLETED' where id = ${id}`);
  await db.sql`select app.cancel_withdrawal(${id})`;
  await refused(db.sql`update public.wallet_holds set status = 'ACTIVE', resolved_at = null
    where id = (select hold_id from public.wallet_withdrawals where id = ${id})`);
});
