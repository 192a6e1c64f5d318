// Many people who buy at once, and what became of each.
import type postgres from "postgres";
import type { TestDatabase } from "./database.ts";
import { actAs } from "./database.ts";
import type { Order } from "./raffles.ts";
import { operatorOf } from "./raffles.ts";
import type { StripeObject } from "./stripe-events.ts";
import * as stripe from "./stripe-events.ts";

/** People of age with so much money each, made in one go. */
export async function crowd({ sql }: TestDatabase, count: number, cents = 0): Promise<string[]> {
  const ids = Array.from({ length: count }, () => crypto.randomUUID());
  await sql`insert into auth.users (id, aud, role, email, email_confirmed_at, raw_user_meta_data)
    select id, 'authenticated', 'authenticated', id || '@example.test', now(), '{}'
    from unnest(${ids}::uuid[]) as id`;
  await sql`update public.profiles set birth_date = '1990-01-01' where id = any(${ids}::uuid[])`;
  if (cents > 0) {
    await sql`select app.post_transaction('ADJUSTMENT', array[
      (app.account_of('USER', 'EUR', id), ${cents}::bigint),
      (app.account_of('ADJUSTMENT', 'EUR'), ${-cents}::bigint)]::app.posting[], p_note => 'for a test')
      from unnest(${ids}::uuid[]) as id`;
  }
  return ids;
}

export interface Outcome {
  code: string;
  // deno-lint-ignore no-explicit-any
  answer?: any;
  details?: Record<string, number>;
}

/** "none" or the code, with the details that the API would show. */
export async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    return { code: "none", answer: await work };
  } catch (error) {
    const { code, message, detail } = error as { code?: string; message: string; detail?: string };
    if (!code?.startsWith("PT")) return { code: code ?? message };
    return { code: message, details: detail ? JSON.parse(detail) : undefined };
  }
}

/** How often each code came. */
export function tally(outcomes: { code: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of outcomes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

/** Buys within a transaction that somebody else ends. */
export async function buyWithin(
  sql: postgres.ISql,
  userId: string,
  order: Order,
  key: string = crypto.randomUUID(),
) {
  await actWithin(sql, userId);
  const [{ result }] = await sql`select public.begin_purchase(${key},
    ${order.raffle_id}, ${order.quantity ?? (order.numbers ? null : 1)},
    ${order.numbers ?? null}::integer[], ${order.type ?? "ENTRY"},
    ${order.payment_method ?? "wallet"}, ${order.redeem ?? true}, ${
    order.ticket_id ?? null
  }) as result`;
  return result.answer ?? result;
}

export const actWithin = (sql: postgres.ISql, userId: string) =>
  sql`select set_config('role', 'authenticated', true), set_config('request.jwt.claims',
    ${JSON.stringify({ role: "authenticated", sub: userId, aud: "authenticated" })}, true)`;

export const redeem = (
  db: TestDatabase,
  userId: string,
  purchaseId: string,
  numbers: number[] | null = null,
) =>
  actAs(
    db,
    { role: "authenticated", id: userId },
    (sql) =>
      sql`select public.redeem_ticket(${crypto.randomUUID()}, ${purchaseId}, ${numbers}::integer[])`,
  );

export const cancelWithin = async (sql: postgres.ISql, operatorId: string, raffleId: string) => {
  await actWithin(sql, operatorId);
  return await sql`select public.cancel_raffle(${raffleId}, 'A test', false)`;
};

/** Cancels as an operator: a dry run unless told otherwise. */
export const cancel = async (db: TestDatabase, raffleId: string, dryRun = false) =>
  await actAs(
    db,
    await operatorOf(db),
    async (sql) =>
      (await sql`select public.cancel_raffle(${raffleId}, 'A test', ${dryRun}) as plan`)[0].plan,
  );

/** The payment that Stripe tells of, for a purchase whose payment we may not have recorded. */
export const paymentOf = (
  purchase: { id: string; amount_cents: number },
  status = "succeeded",
): StripeObject => stripe.intent(purchase, { status, metadata: { purchase_id: purchase.id } });

/** As if the time of these reservations were over. */
export const runOut = ({ sql }: TestDatabase, purchaseIds: string[]) =>
  sql`update public.purchases set expires_at = now() - interval '1 second'
    where id = any(${purchaseIds}::uuid[]) and status = 'PENDING'`;

/** Makes every row that is written to a table take its time, so that others come in between. */
export async function withPause<T>(
  { sql }: TestDatabase,
  table: string,
  event: "insert" | "update",
  milliseconds: number,
  work: () => Promise<T>,
): Promise<T> {
  await sql`create or replace function public.pause() returns trigger language plpgsql as
    'begin perform pg_sleep(tg_argv[0]::float); return null; end'`;
  await sql.unsafe(`create trigger pause after ${event} on ${table}
    for each row execute function public.pause(${milliseconds / 1000})`);
  try {
    return await work();
  } finally {
    await sql.unsafe(`drop trigger pause on ${table}`);
  }
}

export const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Numbers from 0 up to 1, the same ones for the same seed. */
export function dice(seed: number) {
  let state = seed >>> 0;
  const roll = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    upTo: (count: number) => Math.floor(roll() * count),
    chance: (probability: number) => roll() < probability,
    some: <T>(items: T[], count: number): T[] => {
      const left = [...items];
      return Array.from(
        { length: count },
        () => left.splice(Math.floor(roll() * left.length), 1)[0],
      );
    },
  };
}

export const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
