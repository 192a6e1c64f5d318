// Two transactions in an order that a test chooses, so that a race does not depend on luck.
import type postgres from "postgres";
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
      while (!ended && !(waited = await someoneWaits(db))) await moment();
    }),
  ]);
  const [secondResult] = await secondRun!;
  return { first: firstResult.status, second: outcome(secondResult), waited };
}

/** Until a transaction of this database waits for a lock that another one has. */
export async function untilSomeoneWaits(db: TestDatabase): Promise<void> {
  while (!await someoneWaits(db)) await moment();
}

const moment = () => new Promise((resolve) => setTimeout(resolve, 5));

async function someoneWaits({ superuser, name }: TestDatabase): Promise<boolean> {
  const [{ waits }] = await superuser`
    select exists (select from pg_stat_activity where datname = ${name} and wait_event_type = 'Lock') as waits`;
  return waits;
}

const outcome = (result: PromiseSettledResult<unknown>) =>
  result.status === "fulfilled" ? "done" : (result.reason as Error).message;
