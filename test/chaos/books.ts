// What must be true in the end, of everything that happened: the books, Stripe, what people were told, the disk.
import { expect } from "vitest";
import { keys } from "../support/database.ts";
import { balanceAtStripe, stripeClient, sweepAll } from "../support/payments.ts";
import { call } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { houseBalance, violations } from "../support/wallets.ts";
import type { Round } from "./round.ts";
import type { CrashStack } from "./stack.ts";

/** Of the rounds since then, everything was told, nothing twice. Novu's stand-in keeps the newest ten thousand. */
export async function expectEverybodyTold(stack: CrashStack, rounds: Round[], since: Date) {
  const { sql } = stack;
  await expect.poll(async () => {
    // Nobody waits here for a minute for what was lost with its sender.
    await sql`update public.notifications set due_at = now(), attempts = least(attempts, 3) where status = 'QUEUED'`;
    await call(stack, "POST", "/send-notifications", { token: keys.scheduler_secret });
    const [{ left }] = await sql`select (select count(*) from app.outbox)
      + (select count(*) from public.notifications where status = 'QUEUED') as left`;
    return Number(left);
  }, { timeout: 60_000 }).toBe(0);

  const answer = await fetch(`${stack.services.novuUrl}/_local/novu?limit=10000`);
  const messages = (await answer.json()).items as {
    transactionId: string;
    workflow: string;
    request: { payload: Record<string, string> };
  }[];
  const arrived = new Set(messages.map(({ transactionId }) => transactionId));
  const sent = await sql`select id, event from public.notifications
    where status = 'SENT' and ended_at >= ${since} and event <> 'subscriber_changed'`;
  expect(sent.filter(({ id }) => !arrived.has(id))).toEqual([]);
  expect(await sql`select event, failure from public.notifications where status = 'DEAD'`)
    .toHaveLength(0);

  const heard: Record<string, number> = {};
  for (const { workflow, request: { payload } } of messages) {
    const about = `${workflow} ${payload.purchase_id ?? payload.topup_id}`;
    heard[about] = (heard[about] ?? 0) + 1;
  }
  const refunded =
    await sql`select id from public.purchases where status = 'REFUNDED' and raffle_id = any(${
      rounds.flatMap(({ raffles }) => [raffles.unwanted.raffle_id, raffles.cancelled.raffle_id])
    }::uuid[])`;
  const happened = [
    ...rounds.flatMap(({ lives }) => lives).flatMap(({ bought, topups }) => [
      ...bought.map(({ id }) => `purchase-confirmed ${id}`),
      ...topups.map(({ id }) => `topup-completed ${id}`),
    ]),
    ...refunded.map(({ id }) => `purchase-refunded ${id}`),
  ];
  expect(happened.filter((about) => heard[about] !== 1)).toEqual([]);
}

/**
 * What Stripe keeps for us is what our books say; each withdrawal was sent once, or never and is given back.
 * Returns how often Stripe was answered 5xx.
 */
export async function expectBooksOfStripe(stack: CrashStack, opening: number): Promise<number> {
  const { sql } = stack;
  // An hour later: what was claimed, but never reached Stripe, is given up, not sent.
  await sql`update public.wallet_withdrawals set created_at = created_at - interval '1 hour',
    payout_claimed_at = payout_claimed_at - interval '1 hour' where status = 'PROCESSING'`;
  await expect.poll(async () => {
    await sweepAll(stack);
    await flushWebhooks(stack);
    return await sql`select id, status from public.wallet_withdrawals
      where status in ('CREATED', 'PROCESSING')`;
  }, { timeout: 30_000 }).toEqual([]);
  const times: Record<string, number> = {};
  for await (const { metadata } of stripeClient(stack).transfers.list({ limit: 100 })) {
    times[metadata.withdrawal_id] = (times[metadata.withdrawal_id] ?? 0) + 1;
  }
  expect(Object.values(times).filter((count) => count > 1)).toEqual([]);
  expect(await balanceAtStripe(stack) - opening)
    .toBe(-await houseBalance(stack, "STRIPE_CLEARING"));

  const { deliveries } = await control(stack, "GET /deliveries");
  const told = deliveries as { state: string; attempts: { status: number | null }[] }[];
  expect(told.filter(({ state }) => state !== "delivered")).toEqual([]);
  const answers = told.flatMap(({ attempts }) => attempts).map(({ status }) => status ?? 0);
  // What was not taken in was never refused: Stripe was to bring it again, and did.
  expect(answers.filter((status) => status >= 300 && status < 500)).toEqual([]);
  const alerts = await sql`select kind, subject, details from public.operator_alerts
    where kind not in ('job_failing', 'job_late', 'withdrawal_refused')`;
  expect([...alerts]).toEqual([]);
  expect(await violations(stack)).toEqual([]);
  return answers.filter((status) => status >= 500).length;
}

/** Jobs failed where Postgres was away, and for no other reason; and they went on. */
export async function expectClockGoesOn({ sql }: CrashStack): Promise<void> {
  const failed =
    await sql`select j.jobname, d.return_message from cron.job_run_details d join cron.job j using (jobid)
    where d.status = 'failed' and d.return_message ~ '^PostgresError'
      and d.return_message !~ 'the database system is|terminating connection'`;
  expect([...failed]).toEqual([]);
  const lastRun = async () =>
    (await sql`select max(runid)::integer as run from cron.job_run_details`)[0].run;
  const before = await lastRun();
  await expect.poll(lastRun, { timeout: 30_000 }).toBeGreaterThan(before);
}

/** Every index agrees with its table, and no page is torn. */
export async function expectSoundDisk({ superuser, name }: CrashStack): Promise<void> {
  const [{ amcheck }] = await superuser`
    select exists (select from pg_available_extensions where name = 'amcheck') as amcheck`;
  if (amcheck) {
    await superuser`create extension if not exists amcheck schema extensions`;
    await superuser`select extensions.bt_index_check(c.oid, true) from pg_class c
      join pg_index i on i.indexrelid = c.oid join pg_am a on a.oid = c.relam and a.amname = 'btree'
      where c.relpersistence <> 't' and i.indisvalid`;
    const torn =
      await superuser`select c.relname, v.msg from pg_class c, extensions.verify_heapam(c.oid) v
      where c.relkind = 'r' and c.relpersistence <> 't'`;
    expect([...torn]).toEqual([]);
  }
  const [{ failures }] = await superuser`select coalesce(checksum_failures, 0)::integer as failures
    from pg_stat_database where datname = ${name}`;
  expect(failures).toBe(0);
}
