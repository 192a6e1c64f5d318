// What a crash, a time-out or a lost answer has left is finished or cancelled, and nothing is sent twice.
import { beforeAll, beforeEach, expect, test } from "vitest";
import {
  balanceAtStripe,
  runScheduled,
  signUpWithdrawer,
  sweepAll,
  topUp,
  withdraw,
} from "../support/payments.ts";
import type { Withdrawer } from "../support/payments.ts";
import type { TestStack } from "../support/stack.ts";
import { testStack } from "../support/stack.ts";
import { control } from "../support/stripe.ts";
import { houseBalance } from "../support/wallets.ts";

const AMOUNT = 2_000;
/** Those of the client's tries that share an idempotency key. */
const TRIES = 3;

let stack: TestStack;
let ana: Withdrawer;
beforeAll(async () => {
  stack = await testStack({ STRIPE_TIMEOUT_MS: "1000" });
  await stack.superuser`delete from cron.job`;
  await control(stack, "POST /settings", { settle_after_ms: null });
  // Whatever is found is found by asking.
  await control(stack, "POST /webhooks/chaos", { drop: 1 });
});
beforeEach(async () => {
  await control(stack, "DELETE /faults");
  ana = await signUpWithdrawer(stack, AMOUNT);
});

const fault = (path: string, rule: object) =>
  control(stack, "POST /faults", { method: "POST", path, ...rule });

const LOST_ANSWERS = {
  "the connection broke": { kind: "disconnect" },
  "Stripe failed after its work": { kind: "error", status: 500, when: "after" },
  "the answer came too late": { kind: "hang", ms: 2_000 },
};
const NO_WORK = { kind: "error", status: 500, when: "before" };

async function sent(path: string): Promise<number> {
  const { requests } = await control(stack, `GET /requests?method=POST&path=${path}`);
  return requests.filter((
    { params, account }: { params: Record<string, string>; account: string },
  ) => params.destination === ana.account || account === ana.account).length;
}

const topups = () =>
  stack
    .sql`select id, status, provider_txn_id as made from public.wallet_topups where user_id = ${ana.id}`;

async function state() {
  const [row] = await stack
    .sql`select w.status, a.balance_cents::int as balance, a.held_cents::int as held,
      w.transfer_id is not null as transferred, w.transfer_reversed_at is not null as fetched_back
    from public.wallet_withdrawals w join public.wallet_accounts a on a.id = w.account_id
    where w.user_id = ${ana.id}`;
  return row;
}

async function expectBalanced(): Promise<void> {
  expect(await stack.sql`select * from app.check_invariants()`).toEqual([]);
}

for (const method of ["checkout", "payment_intent"]) {
  const path = method === "checkout" ? "/v1/checkout/sessions" : "/v1/payment_intents";

  test(`a top-up by ${method} whose answer was lost is cancelled here and at Stripe`, async () => {
    await fault(path, { kind: "disconnect", times: TRIES });
    expect((await topUp(stack, ana, { amount_cents: AMOUNT, method })).status).toBe(503);
    expect(await topups()).toMatchObject([{ status: "CREATED", made: null }]);
    await sweepAll(stack);
    const [{ id, status, made }] = await topups();
    expect(status).toBe("CANCELLED");
    const type = method === "checkout" ? "checkout.session.expired" : "payment_intent.canceled";
    const { events } = await control(stack, `GET /events?type=${type}&object=${made}`);
    expect(events).toMatchObject([{ data: { object: { metadata: { topup_id: id } } } }]);
    await expectBalanced();
  });

  test(`a top-up by ${method} that never reached Stripe is cancelled`, async () => {
    await fault(path, { ...NO_WORK, times: TRIES });
    expect((await topUp(stack, ana, { amount_cents: AMOUNT, method })).status).toBe(503);
    await sweepAll(stack);
    expect(await topups()).toMatchObject([{ status: "CANCELLED", made: null }]);
  });
}

