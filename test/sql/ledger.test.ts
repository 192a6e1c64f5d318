import { beforeAll, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { codeOf, testDatabase } from "../support/database.ts";
import type { Posting, Wallet } from "../support/ledger.ts";
import {
  accountOf,
  expectSound,
  hold,
  openWallet,
  post,
  rolledBack,
  stateOf,
  violations,
} from "../support/ledger.ts";

let db: TestDatabase;
let revenue: string;
let dollars: string;
let ana: Wallet;
beforeAll(async () => {
  db = await testDatabase();
  revenue = await accountOf(db.sql, "REVENUE", "EUR");
  dollars = await accountOf(db.sql, "REVENUE", "USD");
});
beforeEach(async () => void (ana = await openWallet(db, 100)));

const anaIs = () => stateOf(db.sql, ana.account);
const spend = (cents: number) => post(db.sql, [[ana.account, -cents], [revenue, cents]]);
const receive = (cents: number) => post(db.sql, [[ana.account, cents], [revenue, -cents]]);
const chargeBack = (cents: number) =>
  db.sql`select app.charge_back(${ana.account}, ${cents}, 'CHARGEBACK', 'pi_1')`;
const entries = async () =>
  Number((await db.sql`select count(*) from public.wallet_ledger`)[0].count);
const changes = [
  "update public.wallet_ledger set note = 'x' where false",
  "delete from public.wallet_ledger where false",
  "truncate public.wallet_ledger",
];
test.each(["anon", "authenticated", "service_role", "postgres", "superuser"])(
  "the ledger refuses to be changed by %s",
  async (role) => {
    for (const change of changes) {
      const trying = role === "superuser"
        ? db.superuser.unsafe(change)
        : db.sql.begin(async (sql) => {
          await sql`select set_config('role', ${role}, true)`;
          await sql.unsafe(change);
        });
      expect(await codeOf(trying), change).toBe("42501");
    }
  },
);

const nobody = "0";
const wrong: [string, string, () => Posting[]][] = [
  ["that do not sum to zero", "P0001", () => [[ana.account, -5], [revenue, 4]]],
  ["on one side", "P0001", () => [[revenue, 5]]],
  ["that are none", "P0001", () => []],
  ["of zero", "P0001", () => [[ana.account, 0], [revenue, 0]]],
  ["of zero among others", "P0001", () => [[ana.account, -5], [revenue, 5], [revenue, 0]]],
  ["of an unknown account", "P0001", () => [[ana.account, -5], [nobody, 5]]],
  ["in two currencies", "P0001", () => [[ana.account, -5], [dollars, 5]]],
  ["that take too much", "balance_insufficient", () => [[ana.account, -101], [revenue, 101]]],
  [
    "too large for a balance",
    "22003",
    () => [[ana.account, 2n ** 63n - 1n], [revenue, 1n - 2n ** 63n]],
  ],
  ["too large for an account", "22003", () => {
    const half = 2n ** 62n;
    return [[ana.account, half], [ana.account, half], [revenue, -half], [revenue, -half]];
  }],
  ["too large for an amount", "22003", () => {
    const half = 2n ** 62n;
    return [[revenue, -(2n ** 63n)], [revenue, half], [revenue, half]];
  }],
];
test.each(wrong)(
  "entries %s are refused with %s and nothing is written",
  async (_, code, postings) => {
    const before = await entries();
    expect(await codeOf(post(db.sql, postings()))).toBe(code);
    expect(await entries()).toBe(before);
    expect((await anaIs()).balance).toBe(100);
  },
);

test.each([[null], [""], ["x".repeat(501)]])(
  "an adjustment with the note %s is refused",
  async (note) => {
    const adjusting = post(db.sql, [[ana.account, 5], [revenue, -5]], {
      reason: "ADJUSTMENT",
      note,
    });
    expect(await codeOf(adjusting)).toBe("23514");
    expect((await anaIs()).balance).toBe(100);
  },
);

test.each([
  ["held_cents = balance_cents + 1"],
  ["balance_cents = held_cents - 1"],
  ["held_cents = -1"],
  ["debt_cents = -1"],
])("no wallet has %s, whatever goes wrong in the functions", async (change) => {
  const changing = db.sql.unsafe(
    `update public.wallet_accounts set ${change} where id = ${ana.account}`,
  );
  expect(await codeOf(changing)).toBe("23514");
});

test("a reversal is a transaction of its own, linked to what it takes back, which stays", async () => {
  const id = await spend(30);
  const read = (transaction: string) =>
    db.sql`select id, account_id, amount_cents, direction, reverses_id, status
      from public.wallet_ledger where transaction_id = ${transaction} order by id`;
  const original = await read(id);
  const [{ reversal }] = await db
    .sql`select app.reverse_transaction(${id}, 'by mistake') as reversal`;

  expect([...await read(id)]).toEqual([...original]);
  expect((await read(reversal)).map(({ id: _, ...entry }) => entry)).toEqual(
    original.map((entry) => ({
      account_id: entry.account_id,
      amount_cents: entry.amount_cents,
      direction: entry.direction === "DEBIT" ? "CREDIT" : "DEBIT",
      reverses_id: entry.id,
      status: "REVERSAL",
    })),
  );
  expect((await anaIs()).balance).toBe(100);
  expect(await codeOf(db.sql`select app.reverse_transaction(${id})`)).toBe(
    "transaction_already_reversed",
  );
  expect(await codeOf(db.sql`select app.reverse_transaction(0)`)).toBe("transaction_not_found");
});

test("an entry is taken back once, whatever goes wrong in the functions", async () => {
  const id = await spend(30);
  const takeBack = () =>
    db.sql`select app.post_transaction('ORDER',
      array[(${ana.account}, 30), (${revenue}, -30)]::app.posting[],
      p_reverses => array(select id from public.wallet_ledger where transaction_id = ${id} order by id))`;
  await takeBack();
  expect(await codeOf(takeBack())).toBe("23505");
});

test.each([
  "insert into public.wallet_accounts (kind, currency) values ('USER', 'EUR')",
  "insert into public.wallet_accounts (kind, currency, balance_cents) values ('WITHDRAWALS', 'EUR', 0)",
  `insert into public.wallet_ledger (transaction_id, account_id, direction, amount_cents, currency, reason)
    select 0, id, 'CREDIT', 0, 'EUR', 'TOPUP' from public.wallet_accounts limit 1`,
])("no account has another kind's columns, and no entry is of nothing: %s", async (statement) => {
  expect(await codeOf(db.sql.unsafe(statement))).toBe("23514");
});

test("payouts are of amounts above zero, and never from a wallet", async () => {
  const pay = (from: string, cents: number) =>
    codeOf(db.sql`select app.post_payouts('PRIZE_PAYOUT', ${from},
      array[(${ana.account}, ${cents}, null)::app.payout_item], null)`);
  expect(await pay(revenue, 0)).toBe("P0001");
  expect(await pay(revenue, -1)).toBe("P0001");
  expect(await pay(ana.account, 1)).toBe("P0001");
});

test("what is spent already cannot be reversed, a debt by nothing but charge_back", async () => {
  const credit = await receive(50);
  await spend(120);
  expect(await codeOf(db.sql`select app.reverse_transaction(${credit})`)).toBe(
    "balance_insufficient",
  );
  await chargeBack(40);
  const [{ id }] = await db.sql`select max(transaction_id) as id from public.wallet_ledger`;
  expect(await codeOf(db.sql`select app.reverse_transaction(${id})`)).toBe("P0001");
  await expectSound(db.sql);
});

const corruptions: [number, string][] = [
  [
    1,
    "update public.wallet_ledger set amount_cents = amount_cents + 1 where id = (select max(id) from public.wallet_ledger)",
  ],
  [
    1,
    "update public.wallet_ledger set currency = 'USD' where id = (select max(id) from public.wallet_ledger)",
  ],
  [1, "update public.wallet_ledger set user_id = null where user_id is not null"],
  [1, "delete from public.wallet_ledger where id = (select max(id) from public.wallet_ledger)"],
  [1, "update public.wallet_ledger set direction = 'DEBIT' where reverses_id is not null"],
  [
    2,
    "update public.wallet_accounts set balance_cents = balance_cents + 1 where balance_cents > 0",
  ],
  [
    2,
    "update public.wallet_accounts set held_cents = held_cents + 1 where balance_cents > held_cents",
  ],
  [2, "update public.wallet_accounts set debt_cents = 1 where kind = 'USER'"],
  [2, "update public.wallet_holds set status = 'RELEASED', resolved_at = now()"],
];
test.each(corruptions)("invariant %i notices: %s", async (invariant, corruption) => {
  await hold(db.sql, ana.account, 40);
  await db.sql`select app.reverse_transaction(${await spend(30)})`;
  await expectSound(db.sql);
  await rolledBack(db.superuser, async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql.unsafe(corruption);
    expect((await violations(sql)).map((violation) => violation.invariant)).toContain(invariant);
  });
});
