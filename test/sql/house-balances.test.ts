// What house accounts have, rolled up in the background without missing an entry.
import { beforeEach, expect, test, vi } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { accountOf, openWallet, post, violations } from "../support/ledger.ts";

// Transactions of other tests on this server are waited for, however long they are.
vi.setConfig({ testTimeout: 400_000 });

let db: TestDatabase;
let revenue: string;
let ana: string;
beforeEach(async () => {
  db = await testDatabase();
  revenue = await accountOf(db.sql, "REVENUE", "EUR");
  ana = (await openWallet(db, 1_000)).account;
});

const spend = (sql: Parameters<typeof post>[0]) => post(sql, [[ana, -1], [revenue, 1]]);
/** The next run of the job, as if its time had come. */
async function rollUp() {
  await db.sql`update app.ledger_mark set noted_at = noted_at - interval '1 minute'`;
  return (await db.sql`select app.roll_up_balances() as done`)[0].done;
}
/** All that is there: noted by one run and added by the next, once nobody's transaction is in the way. */
async function rollUpAll() {
  for (const _ of ["note", "add"]) await expect.poll(rollUp, { timeout: 150_000 }).toBe(true);
}
const rolledUp = async () =>
  Number(
    (await db.sql`select balance_cents from public.house_balances
    where account_id = ${revenue}`)[0]?.balance_cents ?? 0,
  );
const balance = async () =>
  Number((await db.sql`select app.house_balance(${revenue}) as cents`)[0].cents);

test("they are right at every moment, however much is rolled up", async () => {
  for (let entries = 1; entries <= 20; entries++) {
    await spend(db.sql);
    if (entries % 3 === 0) await rollUp();
    expect(await balance()).toBe(entries);
    expect(await violations(db.sql)).toEqual([]);
  }
  await rollUpAll();
  expect([await rolledUp(), await balance()]).toEqual([20, 20]);
});

test("an entry that is written before others and committed after them is not missed", async () => {
  await rollUpAll();
  await db.sql.begin(async (late) => {
    await spend(late);
    await post(db.sql, [[await accountOf(db.sql, "ADJUSTMENT", "EUR"), -5], [revenue, 5]]);
    for (const _ of ["note", "add"]) await rollUp();
    expect([await rolledUp(), await balance()]).toEqual([0, 5]);
  });
  await rollUpAll();
  expect([await rolledUp(), await balance()]).toEqual([6, 6]);
  expect(await violations(db.sql)).toEqual([]);
});

test("what was entered in the last ten seconds waits for the next time", async () => {
  await rollUpAll();
  expect(await db.sql`select app.roll_up_balances() as done`).toEqual([{ done: false }]);
});

test("twenty at once add each entry once", async () => {
  for (let round = 0; round < 5; round++) {
    await spend(db.sql);
    await db.sql`update app.ledger_mark set noted_at = noted_at - interval '1 minute'`;
    await Promise.all(Array.from({ length: 20 }, () => db.sql`select app.roll_up_balances()`));
    expect(await violations(db.sql)).toEqual([]);
  }
  await rollUpAll();
  expect(await rolledUp()).toBe(5);
});

test("one that does not add up is noticed", async () => {
  await spend(db.sql);
  await rollUpAll();
  await db.superuser`update public.house_balances set balance_cents = balance_cents + 1
    where account_id = ${revenue}`;
  expect((await violations(db.sql)).map(({ rule }) => rule))
    .toEqual(["a house balance is the sum of the entries that are rolled up"]);
});
