// After webhooks that were lost, repeated, late and out of order, one run makes our books Stripe's.
import { beforeAll, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import {
  balanceAtStripe,
  runScheduled,
  signUpWithdrawer,
  sweepAll,
  withdraw,
} from "../support/payments.ts";
import { seed } from "../support/scale.ts";
import type { TestStack } from "../support/stack.ts";
import { call, signUp, testStack } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { topUpThen, withdrawThen } from "../support/stripe-acts.ts";
import { stripeId } from "../support/stripe-events.ts";
import { houseBalance } from "../support/wallets.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({ STRIPE_TIMEOUT_MS: "1000" });
  await stack.superuser`delete from cron.job`;
  await control(stack, "POST /settings", { settle_after_ms: null });
  await control(stack, "POST /webhooks", { concurrency: 6, shuffle: true, retry: { firstMs: 50 } });
});

async function reconcileAll() {
  const lost = await runScheduled(stack, "/reconcile");
  // Twice: a withdrawal that is found to have failed is fetched back by the next.
  for (let time = 0; time < 2; time++) await sweepAll(stack);
  return lost;
}

const CROWD: ["checkout" | "payment_intent", string, ...string[]][] = [
  ["checkout", "COMPLETED", "pay"],
  ["checkout", "COMPLETED", "pay", "refund"],
  ["checkout", "COMPLETED", "pay", "refund a part", "refund a part"],
  ["checkout", "COMPLETED", "pay", "refund a part", "dispute", "lose"],
  ["checkout", "COMPLETED", "pay later", "settle", "dispute", "win"],
  ["checkout", "FAILED", "pay later", "fail"],
  ["checkout", "PROCESSING", "pay later"],
  ["checkout", "CANCELLED", "expire"],
  ["checkout", "PROCESSING"],
  ["payment_intent", "COMPLETED", "pay"],
  ["payment_intent", "COMPLETED", "fail", "fail", "pay"],
  ["payment_intent", "COMPLETED", "pay", "refund", "fail the refund"],
  ["payment_intent", "COMPLETED", "pay", "refund", "fail the refund", "refund a part"],
  ["payment_intent", "COMPLETED", "pay", "dispute"],
  ["payment_intent", "COMPLETED", "pay", "dispute", "lose"],
  ["payment_intent", "FAILED", "fail"],
  ["payment_intent", "CANCELLED", "fail", "cancel"],
  ["payment_intent", "PROCESSING"],
];
const BANKS: [string, ...string[]][] = [
  ["COMPLETED", "pay"],
  ["COMPLETED", "send", "pay"],
  ["FAILED", "fail"],
  ["FAILED", "pay", "fail"],
  ["FAILED", "cancel"],
  ["PROCESSING"],
];

const statuses = async (table: string, ids: string[]) => {
  const rows = await stack.sql`select id, status from ${stack.sql(`public.${table}`)}`;
  return ids.map((id) => rows.find((row) => row.id === id)!.status);
};

test(`a crowd whose webhooks were lost, repeated, late and shuffled ends as Stripe says (SEED=${seed})`, async () => {
  const before = await balanceAtStripe(stack);
  await control(stack, "POST /webhooks/chaos", {
    seed,
    drop: 0.2,
    duplicate: 0.3,
    fresh_ids: 0.5,
    delay: 0.3,
    max_delay_ms: 200,
  });
  const topups = await Promise.all(
    CROWD.map(([method, _, ...acts]) => topUpThen(stack, method, acts)),
  );
  const withdrawals = await Promise.all(BANKS.map(([_, ...acts]) => withdrawThen(stack, acts)));
  await control(stack, "POST /webhooks/chaos", { drop: 1, duplicate: 0, delay: 0 });
  expect(await flushWebhooks(stack)).toMatchObject({ done: true });

  await reconcileAll();
  expect(await statuses("wallet_topups", topups)).toEqual(CROWD.map(([_, status]) => status));
  expect(await statuses("wallet_withdrawals", withdrawals)).toEqual(
    BANKS.map(([status]) => status),
  );
  expect(await stack.sql`select sum(taken_cents)::int as taken from app.card_payments`)
    .toEqual([{ taken: 1_000 + 600 + 1_000 + 0 + 300 + 1_000 + 1_000 }]);
  expect(await houseBalance(stack, "STRIPE_CLEARING")).toBe(before - await balanceAtStripe(stack));
  // What is on its way: the one payout that the bank has not answered.
  expect(await houseBalance(stack, "WITHDRAWALS")).toBe(-1_500);
  expect(await stack.sql`select * from app.check_invariants()`).toEqual([]);
  expect(await stack.sql`select id from app.stripe_events where outcome = 'quarantined'`).toEqual(
    [],
  );

  const entries = () => stack.sql`select max(id) from public.wallet_ledger`;
  const [told] = await entries();
  expect(await reconcileAll()).toMatchObject({
    events: { applied: 0 },
    objects: { applied: 0 },
    denied: [],
  });
  expect(await entries()).toEqual([told]);
});

