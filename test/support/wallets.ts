// Wallets with money in them, and what they hold.
import type { TestDatabase } from "./database.ts";

/** Gives somebody money, as an admin's adjustment would. */
export async function fund(
  { sql }: TestDatabase,
  userId: string,
  amount: number,
  currency = "EUR",
): Promise<void> {
  await sql`select app.post_transaction('ADJUSTMENT', array[
    (app.account_of('USER', ${currency}, ${userId}), ${amount}::bigint),
    (app.account_of('ADJUSTMENT', ${currency}), ${-amount}::bigint)]::app.posting[], p_note => 'for a test')`;
}

export interface Wallet {
  balance: number;
  held: number;
  debt: number;
  status: "ACTIVE" | "SUSPENDED";
}

export async function walletOf(
  { sql }: TestDatabase,
  userId: string,
  currency = "EUR",
): Promise<Wallet> {
  const [row] = await sql`
    select balance_cents, held_cents, debt_cents, status from public.wallet_accounts
    where kind = 'USER' and user_id = ${userId} and currency = ${currency}`;
  return {
    balance: Number(row?.balance_cents ?? 0),
    held: Number(row?.held_cents ?? 0),
    debt: Number(row?.debt_cents ?? 0),
    status: row?.status ?? "ACTIVE",
  };
}

/** What an account of the house adds up to. */
export async function houseBalance({ sql }: TestDatabase, kind: string, currency = "EUR") {
  const [{ sum }] = await sql`
    select coalesce(sum(case direction when 'CREDIT' then amount_cents else -amount_cents end), 0) as sum
    from public.wallet_ledger l join public.wallet_accounts a on a.id = l.account_id
    where a.kind = ${kind} and a.currency = ${currency}`;
  return Number(sum);
}

export const violations = ({ sql }: TestDatabase) => sql`select * from app.check_invariants()`;
