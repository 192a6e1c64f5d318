import { afterEach, beforeAll, expect, test } from "vitest";
import { seeded } from "../../supabase/local/random.ts";
import { sleep } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { codeOf, createUser, testDatabase } from "../support/database.ts";
import type { Posting, Sql } from "../support/ledger.ts";
import {
  accountOf,
  codesOf,
  expectSound,
  openWallet,
  post,
  stateOf,
  times,
} from "../support/ledger.ts";
import { race, untilSomeoneWaits } from "../support/races.ts";
import { scaled, seed } from "../support/scale.ts";

const TRANSFERS = scaled(5_000, 200_000);
/** Then others' accounts: the longer a ledger, the longer a look at all of it. */
const TRANSFERS_OF_SOME = 1_000;
const WRITERS = 16;
const READERS = 4;

let db: TestDatabase;
let revenue: string;
beforeAll(async () => {
  db = await testDatabase();
  revenue = await accountOf(db.sql, "REVENUE", "EUR");
});
afterEach(() => expectSound(db.sql));

const openWallets = async (count: number, cents: number) =>
  (await Promise.all(times(count, () => openWallet(db, cents)))).map(({ account }) => account);
const ascending = (one: string, other: string) => Number(BigInt(one) - BigInt(other));

test(`every read during ${TRANSFERS} transfers sums to the constant (SEED=${seed})`, async () => {
  const random = times(WRITERS, (writer) => seeded(seed + writer));
  const codes: Record<string, number> = {};
  for (let done = 0; done < TRANSFERS; done += TRANSFERS_OF_SOME) {
    const reads = await transferAndRead(TRANSFERS_OF_SOME, random, codes);
    expect(reads).toBeGreaterThan(READERS);
  }
  expect(Object.keys(codes).sort()).toEqual(["balance_insufficient", "none"]);
  expect(codes.none + codes.balance_insufficient).toBe(TRANSFERS);
});

/** Each writer has its own dice. Returns how often all was read meanwhile. */
async function transferAndRead(
  count: number,
  dice: (() => number)[],
  codes: Record<string, number>,
): Promise<number> {
  const accounts = await openWallets(10, 1_000);
  let left = count;
  let reads = 0;
  const write = async (random: () => number) => {
    const below = (limit: number) => Math.floor(random() * limit);
    while (left-- > 0) {
      const chosen = accounts.map((account) => ({ account, at: random() }))
        .sort((one, other) => one.at - other.at).slice(0, 2 + below(3)).map(({ account }) =>
          account
        );
      const postings = chosen.slice(1).map((account): Posting => [account, 1 + below(600)]);
      const total = postings.reduce((sum, [, cents]) => sum + Number(cents), 0);
      const code = await codeOf(post(db.sql, [...postings, [chosen[0], -total]]));
      codes[code] = (codes[code] ?? 0) + 1;
    }
  };
  const read = async () => {
    while (left > 0) {
      const [sums] = await db.sql`
        select sum(balance_cents)::integer as cached,
          (select sum(balance_cents)::integer from public.wallet_balances where account_id = any (${accounts})) as booked
        from public.wallet_accounts where id = any (${accounts})`;
      expect(sums).toEqual({ cached: 10_000, booked: 10_000 });
      reads++;
      await sleep(10);
    }
  };
  await Promise.all([...dice.map(write), ...times(READERS, read)]);
  return reads;
}