test("a payout that the bank sends back after it was paid is found though nobody was told", async () => {
  const before = await balanceAtStripe(stack);
  await control(stack, "POST /webhooks/chaos", { drop: 0, duplicate: 0, delay: 0 });
  await control(stack, "POST /webhooks/rules", { kind: "drop", type: "payout.failed" });
  const id = await withdrawThen(stack, ["pay"]);
  await flushWebhooks(stack);
  expect(await statuses("wallet_withdrawals", [id])).toEqual(["COMPLETED"]);
  const { events } = await control(stack, "GET /events?type=payout.paid");
  await control(stack, `POST /payouts/${events.at(-1).data.object.id}/fail`);
  await flushWebhooks(stack);
  await reconcileAll();
  expect(await statuses("wallet_withdrawals", [id])).toEqual(["FAILED"]);
  expect(await balanceAtStripe(stack)).toBe(before);
  expect(await stack.sql`select * from app.check_invariants()`).toEqual([]);
});

test("a payment is found though all its events were taken in and lost", async () => {
  await control(stack, "POST /webhooks/chaos", { drop: 1, duplicate: 0, delay: 0 });
  const id = await topUpThen(stack, "checkout", ["pay", "refund a part", "dispute"]);
  const { events } = await control(stack, "GET /events");
  await stack.sql`insert into app.stripe_events (id, type, object, created_at, outcome)
    select id, 'forgotten', '{}', now(), 'ignored' from unnest(${
    events.map((event: { id: string }) => event.id)
  }::text[]) id on conflict do nothing`;
  expect(await runScheduled(stack, "/reconcile")).toMatchObject({ events: { applied: 0 } });
  expect(await statuses("wallet_topups", [id])).toEqual(["COMPLETED"]);
  expect(
    await stack.sql`select taken_cents::int from app.card_payments join public.wallet_topups t
    using (intent_id) where t.id = ${id}`,
  ).toEqual([{ taken_cents: 1_000 }]);
});

test("a list that Stripe fails to give while another is still read ends that run, and not the server", async () => {
  const list = (path: string, rule: object) =>
    control(stack, "POST /faults", { method: "GET", path, times: null, ...rule });
  await list("/v1/checkout/sessions", { kind: "delay", ms: 500 });
  await list("/v1/disputes", { kind: "error", status: 500, when: "before" });
  expect(await call(stack, "POST", "/reconcile", { token: keys.scheduler_secret })).toMatchObject({
    status: 503,
    body: { error: { code: "payment_provider_unavailable" } },
  });
  await control(stack, "DELETE /faults");
  await runScheduled(stack, "/reconcile");
});

test("an account that is gone is told of, and keeps nothing else from being found", async () => {
  const [gone, other] = [await withdrawThen(stack, ["pay"]), await withdrawThen(stack, [])];
  await flushWebhooks(stack);
  const account = stripeId("acct");
  await stack
    .superuser`update public.wallet_withdrawals set destination = ${account} where id = ${gone}`;
  await control(stack, "POST /webhooks/chaos", { drop: 1 });
  const [{ id: payout }] = await stack.sql`
    select provider_txn_id as id from public.wallet_withdrawals where id = ${other}`;
  await control(stack, `POST /payouts/${payout}/pay`);
  expect(await runScheduled(stack, "/reconcile")).toMatchObject({ denied: [account] });
  expect(await statuses("wallet_withdrawals", [other])).toEqual(["COMPLETED"]);
});

test("an account that never was keeps nothing from being found", async () => {
  const ana = await signUpWithdrawer(stack, 2_000);
  await stack.sql`update public.profiles set payout_account = 'acct_mistyped' where id = ${ana.id}`;
  expect((await withdraw(stack, ana, 1_000)).status).toBe(403);
  const { denied } = await runScheduled(stack, "/reconcile");
  expect(denied).not.toContain("acct_mistyped");
});

test("only the scheduler may reconcile and sweep", async () => {
  const { token } = await signUp(stack, { roles: ["admin"] });
  for (const path of ["/reconcile", "/reconcile/sweep"]) {
    for (const wrong of [undefined, token, "wrong", `${keys.scheduler_secret}x`, keys.secret_key]) {
      const answer = await call(stack, "POST", path, { token: wrong });
      expect(answer, path).toMatchObject({
        status: 401,
        body: { error: { code: "not_authenticated" } },
      });
    }
  }
});
