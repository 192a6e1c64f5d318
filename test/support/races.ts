// Two transactions in an order that a test chooses, so that a race does not depend on luck.
import type postgres from "postgres";
import { expect } from "vitest";
import type { TestDatabase } from "./database.ts";

type Work = (sql: postgres.TransactionSql) => Promise<unknown>;

/**
 * Runs `first` and, while its transaction is still open, starts `second`; commits `first` once
 * `second` waits for a lock, or has ended without waiting.
 */
export async function race(db: TestDatabase, first: Work, second: Work) {
  let secondRun: Promise<PromiseSettledResult<unknown>[]> | undefined;
  let waited = false;
  const [firstResult] = await Promise.allSettled([
    db.sql.begin(async (sql) => {
      await first(sql);
      let ended = false;
      secondRun = Promise.allSettled([db.sql.begin(second).finally(() => ended = true)]);
      while (!ended && !(waited = await countWaiting(db) > 0)) await moment();
    }),
  ]);
  const [secondResult] = await secondRun!;
  return { first: firstResult.status, second: outcome(secondResult), waited };
}

/** Until so many transactions of this database wait for locks that others have. */
export const untilSomeoneWaits = (db: TestDatabase, count = 1): Promise<void> =>
  expect.poll(() => countWaiting(db), { interval: 5 }).toBeGreaterThanOrEqual(count);

const moment = () => new Promise((resolve) => setTimeout(resolve, 5));

async function countWaiting({ superuser, name }: TestDatabase): Promise<number> {
  const waiting = await superuser`
    select from pg_stat_activity where datname = ${name} and wait_event_type = 'Lock'`;
  return waiting.length;
}

const outcome = (result: PromiseSettledResult<unknown>) =>
  result.status === "fulfilled" ? "done" : (result.reason as Error).message;
