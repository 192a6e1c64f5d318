// Stripe's events and objects straight into the database, as the functions hand them over.
import type postgres from "postgres";
import type { TestDatabase } from "./database.ts";
import { createUser } from "./database.ts";
import type { Money, StripeEvent, StripeObject } from "./stripe-events.ts";
import * as stripe from "./stripe-events.ts";

export const BANK = "acct_bank";

export async function receive(sql: postgres.ISql, event: StripeEvent): Promise<string> {
  const [{ answer }] =
    await sql`select app.receive_stripe_event(${event as never}::jsonb) as answer`;
  return answer.outcome;
}

export async function apply(sql: postgres.ISql, object: StripeObject): Promise<string> {
  const [{ outcome }] =
    await sql`select app.apply_stripe_object(${object as never}::jsonb) as outcome`;
  return outcome;
}

/** A top-up of which nothing is recorded, and how Stripe sees it: paid by Checkout. */
export async function paidTopup({ sql }: TestDatabase, amount_cents: number) {
  const { id: user } = await createUser({ sql } as TestDatabase);
  const topup: Money = { id: crypto.randomUUID(), amount_cents };
  const intent = stripe.intent(topup, { status: "succeeded" });
  const paid = { status: "complete", payment_status: "paid", payment_intent: intent.id };
  const session = stripe.session(topup, paid);
  await sql`insert into public.wallet_topups (id, user_id, account_id, amount_cents, currency, method)
    values (${topup.id}, ${user}, app.account_of('USER', 'EUR', ${user}), ${amount_cents}, 'EUR', 'checkout')`;
  return { topup, intent, session };
}

/** Withdraws all that a credited top-up brought; nothing is sent yet. */
export async function withdrawTopup(sql: postgres.Sql, { id: topup, amount_cents }: Money) {
  const id = crypto.randomUUID();
  await sql`insert into public.wallet_withdrawals
      (id, user_id, account_id, hold_id, amount_cents, currency, destination)
    select ${id}, user_id, account_id, app.place_hold(account_id, ${amount_cents}, 'WITHDRAWAL'),
      ${amount_cents}, 'EUR', ${BANK} from public.wallet_topups where id = ${topup}`;
  return { id, amount_cents };
}

/** The same, up to where only the bank is missing. */
export async function sendTopupToBank(sql: postgres.Sql, topup: Money) {
  const withdrawal = await withdrawTopup(sql, topup);
  await sql`select app.claim_transfer(${withdrawal.id})`;
  await apply(sql, stripe.transfer(withdrawal, BANK));
  await sql`select app.claim_payout(${withdrawal.id})`;
  return withdrawal;
}
