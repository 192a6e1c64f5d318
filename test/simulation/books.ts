// The books against Stripe's side, object by object and to the cent.
import type Stripe from "stripe";
import { balanceAtStripe, stripeClient } from "../support/payments.ts";
import { houseBalance } from "../support/wallets.ts";
import type { World } from "./people.ts";

export interface AtStripe {
  intents: Stripe.PaymentIntent[];
  refunds: Stripe.Refund[];
  disputes: Stripe.Dispute[];
  transfers: Stripe.Transfer[];
  payouts: Stripe.Payout[];
}

const PAGE = { limit: 100 };

/** All that Stripe has, ours and the accounts' of those who withdraw. */
export async function readStripe({ stack }: World): Promise<AtStripe> {
  const stripe = stripeClient(stack);
  const transfers = await all(stripe.transfers.list(PAGE));
  const accounts = new Set(transfers.map(({ destination }) => destination as string));
  const payouts = [];
  for (const stripeAccount of accounts) {
    payouts.push(...await all(stripe.payouts.list(PAGE, { stripeAccount })));
  }
  return {
    intents: await all(stripe.paymentIntents.list(PAGE)),
    refunds: await all(stripe.refunds.list(PAGE)),
    disputes: await all(stripe.disputes.list(PAGE)),
    transfers,
    payouts,
  };
}

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of list) found.push(one);
  return found;
}

export const isTaken = (one: Stripe.Refund | Stripe.Dispute) =>
  one.object === "refund"
    ? !["failed", "canceled"].includes(one.status!)
    : one.status !== "won" && !one.status.startsWith("warning");

export const sumOf = (list: { amount: number }[]) => list.reduce((sum, one) => sum + one.amount, 0);

/** What differs between the two sides. */
export async function compareBooks(
  world: World,
  stripe: AtStripe,
  openingBalance: number,
): Promise<string[]> {
  const { stack, journal } = world;
  const kept = await balanceAtStripe(stack) - openingBalance;
  const clearing = await houseBalance(stack, "STRIPE_CLEARING");
  const faults = [
    ...(kept + clearing === 0 ? [] : [`Stripe keeps ${kept}, STRIPE_CLEARING is ${clearing}`]),
    ...await comparePayments(world, stripe),
    ...await compareRefunds(world, stripe),
    ...await compareWithdrawals(world, stripe),
  ];
  const aside = await stack.sql`select id, type, object_id, intent_id from app.stripe_events
    where outcome = 'quarantined'`;
  faults.push(...aside.map((event) => `set aside: ${JSON.stringify(event)}`));
  const denied = await stack.sql`select subject, details from public.operator_alerts
    where kind = 'stripe_denies'`;
  faults.push(...denied.map((alert) => `denied: ${JSON.stringify(alert)}`));
  return faults.map((fault) => {
    const ids = fault.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(pi|re|tr|po)_\w+/g) ?? [];
    return ids.length === 0 ? fault : `${fault}\n${journal.about(ids)}`;
  });
}

/** The same keys on both sides, and the same to tell of each. */
function differences(
  what: string,
  theirs: Map<string, unknown>,
  ours: Map<string, unknown>,
): string[] {
  const faults: string[] = [];
  for (const id of new Set([...theirs.keys(), ...ours.keys()])) {
    const [there, here] = [theirs, ours].map((side) => JSON.stringify(side.get(id)) ?? "nothing");
    if (there !== here) faults.push(`${what} ${id}: ${there} at Stripe, ${here} with us`);
  }
  return faults;
}

async function comparePayments({ stack }: World, stripe: AtStripe): Promise<string[]> {
  const theirs = new Map<string, unknown>();
  for (const { id, status, amount, currency, metadata } of stripe.intents) {
    if (status !== "succeeded") continue;
    const about = <T extends Stripe.Refund | Stripe.Dispute>(list: T[]) =>
      sumOf(list.filter((one) => one.payment_intent === id && isTaken(one)));
    const taken = about(stripe.refunds) + about(stripe.disputes);
    const row = metadata.topup_id ?? metadata.purchase_id;
    theirs.set(id, [row, amount, currency.toUpperCase(), taken]);
  }
  const rows = await stack.sql`select p.intent_id, p.amount_cents, p.currency, p.taken_cents, (
      select string_agg(id::text, ' and ') from (
        select id from public.wallet_topups t where t.intent_id = p.intent_id and status = 'COMPLETED'
          and t.amount_cents = p.amount_cents
        union all select id from public.purchases b where b.provider_txn_id = p.intent_id
          and status in ('CONFIRMED', 'REFUNDED') and b.amount_cents = p.amount_cents) as rows) as id
    from app.card_payments p`;
  const ours = rows.map(({ intent_id, id, amount_cents, currency, taken_cents }) =>
    [intent_id, [id, Number(amount_cents), currency, Number(taken_cents)]] as const
  );
  return differences("payment", theirs, new Map(ours));
}

async function compareRefunds({ stack }: World, stripe: AtStripe): Promise<string[]> {
  const rows = await stack
    .sql`select id, intent_id, amount_cents, refund_id, failed_at is not null as failed
    from app.card_refunds`;
  const disputed = new Set(stripe.disputes.map(({ payment_intent }) => payment_intent as string));
  // Stripe sends nothing back of a payment that is or was disputed; operators are told, and decide.
  const sent = rows.filter(({ refund_id, intent_id }) => refund_id || !disputed.has(intent_id));
  const ours = sent.map(({ id, intent_id, amount_cents, refund_id, failed }) =>
    [id, [[refund_id, intent_id, Number(amount_cents), !failed]]] as const
  );
  const theirs = new Map<string, unknown[]>();
  for (const refund of stripe.refunds) {
    const id = refund.metadata?.refund_id ?? refund.id;
    const one = [refund.id, refund.payment_intent, refund.amount, isTaken(refund)];
    theirs.set(id, [...theirs.get(id) ?? [], one]);
  }
  return differences("refund", theirs, new Map(ours));
}

async function compareWithdrawals({ stack }: World, stripe: AtStripe): Promise<string[]> {
  const rows = await stack
    .sql`select id, status, amount_cents, destination, transfer_id, provider_txn_id,
      transfer_reversed_at is not null as reversed from public.wallet_withdrawals`;
  const transfers = rows.filter(({ transfer_id }) => transfer_id).map((row) =>
    [row.transfer_id, [row.id, Number(row.amount_cents), row.destination, row.reversed]] as const
  );
  const payouts = rows.filter(({ provider_txn_id }) => provider_txn_id).map((row) =>
    [row.provider_txn_id, [row.id, Number(row.amount_cents), row.status === "COMPLETED"]] as const
  );
  const lost = rows.filter(({ status, transfer_id, reversed }) =>
    transfer_id && reversed !== (status === "FAILED")
  );
  return [
    ...differences(
      "transfer",
      new Map(
        stripe.transfers.map(({ id, amount, metadata, destination, reversed }) =>
          [id, [metadata.withdrawal_id, amount, destination, reversed]] as const
        ),
      ),
      new Map(transfers),
    ),
    ...differences(
      "payout",
      new Map(
        stripe.payouts.map(({ id, amount, metadata, status }) =>
          [id, [metadata?.withdrawal_id, amount, status === "paid"]] as const
        ),
      ),
      new Map(payouts),
    ),
    ...lost.map(({ id, status }) => `withdrawal ${id} is ${status}, its transfer is not`),
  ];
}
