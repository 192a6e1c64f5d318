// Raffles as operators make them, and people who may buy.
import type { Actor, TestDatabase } from "./database.ts";
import { actAs, createUser } from "./database.ts";
import { fund } from "./wallets.ts";

const operators = new WeakMap<object, Promise<Actor>>();

/** An operator of the database's own. */
export function operatorOf(db: TestDatabase): Promise<Actor> {
  const known = operators.get(db.sql) ?? createUser(db, { roles: ["operator"] })
    .then(({ id }): Actor => ({ role: "authenticated", id }));
  operators.set(db.sql, known);
  return known;
}

export type Terms = Record<string, unknown>;

export async function draft(db: TestDatabase, terms: Terms = {}): Promise<string> {
  const [prize] = await db.sql`insert into public.prizes (title, value_cents, stock)
    values ('A bicycle', 50000, 100) returning id`;
  const row = {
    prize_id: prize.id,
    ticket_price_cents: 500,
    tickets_required: 100,
    closes_at: new Date(Date.now() + 86_400_000),
    ...terms,
  };
  const [raffle] = await db.sql`insert into public.raffles ${
    db.sql(row as Terms as Record<string, string>)
  }
    returning id`;
  return raffle.id;
}

/** A published raffle of 100 tickets at 5.00 EUR, unless the terms say otherwise. */
export async function raffle(db: TestDatabase, terms: Terms = {}): Promise<string> {
  const id = await draft(db, terms);
  await actAs(db, await operatorOf(db), (sql) => sql`select public.publish_raffle(${id})`);
  return id;
}

/** Somebody of age, with money. */
export async function player(db: TestDatabase, cents = 0): Promise<{ id: string; email: string }> {
  const user = await createUser(db);
  await db.sql`update public.profiles set birth_date = '1990-01-01' where id = ${user.id}`;
  if (cents > 0) await fund(db, user.id, cents);
  return user;
}

export interface Order {
  raffle_id: string;
  quantity?: number | null;
  numbers?: number[] | null;
  type?: "ENTRY" | "BOOST" | "RETRY";
  payment_method?: "wallet" | "card";
  redeem?: boolean;
  ticket_id?: number | null;
}

/** Buys as the user, by the RPC that the endpoint calls. */
export function buy(
  db: TestDatabase,
  userId: string,
  order: Order,
  key: string = crypto.randomUUID(),
) {
  const { raffle_id, quantity, numbers, type, payment_method, redeem, ticket_id } = order;
  return actAs(db, { role: "authenticated", id: userId }, async (sql) => {
    const [{ result }] = await sql`select public.begin_purchase(${key}, ${raffle_id},
      ${quantity ?? (numbers ? null : 1)}, ${numbers ?? null}::integer[],
      ${type ?? "ENTRY"}, ${payment_method ?? "wallet"}, ${redeem ?? true}, ${
      ticket_id ?? null
    }) as result`;
    return result.answer ?? result;
  });
}

export const stateOf = async ({ sql }: TestDatabase, raffleId: string) =>
  (await sql`select state from public.raffles where id = ${raffleId}`)[0].state;

export const ticketsOf = async ({ sql }: TestDatabase, raffleId: string): Promise<number[]> =>
  (await sql`select ticket_num from public.tickets where raffle_id = ${raffleId} order by ticket_num`)
    .map((row) => row.ticket_num);
