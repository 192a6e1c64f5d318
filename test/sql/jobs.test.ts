// Jobs: what is due when, how they are getting on, and that doing them too often changes nothing.
import type postgres from "postgres";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isDue } from "../../supabase/local/cron.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { toldOf } from "../support/notifications.ts";
import { race } from "../support/races.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await testDatabase()));

const nextRun = async (schedule: string, after: string) =>
  (await db.sql`select app.next_run(${schedule}, ${after}) as at`)[0].at?.toISOString() ?? null;

describe("the next run of a schedule", () => {
  test.each([
    ["10 seconds", "2026-11-21T10:00:03.500Z", "2026-11-21T10:00:13.500Z"],
    ["* * * * *", "2026-11-21T10:00:00Z", "2026-11-21T10:01:00Z"],
    ["*/5 * * * *", "2026-11-21T10:04:59Z", "2026-11-21T10:05:00Z"],
    ["17 * * * *", "2026-11-21T10:17:00Z", "2026-11-21T11:17:00Z"],
    ["30 3 * * *", "2026-12-31T03:30:00Z", "2027-01-01T03:30:00Z"],
    ["0 0 29 2 *", "2026-11-21T00:00:00Z", null],
    ["0 12 * * 7", "2026-11-21T10:00:00Z", "2026-11-22T12:00:00Z"],
    ["0 12 1 * 1", "2026-11-21T10:00:00Z", "2026-11-23T12:00:00Z"],
    ["5,35 9-17/4 * 2 1-5", "2026-11-21T10:00:00Z", "2027-02-01T09:05:00Z"],
  ])("%s after %s is %s", async (schedule, after, expected) => {
    expect(await nextRun(schedule, after)).toBe(
      expected && new Date(expected).toISOString(),
    );
  });

  test("is the one that the ticker finds, whatever the schedule", async () => {
    const schedules = [
      "*/7 * * * *",
      "3-40/9 1,13 * * *",
      "0 6 * * 0",
      "59 23 28-31 * *",
      "1 2 */10 * 3",
    ];
    for (const schedule of schedules) {
      for (let case_ = 0; case_ < 20; case_++) {
        const after = new Date(
          Date.UTC(2026, 0, 1) + Math.floor(Math.random() * 300 * 86_400) * 1000,
        );
        const at = new Date(Math.floor(after.getTime() / 60_000) * 60_000);
        do at.setTime(at.getTime() + 60_000); while (!isDue(schedule, at));
        expect(
          await nextRun(schedule, after.toISOString()),
          `${schedule} after ${after.toISOString()}`,
        )
          .toBe(at.toISOString());
      }
    }
  });
});

