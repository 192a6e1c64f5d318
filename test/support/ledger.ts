// The books as tests move them: accounts with money in them, transactions, and what must hold of all.
import type postgres from "postgres";
import { expect } from "vitest";
import type { TestDatabase } from "./database.ts";
import { codeOf, createUser } from "./database.ts";

export type Sql = postgres.ISql;
/** Accounts are bigint, and so strings; amounts above zero are credits. */
export type Posting = readonly [account: string, cents: number | bigint];

/** The id of an account of the house, or of a user; made if it is not there. */
export async function accountOf(
  sql: Sql,
  kind: string,
  currency: string,
  userId: string | null = null,
): Promise<string> {
  const [{ id }] = await sql`select app.account_of(${kind}, ${currency}, ${userId}) as id`;
  return id;
}

/** One transaction; answers with its id. */
export async function post(
  sql: Sql,
  postings: Posting[],
  { reason = "ORDER", note = null }: { reason?: string; note?: string | null } = {},
): Promise<string> {
  const [accounts, cents] = [0, 1].map((n) => postings.map((posting) => String(posting[n])));
  const [{ id }] = await sql`select app.post_transaction(${reason}, array(
    select (account, cents)::app.posting
    from unnest(${accounts}::bigint[], ${cents}::bigint[]) with ordinality as p (account, cents, n) order by n
  ), p_note => ${note}) as id`;
  return id;
}

export interface Wallet {
  user: string;
  account: string;
}

/** A new user's account with so much in it. */
export async function openWallet(
  db: TestDatabase,
  cents: number | bigint = 0,
  currency = "EUR",
): Promise<Wallet> {
  const { id: user } = await createUser(db);
  const account = await accountOf(db.sql, "USER", currency, user);
  if (cents) await fund(db.sql, account, cents, currency);
  return { user, account };
}

export async function fund(sql: Sql, account: string, cents: number | bigint, currency = "EUR") {
  const house = await accountOf(sql, "ADJUSTMENT", currency);
  return await post(sql, [[account, cents], [house, -cents]], {
    reason: "ADJUSTMENT",
    note: "opening balance",
  });
}

export async function hold(sql: Sql, account: string, cents: number, expires: Date | null = null) {
  const [{ id }] = await sql`
    select app.place_hold(${account}, ${cents}, 'TICKET_PURCHASE', ${expires}) as id`;
  return id as string;
}

/** Lets an active hold's time be over. */
export const makeDue = (sql: Sql, holdId: string) =>
  sql`update public.wallet_holds set expires_at = app.clock() - interval '1 second' where id = ${holdId}`;

/** What the account caches, in cents. */
export async function stateOf(sql: Sql, account: string) {
  const [{ balance, held, debt, status }] = await sql`
    select balance_cents as balance, held_cents as held, debt_cents as debt, status
    from public.wallet_accounts where id = ${account}`;
  return { balance: Number(balance), held: Number(held), debt: Number(debt), status };
}

export const violations = async (sql: Sql) => [...await sql`select * from app.check_invariants()`];

export const times = <T>(count: number, work: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => work(n));

/** How often each code came out of work done all at once. */
export async function codesOf(work: Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const code of await Promise.all(work.map(codeOf))) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

export async function expectSound(sql: Sql) {
  expect(await violations(sql)).toEqual([]);
}

/** A transaction of which nothing stays. */
export async function rolledBack(
  sql: postgres.Sql,
  work: (sql: postgres.TransactionSql) => Promise<unknown>,
) {
  const rollBack = new Error("only tried");
  await sql.begin(async (transaction) => {
    await work(transaction);
    throw rollBack;
  }).catch((error) => {
    if (error !== rollBack) throw error;
  });
}