test("transfers crosswise at once never deadlock", async () => {
  const [one, other] = await openWallets(2, 100_000);
  const outcome = await race(
    db,
    (sql) => post(sql, [[one, -1], [other, 1]]),
    (sql) => post(sql, [[other, -1], [one, 1]]),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  const transfers = times(400, (n) => {
    const [from, to] = n % 2 ? [one, other] : [other, one];
    return post(db.sql, [[from, -1], [to, 1]]);
  });
  expect(await codesOf(transfers)).toEqual({ none: 400 });
  expect((await stateOf(db.sql, one)).balance).toBe(100_000);
});

const pay = async (sql: Sql, accounts: string[]) =>
  await sql`select app.post_payouts('PRIZE_PAYOUT', ${await accountOf(sql, "REVENUE", "EUR")},
    array(select (id, 1, null)::app.payout_item from unnest(${accounts}::bigint[]) as id order by id desc), null)`;

// Luck hardly ever shows a wrong order, for the planner happens to sort: so the plans that would not
// are forced, the rows lie on disk in descending order, and each wait is looked at.
const BY_HASH = ["enable_indexscan", "enable_bitmapscan", "enable_nestloop", "enable_mergejoin"];
test.each([
  ["a transaction", "as listed", []],
  ["a transaction", "descending", BY_HASH],
  ["payouts to many", "as listed", []],
  ["payouts to many", "descending", BY_HASH],
])(
  "%s: whoever waits for an account has locked none with a higher id, rows %s",
  async (what, _, disabled) => {
    const accounts = (await openWallets(6, 100)).sort(ascending);
    for (const account of accounts.toReversed()) {
      await db.sql`update public.wallet_accounts set held_cents = held_cents where id = ${account}`;
    }
    const postings = accounts.map((account, n): Posting => [account, n % 2 ? 5 : -5]).reverse();
    for (const [n, waitedFor] of accounts.entries()) {
      let free: string[] = [];
      let posted: Promise<unknown> | undefined;
      await db.sql.begin(async (sql) => {
        await sql`select from public.wallet_accounts where id = ${waitedFor} for update`;
        posted = db.sql.begin(async (poster) => {
          for (const name of disabled) await poster`select set_config(${name}, 'off', true)`;
          await (what === "a transaction" ? post(poster, postings) : pay(poster, accounts));
        });
        await untilSomeoneWaits(db);
        free = (await sql`select id from public.wallet_accounts where id = any (${accounts})
        order by id for update skip locked`).map(({ id }) => id);
      });
      await posted;
      expect(free).toEqual(accounts.slice(n));
    }
  },
);

test("the last money is spent once", async () => {
  const { account } = await openWallet(db, 700);
  const debits = times(50, () => post(db.sql, [[account, -700], [revenue, 700]]));
  expect(await codesOf(debits)).toEqual({ none: 1, balance_insufficient: 49 });
  expect((await stateOf(db.sql, account)).balance).toBe(0);
});

test("of two that spend the last money, the second waits and finds it gone", async () => {
  const { account } = await openWallet(db, 700);
  const spend = (sql: Sql) => post(sql, [[account, -700], [revenue, 700]]);
  expect(await race(db, spend, spend))
    .toEqual({ first: "fulfilled", second: "balance_insufficient", waited: true });
});

test.each([["a user", "USER"], ["a user's debts", "RECEIVABLE"], ["the house", "REVENUE"]])(
  "fifty that make the same account of %s at once get one",
  async (_, kind) => {
    for (const currency of ["CHF", "GBP", "JPY"]) {
      const user = kind === "REVENUE" ? null : (await createUser(db)).id;
      // Connections first: making them one after the other would keep the makers apart.
      await Promise.all(times(30, () => db.sql`select pg_sleep(0.02)`));
      const ids = await Promise.all(times(50, () => accountOf(db.sql, kind, currency, user)));
      expect(new Set(ids).size).toBe(1);
    }
  },
);

test("of two that make the same account, the second gets what the first made", async () => {
  const { id: user } = await createUser(db);
  const make = (sql: Sql) => accountOf(sql, "USER", "EUR", user);
  expect(await race(db, make, make))
    .toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await db.sql`select from public.wallet_accounts where user_id = ${user}`).toHaveLength(1);
});

test("a transaction is reversed once, however many try at once", async () => {
  const { account } = await openWallet(db, 500);
  const id = await post(db.sql, [[account, 100], [revenue, -100]]);
  const reversals = times(50, () => db.sql`select app.reverse_transaction(${id})`);
  expect(await codesOf(reversals)).toEqual({ none: 1, transaction_already_reversed: 49 });
  expect((await stateOf(db.sql, account)).balance).toBe(500);
});

test("of two that reverse the same transaction, the second waits and finds it done", async () => {
  const { account } = await openWallet(db, 500);
  const id = await post(db.sql, [[account, 100], [revenue, -100]]);
  const reverse = (sql: Sql) => sql`select app.reverse_transaction(${id})`;
  expect(await race(db, reverse, reverse))
    .toEqual({ first: "fulfilled", second: "transaction_already_reversed", waited: true });
});
