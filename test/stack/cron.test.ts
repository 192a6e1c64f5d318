import { beforeAll, expect, test } from "vitest";
import type { TestStack } from "../support/stack.ts";
import { testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack()));

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