test("a top-up that is paid but not known to us is found and credited", async () => {
  await fault("/v1/payment_intents", { kind: "disconnect", times: TRIES });
  await topUp(stack, ana, { amount_cents: AMOUNT, method: "payment_intent" });
  const { events } = await control(stack, "GET /events?type=payment_intent.created");
  await control(stack, `POST /payment_intents/${events.at(-1).data.object.id}/succeed`);
  await sweepAll(stack);
  expect(await topups()).toMatchObject([{ status: "COMPLETED" }]);
  await expectBalanced();
});

test("a withdrawal of which nothing was sent is cancelled, and its money is free", async () => {
  await stack.sql`insert into public.wallet_withdrawals
      (user_id, account_id, hold_id, amount_cents, currency, destination, check_at)
    select user_id, id, app.place_hold(id, ${AMOUNT}, 'WITHDRAWAL'), ${AMOUNT}, 'EUR', ${ana.account}, now()
    from public.wallet_accounts where user_id = ${ana.id}`;
  expect(await state()).toMatchObject({ status: "CREATED", held: AMOUNT });
  await sweepAll(stack);
  expect(await state()).toMatchObject({ status: "CANCELLED", balance: AMOUNT, held: 0 });
  expect(await sent("/v1/transfers")).toBe(0);
});

test("what Stripe does not fetch back, for hours, is told to the operators", async () => {
  await fault("/v1/transfers/*/reversals", { ...NO_WORK, status: 400, times: null });
  await withdraw(stack, ana, AMOUNT);
  const [{ id, transfer_id }] = await stack.sql`
    select id, transfer_id from public.wallet_withdrawals where user_id = ${ana.id}`;
  await finish("fail");
  const again = async () => {
    await stack.sql`update public.wallet_withdrawals set check_at = now() where id = ${id}`;
    await runScheduled(stack, "/reconcile/sweep");
  };
  const alerts = () =>
    stack.sql`select details from public.operator_alerts
      where kind = 'transfer_stuck' and subject = ${transfer_id}`;
  for (let time = 0; time < 6; time++) await again();
  expect(await alerts()).toEqual([]);
  for (let time = 0; time < 3; time++) await again();
  expect(await alerts()).toMatchObject([{ details: { withdrawal_id: id } }]);
  await control(stack, "DELETE /faults");
  await again();
  expect(await state()).toMatchObject({ fetched_back: true });
});

test("twenty sweeps at once do what one does", async () => {
  await fault("/v1/transfers", LOST_ANSWERS["the connection broke"]);
  expect((await withdraw(stack, ana, AMOUNT)).status).toBe(201);
  await stack.sql`update public.wallet_withdrawals set check_at = now() where user_id = ${ana.id}`;
  const swept = await Promise.all(
    Array.from({ length: 20 }, () => runScheduled(stack, "/reconcile/sweep")),
  );
  expect(swept.flatMap(({ withdrawals }) => withdrawals).length).toBe(1);
  expect([await sent("/v1/transfers"), await sent("/v1/payouts")]).toEqual([1, 1]);
  expect(await state()).toMatchObject({ status: "PROCESSING", transferred: true, held: AMOUNT });
  await finish("pay");
  expect(await state()).toMatchObject({ status: "COMPLETED", balance: 0, held: 0 });
  await expectBalanced();
});

for (const [what, rule] of Object.entries(LOST_ANSWERS)) {
  test(`a transfer is found, never sent twice, and goes on to the bank when ${what}`, async () => {
    await fault("/v1/transfers", rule);
    expect((await withdraw(stack, ana, AMOUNT)).status).toBe(201);
    expect(await state()).toMatchObject({ status: "PROCESSING", transferred: false, held: AMOUNT });
    await sweepAll(stack);
    expect(await state()).toMatchObject({ status: "PROCESSING", transferred: true });
    await finish("pay");
    expect(await state()).toMatchObject({ status: "COMPLETED", balance: 0, held: 0 });
    expect([await sent("/v1/transfers"), await sent("/v1/payouts")]).toEqual([1, 1]);
    await expectBalanced();
  });

  test(`a payout is found and never sent twice when ${what}`, async () => {
    await fault("/v1/payouts", rule);
    expect((await withdraw(stack, ana, AMOUNT)).status).toBe(201);
    await sweepAll(stack);
    await finish("pay");
    expect(await state()).toMatchObject({ status: "COMPLETED", balance: 0, held: 0 });
    expect([await sent("/v1/transfers"), await sent("/v1/payouts")]).toEqual([1, 1]);
    await expectBalanced();
  });
}