describe("how a job is getting on", () => {
  const watch = () => db.sql`select app.watch_jobs()`;
  const job = async (name = "purge") =>
    (await db.sql`select * from public.jobs where name = ${name}`)[0];
  let moment = Date.now();
  /** A run as the clock records it, each later than the one before. */
  const run = (name: string, failure: string | null = null, at = new Date(moment += 10)) =>
    db.sql`insert into cron.job_run_details (jobid, status, return_message, start_time, end_time)
      select jobid, ${failure ? "failed" : "succeeded"}, ${failure}, ${at}, ${at}
      from cron.job where jobname = ${name}`;
  const listed = async (name: "failing_jobs" | "late_jobs") =>
    (await db.sql`select ${db.sql("app." + name)}() as jobs`)[0].jobs;

  beforeEach(async () => {
    await db.sql`update public.jobs set schedule = '17 * * * *' where name = 'purge'`;
    await db.sql`delete from cron.job_run_details`;
    await db.sql`delete from app.function_calls`;
    await db
      .sql`update public.jobs set last_run_at = null, last_result = null, last_succeeded_at = null,
      failures = 0, last_runid = 0, next_run_at = now()`;
    await db.sql`update public.operator_alerts set resolved_at = now() where resolved_at is null`;
  });

  test("is noted: its last run, its result, its next run", async () => {
    const at = new Date("2026-11-21T10:17:00Z");
    await db.sql`update public.jobs set last_run_at = now() where name = 'watch-jobs'`;
    await run("purge", null, at);
    await watch();
    expect(await job()).toMatchObject({
      last_run_at: at,
      last_result: "succeeded",
      last_succeeded_at: at,
      failures: 0,
      next_run_at: new Date("2026-11-21T11:17:00Z"),
    });
  });

  test("counts failures until it succeeds again, each run once", async () => {
    await run("purge", "first");
    await watch();
    await run("purge", "second");
    await run("purge", "third");
    await watch();
    await watch();
    expect(await job()).toMatchObject({
      failures: 3,
      last_result: "third",
      last_succeeded_at: null,
    });
    await run("purge");
    await run("purge", "again");
    await watch();
    expect(await job()).toMatchObject({ failures: 1, last_result: "again" });
    await run("purge");
    await watch();
    expect(await job()).toMatchObject({ failures: 0, last_result: "succeeded" });
  });

  test("of one that runs often is failing after three times, of one that runs rarely at once", async () => {
    const inHalfAnHour = (new Date().getUTCMinutes() + 30) % 60;
    await db
      .sql`update public.jobs set schedule = ${`${inHalfAnHour} * * * *`} where name = 'purge'`;
    for (const name of ["expire-purchases", "expire-purchases", "purge"]) await run(name, "broken");
    await watch();
    expect(await listed("failing_jobs")).toEqual(["purge"]);
    await run("expire-purchases", "broken");
    await watch();
    expect(await listed("failing_jobs")).toEqual(["expire-purchases", "purge"]);
    const alerts = await db.sql`select subject from public.operator_alerts
      where kind = 'job_failing' and resolved_at is null order by subject`;
    expect(alerts.map(({ subject }) => subject)).toEqual(["expire-purchases", "purge"]);
    await run("purge");
    await watch();
    const open = await db.sql`select subject from public.operator_alerts
      where kind = 'job_failing' and resolved_at is null`;
    expect(open).toEqual([{ subject: "expire-purchases" }]);
  });

  test("is late when it should have run two minutes ago, unless the clock itself stood still", async () => {
    await run("watch-jobs");
    await watch();
    await db
      .sql`update public.jobs set next_run_at = now() - interval '121 seconds' where name = 'purge'`;
    await db
      .sql`update public.jobs set next_run_at = now() - interval '110 seconds' where name = 'expire-holds'`;
    await watch();
    expect(await listed("late_jobs")).toEqual(["purge"]);
    expect(
      await db
        .sql`select subject from public.operator_alerts where kind = 'job_late' and resolved_at is null`,
    )
      .toEqual([{ subject: "purge" }]);
    await db
      .sql`update public.jobs set last_run_at = now() - interval '1 hour' where name = 'watch-jobs'`;
    await watch();
    expect(await listed("late_jobs")).toEqual([]);
  });

  test("is noted once by twenty that look at the same time", async () => {
    await run("purge", "broken");
    await Promise.all(Array.from({ length: 20 }, watch));
    expect((await job()).failures).toBe(1);
    await run("purge", "broken");
    const once = (sql: postgres.ISql) => sql`select app.watch_jobs()`;
    expect(await race(db, once, once))
      .toEqual({ first: "fulfilled", second: "done", waited: false });
  });

  describe("when it calls a function", () => {
    beforeEach(async () => {
      await db
        .sql`insert into vault.decrypted_secrets values ('functions_url', 'http://functions.test'),
        ('scheduler_secret', 'secret') on conflict (name) do update set decrypted_secret = excluded.decrypted_secret`;
    });
    /** As the clock runs it. */
    async function call() {
      const [{ began }] = await db.sql`select clock_timestamp() as began`;
      await db.sql`select app.call_function('sweep-stripe', '/reconcile/sweep')`;
      await db.sql`insert into cron.job_run_details (jobid, status, start_time, end_time)
        select jobid, 'succeeded', ${began}, clock_timestamp() + interval '1 millisecond' from cron.job
        where jobname = 'sweep-stripe'`;
      const [{ request_id }] = await db
        .sql`select request_id from app.function_calls order by id desc limit 1`;
      return request_id as number;
    }
    const answer = (row: Record<string, unknown>) =>
      db.sql`insert into net._http_response ${db.sql(row)}`;

    test("the request goes where Vault says, with the secret from there", async () => {
      const id = await call();
      const [request] = await db.sql`select * from net.http_request_queue where id = ${id}`;
      expect(request).toMatchObject({
        url: "http://functions.test/reconcile/sweep",
        headers: { authorization: "Bearer secret" },
        timeout_milliseconds: 120_000,
      });
    });

    test("it has succeeded when that was answered well, not when it was sent", async () => {
      const id = await call();
      await watch();
      const sent = await job("sweep-stripe");
      expect(sent).toMatchObject({ last_succeeded_at: null, last_result: null, failures: 0 });
      expect(Number(sent.last_runid)).toBeGreaterThan(0); // it is not looked at again
      await answer({ id, status_code: 200 });
      await watch();
      expect(await job("sweep-stripe")).toMatchObject({
        last_result: "succeeded",
        last_succeeded_at: expect.any(Date),
      });
    });

    test("pg_net may begin to count anew, as after a crash: old numbers and old answers are no matter", async () => {
      const crash = async () => {
        await db.superuser`alter table net.http_request_queue alter column id restart with 1`;
        await db.superuser`truncate net.http_request_queue, net._http_response`;
      };
      await crash();
      const id = await call();
      await answer({ id, status_code: 500, created: new Date(Date.now() - 60_000) });
      await watch();
      expect(await job("sweep-stripe")).toMatchObject({ failures: 0, last_result: null });
      await answer({ id, status_code: 200 });
      await watch();
      await crash();
      expect(await call()).toBe(id);
      await answer({ id, status_code: 503 });
      await watch();
      expect(await job("sweep-stripe")).toMatchObject({ failures: 1, last_result: "answered 503" });
    });

    test("an answer that is an error, a time-out and no answer at all are failures", async () => {
      await answer({ id: await call(), status_code: 503 });
      await watch();
      expect(await job("sweep-stripe")).toMatchObject({ failures: 1, last_result: "answered 503" });
      await answer({ id: await call(), error_msg: "Timeout was reached", timed_out: true });
      await watch();
      expect(await job("sweep-stripe")).toMatchObject({
        failures: 2,
        last_result: "Timeout was reached",
      });
      const id = await call();
      await watch();
      expect((await job("sweep-stripe")).failures).toBe(2);
      await db
        .sql`update app.function_calls set called_at = now() - interval '6 minutes' where request_id = ${id}`;
      await watch();
      await watch();
      expect(await job("sweep-stripe")).toMatchObject({ failures: 3, last_result: "no answer" });
    });

    test("what is rolled back is not sent", async () => {
      const queued = async () =>
        Number((await db.sql`select count(*) from net.http_request_queue`)[0].count);
      const before = await queued();
      await db.sql.begin(async (sql) => {
        await sql`select app.call_function('sweep-stripe', '/reconcile/sweep')`;
        throw new Error("undone");
      }).catch(() => {});
      expect(await queued()).toBe(before);
    });

    test.each(["functions_url", "scheduler_secret"])(
      "it fails by name without %s",
      async (name) => {
        await db.sql`delete from vault.decrypted_secrets where name = ${name}`;
        await expect(db.sql`select app.call_function('sweep-stripe', '/x')`).rejects.toThrow(
          /Vault/,
        );
      },
    );

    test("it fails by name where there is no pg_net", async () => {
      await expect(db.superuser.begin(async (sql) => {
        await sql`drop schema net cascade`;
        await sql`select app.call_function('sweep-stripe', '/x')`;
      })).rejects.toThrow("sweep-stripe needs pg_net");
    });
  });
});

