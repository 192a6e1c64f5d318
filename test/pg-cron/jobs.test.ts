import { beforeAll, expect, inject, test } from "vitest";
import type { Services } from "../../supabase/local/services.ts";
import { startServices } from "../../supabase/local/services.ts";
import { cleanUpLater } from "../support/cleanup.ts";
import { cronServer } from "../support/cron-server.ts";
import { keys, testDatabase } from "../support/database.ts";
import { close, reachRound } from "../support/draws.ts";
import { buy, player, raffle, stateOf } from "../support/raffles.ts";
import type { OwnServer } from "../support/server.ts";

// Nobody but pg_cron calls anything here. What needs the network it sends by net.http_post, whose stand-in
// really sends to the functions. Debian's pg_cron runs a job once a minute at most.
const NEXT_MINUTE = { timeout: 90_000, interval: 500 };

let db: OwnServer;
let services: Services;
beforeAll(async () => {
  db = await cronServer();
  services = await startServices({
    directory: `${inject("directory")}/pg-cron`,
    port: 0,
    server: db.server,
    database: db.name,
    keys,
  });
  cleanUpLater(() => services.stop());
});

test("pg_cron has every job; where it knows no seconds, those are due every minute", async () => {
  const [{ extversion }] = await db
    .sql`select extversion from pg_extension where extname = 'pg_cron'`;
  const knowsSeconds = !/^1\.[0-4]\b/.test(extversion);
  const jobsOf = (sql: OwnServer["sql"]) =>
    sql`select jobname, schedule, command, username, active from cron.job order by jobname`;
  const expected = (await jobsOf((await testDatabase()).sql)).map((job) =>
    knowsSeconds || !job.schedule.endsWith(" seconds") ? job : { ...job, schedule: "* * * * *" }
  );
  expect(expected.length).toBeGreaterThan(10);
  expect(await jobsOf(db.sql)).toEqual(expected);
});

// Both at once, because they wait for the same minute; each with an expect of its own, as that needs.
test.concurrent(
  "it seals, draws and settles a raffle by itself",
  async ({ expect }) => {
    await db.sql`update app.beacon_chains set in_use = false`;
    await db.sql`update app.beacon_chains set in_use = true where name = 'rafflebase-local'`;
    const id = await raffle(db);
    await buy(db, (await player(db, 500)).id, { raffle_id: id });
    await close(db, id);
    await expect.poll(() => stateOf(db, id), NEXT_MINUTE).toBe("CLOSED");
    const [{ round }] = await db.sql`select round from public.draws where raffle_id = ${id}`;
    await reachRound(db, id);
    await fetch(`${services.drandUrl}/_control/clock`, {
      method: "POST",
      body: JSON.stringify({ to_round: Number(round) }),
    }).then((answer) => answer.body?.cancel());
    await expect.poll(() => stateOf(db, id), NEXT_MINUTE).toBe("SETTLED");
    // Both came of a run of pg_cron's that found something to do, and of nothing else.
    const unexplained = await db.sql`
      select moment from public.draws, unnest(array[sealed_at, drawn_at]) as moment
      where raffle_id = ${id} and not exists (
        select from cron.job join cron.job_run_details using (jobid)
        where jobname in ('seal-raffles', 'draw-raffles') and return_message = 'SELECT 1'
          and moment between start_time and start_time + interval '10 seconds')`;
    expect(unexplained).toEqual([]);
  },
  240_000,
);

test.concurrent(
  "it runs every job, what they are getting on with is noted, and /health knows of one that fails",
  async ({ expect }) => {
    await db.sql`insert into public.jobs (name, schedule, command, description, failures)
      values ('broken', '* * * * *', 'select 1/0', 'Fails.', 2)`;
    await db.sql`select app.schedule_jobs()`;
    const waiting = () =>
      db.sql`select name from public.jobs where (schedule = '* * * * *' or schedule like '%seconds')
        and (case name when 'broken' then failures < 3 else last_succeeded_at is null end)`;
    await expect.poll(waiting, { ...NEXT_MINUTE, timeout: 200_000 }).toEqual([]);
    const answer = await fetch(`${services.apiUrl}/functions/v1/health`);
    const { checks } = await answer.json();
    expect([answer.status, checks.jobs.reason]).toEqual([503, "failing: broken"]);
    expect(checks.jobs.ages["sweep-stripe"]).toBeLessThan(120);
  },
  240_000,
);