/** What the bank does with the payout, and what the sweeper hears of it. */
async function finish(verb: "pay" | "fail"): Promise<void> {
  const { events } = await control(stack, "GET /events?type=payout.created");
  await control(stack, `POST /payouts/${events.at(-1).data.object.id}/${verb}`);
  await sweepAll(stack);
}

const makeOlder = (column: string, minutes: number) =>
  stack.sql`update public.wallet_withdrawals
    set ${stack.sql(column)} = ${
    stack.sql(column)
  } - make_interval(mins => ${minutes}) where user_id = ${ana.id}`;

test("a transfer that Stripe does not know is given up only after the setting's minutes", async () => {
  await fault("/v1/transfers", NO_WORK);
  await withdraw(stack, ana, AMOUNT);
  await makeOlder("created_at", 14);
  await sweepAll(stack);
  expect(await state()).toMatchObject({ status: "PROCESSING", held: AMOUNT });
  await makeOlder("created_at", 2);
  await sweepAll(stack);
  expect(await state()).toMatchObject({ status: "FAILED", balance: AMOUNT, held: 0 });
  expect(await sent("/v1/transfers")).toBe(1);
  await expectBalanced();
});

test("a payout that Stripe does not know is given up only then too, and its transfer fetched back", async () => {
  const before = await balanceAtStripe(stack);
  await fault("/v1/payouts", NO_WORK);
  await withdraw(stack, ana, AMOUNT);
  await makeOlder("payout_claimed_at", 14);
  await sweepAll(stack);
  expect(await state()).toMatchObject({ status: "PROCESSING", transferred: true, held: AMOUNT });
  await makeOlder("payout_claimed_at", 2);
  await sweepAll(stack);
  expect(await state()).toMatchObject({
    status: "FAILED",
    balance: AMOUNT,
    held: 0,
    fetched_back: true,
  });
  expect(await sent("/v1/payouts")).toBe(1);
  expect(await balanceAtStripe(stack)).toBe(before);
  await expectBalanced();
});

test("the transfer of a failed payout is fetched back once, and nothing stays under way", async () => {
  const [before, underWay] = [
    await balanceAtStripe(stack),
    await houseBalance(stack, "WITHDRAWALS"),
  ];
  await withdraw(stack, ana, AMOUNT);
  await finish("fail");
  expect(await state()).toMatchObject({ status: "FAILED", balance: AMOUNT, fetched_back: false });
  await sweepAll(stack);
  expect(await state()).toMatchObject({ status: "FAILED", balance: AMOUNT, fetched_back: true });
  expect(await houseBalance(stack, "WITHDRAWALS")).toBe(underWay);
  expect(underWay).toBe(0);
  expect(await balanceAtStripe(stack)).toBe(before);
  await expectBalanced();
});

test("a transfer is fetched back though Stripe failed at the first try", async () => {
  await withdraw(stack, ana, AMOUNT);
  await finish("fail");
  await fault("/v1/transfers/*/reversals", NO_WORK);
  for (let time = 0; time < 2; time++) await sweepAll(stack);
  expect(await state()).toMatchObject({ status: "FAILED", fetched_back: true });
  expect(await houseBalance(stack, "WITHDRAWALS")).toBe(0);
});

test("a bank debit that failed is not looked at for ever", async () => {
  await topUp(stack, ana, { amount_cents: AMOUNT, method: "checkout" });
  const [{ id, made }] = await topups();
  await control(stack, `POST /sessions/${made}/pay`, { later: true });
  const { events } = await control(stack, "GET /events?type=payment_intent.created");
  await control(stack, `POST /payment_intents/${events.at(-1).data.object.id}/fail`, {});
  await runScheduled(stack, "/reconcile");
  await stack
    .sql`update public.wallet_topups set created_at = created_at - interval '1 day' where id = ${id}`;
  await sweepAll(stack);
  expect(await stack.sql`select status, check_at from public.wallet_topups where id = ${id}`)
    .toEqual([{ status: "FAILED", check_at: null }]);
});