test("every job of the table is scheduled as it says, and nothing else is", async () => {
  const jobs = await db.sql`select name, schedule, command from public.jobs order by name`;
  const scheduled = await db
    .sql`select jobname as name, schedule, command from cron.job order by jobname`;
  expect(scheduled).toEqual(jobs);
  expect(jobs.length).toBeGreaterThan(15);
});

test("where pg_cron knows no seconds, what should run every few runs every minute", async () => {
  await db.superuser.begin(async (sql) => {
    await sql`insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
      values (99999, 'pg_cron', 10, 11, false, '1.4-1')`;
    await sql`select app.schedule_jobs()`;
    const seconds = await sql`select from cron.job where schedule like '%seconds'`;
    const [{ schedule }] = await sql`select schedule from cron.job where jobname = 'purge'`;
    expect([seconds.length, schedule]).toEqual([0, "17 * * * *"]);
    throw new Error("undone");
  }).catch((error) => expect(error.message).toBe("undone"));
});

test("runs of jobs are kept as long as the setting says", async () => {
  await db.sql`delete from cron.job_run_details`;
  await db.sql`insert into cron.job_run_details (status, end_time)
    values ('succeeded', now() - interval '47 hours'), ('succeeded', now() - interval '49 hours')`;
  await db.sql`select app.purge()`;
  expect((await db.sql`select from cron.job_run_details`).length).toBe(1);
});

test("a violated invariant is told to who works here, once", async () => {
  await db.sql`truncate app.outbox`;
  const [{ id }] = await db.sql`insert into auth.users (id, email, email_confirmed_at)
    values (gen_random_uuid(), 'watcher@example.test', now()) returning id`;
  await db.sql`insert into public.user_roles (user_id, role) values (${id}, 'operator')`;
  await db.superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`insert into public.wallet_ledger (transaction_id, account_id, direction, amount_cents, currency, reason)
      values (987654, 987654, 'CREDIT', 1, 'EUR', 'ADJUSTMENT')`;
  });
  await db.sql`select app.watch_invariants()`;
  const [{ violations }] = await db.sql`select app.report_health() ->> 'violations' as violations`;
  expect(Number(violations)).toBeGreaterThan(0);
  await db.sql`select app.watch_invariants()`;
  const alerts = await db
    .sql`select id from public.operator_alerts where kind = 'invariant' order by id`;
  const told = (await toldOf(db, { user_id: id }))
    .filter(({ event }) => event === "operator_alert").map(({ details }) => details!.alert_id);
  expect(told.sort()).toEqual(alerts.map((alert) => Number(alert.id)).sort());
  expect(told.length).toBe(Number(violations));
});
