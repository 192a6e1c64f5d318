import { beforeAll, expect, test } from "vitest";
import { close, reachRound } from "../support/draws.ts";
import { buy, player, raffle, stateOf } from "../support/raffles.ts";
import { isDue } from "../../supabase/local/cron.ts";
import type { TestStack } from "../support/stack.ts";
import { call, signUp, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack({}, { clock: true })));

const runs = (name: string) =>
  stack
    .sql`select d.* from cron.job_run_details d join cron.job j using (jobid) where jobname = ${name} order by runid`;

test("a scheduled job runs by the clock, never beside itself, until it is unscheduled", async () => {
  await stack.sql`create table app.ticks (began timestamptz, ended timestamptz)`;
  await stack.sql`select cron.schedule('tick', '1 second', ${`
    insert into app.ticks values (clock_timestamp());
    select pg_sleep(1.3);
    update app.ticks set ended = clock_timestamp() where ended is null`})`;
  await expect.poll(async () => (await runs("tick")).length, { timeout: 30_000 }).toBeGreaterThan(
    2,
  );
  await stack.sql`select cron.unschedule('tick')`;
  const overlapping = await stack
    .sql`select from app.ticks a join app.ticks b on b.began > a.began and b.began < a.ended`;
  expect(overlapping).toHaveLength(0);
});

test("a job that fails is recorded and tried again at its next time", async () => {
  await stack.sql`select cron.schedule('broken', '1 second', 'select 1/0')`;
  await expect.poll(async () => (await runs("broken")).length, { timeout: 30_000 }).toBeGreaterThan(
    1,
  );
  expect((await runs("broken"))[0]).toMatchObject({
    status: "failed",
    return_message: expect.stringContaining("division"),
  });
  await stack.sql`select cron.unschedule('broken')`;
});

test("what needs the network is done by a function that the clock calls", async () => {
  const ana = await signUp(stack);
  const [{ id }] = await stack.sql`
    insert into public.wallet_topups (user_id, account_id, amount_cents, currency, method, check_at)
    values (${ana.id}, app.account_of('USER', 'EUR', ${ana.id}), 1000, 'EUR', 'checkout', now())
    returning id`;
  const statusOf = async () =>
    (await stack.sql`select status from public.wallet_topups where id = ${id}`)[0].status;
  await stack
    .sql`select cron.schedule('now', '1 second', ${"select app.call_function('sweep-stripe', '/reconcile/sweep')"})`;
  await expect.poll(statusOf, { timeout: 30_000 }).toBe("CANCELLED");
  await stack.sql`select cron.unschedule('now')`;
});

test("a raffle whose time is over is sealed, drawn and settled with nobody calling anything", async () => {
  await stack.sql`update app.beacon_chains set in_use = false`;
  await stack.sql`update app.beacon_chains set in_use = true where name = 'rafflebase-local'`;
  const id = await raffle(stack);
  await buy(stack, (await player(stack, 500)).id, { raffle_id: id });
  await close(stack, id);
  await expect.poll(() => stateOf(stack, id), { timeout: 30_000 }).toBe("CLOSED");
  const [{ round }] = await stack.sql`select round from public.draws where raffle_id = ${id}`;
  await reachRound(stack, id);
  await fetch(`${stack.services.drandUrl}/_control/clock`, {
    method: "POST",
    body: JSON.stringify({ to_round: Number(round) }),
  }).then((answer) => answer.body?.cancel());
  await expect.poll(() => stateOf(stack, id), { timeout: 30_000 }).toBe("SETTLED");
});

test("what is popular is counted anew every 300 seconds at least, with what may be cached", async () => {
  const { headers } = await call(stack, "GET", "/raffles?sort=popular");
  const kept = [...headers.get("cache-control")!.matchAll(/=(\d+)/g)]
    .reduce((sum, [, seconds]) => sum + Number(seconds), 0);
  const [{ schedule, command }] = await stack
    .sql`select schedule, command from cron.job where jobname = 'refresh-popular'`;
  const day = Array.from({ length: 86_400 }, (_, second) => second)
    .filter((second) => isDue(schedule, new Date(second * 1000)));
  const waits = day.slice(1).map((second, at) => second - day[at]);
  expect(command).toContain("app.refresh_popular()");
  expect(Math.max(...waits) + kept).toBeLessThanOrEqual(300);
});

test("reservations that are over are found within half a minute", async () => {
  const [{ schedule }] = await stack
    .sql`select schedule from cron.job where jobname = 'expire-purchases'`;
  const due = Array.from({ length: 3_600 }, (_, second) => second)
    .filter((second) => isDue(schedule, new Date(second * 1000)));
  expect(due.length).toBeGreaterThanOrEqual(120);
});
