// Random lives of one user's payments and withdrawals, as Stripe can tell them: the rows that we have,
// and the events in the order in which they happened. The same random numbers give the same history.
import type postgres from "postgres";
import type { StripeEvent, StripeObject } from "./stripe-events.ts";
import * as stripe from "./stripe-events.ts";

export interface Random {
  chance(probability: number): boolean;
  between(low: number, high: number): number;
  pick<T>(...from: T[]): T;
  shuffle<T>(list: T[]): T[];
}

export function randomOf(next: () => number): Random {
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    chance: (probability) => next() < probability,
    between,
    pick: (...from) => from[between(0, from.length - 1)],
    shuffle: (list) =>
      list.map((item) => ({ item, at: next() })).sort((a, b) => a.at - b.at).map(({ item }) =>
        item
      ),
  };
}

interface Topup {
  id: string;
  amount_cents: number;
  method: "checkout" | "payment_intent";
  /** Null: the answer to our question was lost. */
  provider_txn_id: string | null;
}

interface Withdrawal {
  id: string;
  amount_cents: number;
  /** What we have recorded of Stripe's answers before the events come. */
  known: StripeObject[];
  payoutAsked: boolean;
}

export interface History {
  opening: number;
  spentFirst: number;
  topups: Topup[];
  withdrawals: Withdrawal[];
  /** The user spends only when all the events of a part are in, so that every order can be compared. */
  parts: { events: StripeEvent[]; spent: number }[];
}

export const DESTINATION = "acct_bank";

export function makeHistory(random: Random): History {
  const withdrawals = Array.from({ length: random.between(0, 2) }, () => withdrawalStory(random));
  const topups = Array.from({ length: random.between(1, 3) }, () => topupStory(random));
  const held = withdrawals.reduce((sum, { row }) => sum + row.amount_cents, 0);
  const free = random.pick(0, 0, 2_000, 10_000);
  const events = weave(random, [...topups, ...withdrawals].map((story) => story.events));
  const cut = random.between(0, events.length);
  return {
    opening: held + free,
    spentFirst: random.between(0, free),
    topups: topups.map(({ row }) => row),
    withdrawals: withdrawals.map(({ row }) => row),
    parts: [events.slice(0, cut), events.slice(cut)].map((events) => ({
      events,
      spent: random.pick(0, 1_000, Infinity),
    })),
  };
}

/** What of all this is with Stripe in the end, by what its objects were when last told. */
export function balanceAtStripe({ parts }: History): number {
  const last = new Map(
    parts.flatMap(({ events }) => events).map(({ data: { object } }) => [object.id, object]),
  );
  const worth = ({ object, amount, status, reversed }: StripeObject): number => {
    const cents = Number(amount);
    if (object === "payment_intent") return status === "succeeded" ? cents : 0;
    if (object === "refund") return status === "failed" || status === "canceled" ? 0 : -cents;
    if (object === "dispute") return /^(won|warning.*)$/.test(String(status)) ? 0 : -cents;
    return object === "transfer" && !reversed ? -cents : 0;
  };
  return [...last.values()].reduce((sum, object) => sum + worth(object), 0);
}

/** Several stories at once, each in its own order. */
function weave(random: Random, stories: StripeEvent[][]): StripeEvent[] {
  const left = stories.map((events) => [...events]);
  const woven: StripeEvent[] = [];
  while (left.some((events) => events.length > 0)) {
    woven.push(random.pick(...left.filter((events) => events.length > 0)).shift()!);
  }
  return woven;
}

function topupStory(random: Random): { row: Topup; events: StripeEvent[] } {
  const method = random.pick("checkout", "payment_intent");
  const topup = { id: crypto.randomUUID(), amount_cents: random.between(100, 10_000) };
  const events: StripeEvent[] = [];
  const tell = (type: string, object: StripeObject) => events.push(stripe.event(type, object));
  const intent = stripe.intent(topup);
  const session = stripe.session(topup);
  const become = (fields: object, type: string) => tell(type, Object.assign(intent, fields));
  const close = (fields: object, type: string) => {
    if (method === "checkout") tell(type, Object.assign(session, fields));
  };

  const fail = () => become(stripe.declined(), "payment_intent.payment_failed");
  for (let tries = random.pick(0, 0, 1, 2); tries > 0; tries--) fail();
  const end = random.pick("paid", "paid", "paid", "paid", "later", "failed later", "over", "open");
  if (end === "over") {
    close({ status: "expired" }, "checkout.session.expired");
    become({ status: "canceled", cancellation_reason: "abandoned" }, "payment_intent.canceled");
  }
  if (end === "later" || end === "failed later") {
    become({ status: "processing", last_payment_error: null }, "payment_intent.processing");
    close({ status: "complete", payment_intent: intent.id }, "checkout.session.completed");
  }
  if (end === "failed later") {
    fail();
    close({}, "checkout.session.async_payment_failed");
  }
  if (end === "paid" || end === "later") {
    const paid = { status: "succeeded", amount_received: topup.amount_cents };
    become({ ...paid, last_payment_error: null }, "payment_intent.succeeded");
    close(
      { status: "complete", payment_status: "paid", payment_intent: intent.id },
      end === "paid" ? "checkout.session.completed" : "checkout.session.async_payment_succeeded",
    );
    takeBack(random, tell, stripe.charge(topup, intent.id));
  }
  const made = method === "checkout" ? session.id : intent.id;
  return { row: { ...topup, method, provider_txn_id: random.chance(0.7) ? made : null }, events };
}

type Tell = (type: string, object: StripeObject) => void;

/** Refunds, of which some fail later, and perhaps a dispute over what is left. */
function takeBack(random: Random, tell: Tell, charge: StripeObject): void {
  const refunded = () => charge.amount_refunded as number;
  const left = () => charge.amount as number - refunded();
  for (let more = random.pick(0, 0, 1, 1, 2, 3); more > 0 && left() > 0; more--) {
    const amount = random.chance(0.3) ? left() : random.between(1, left());
    const refund = stripe.refund(charge, amount, { status: random.pick("succeeded", "pending") });
    charge.amount_refunded = refunded() + amount;
    tell("refund.created", refund);
    tell("charge.refunded", charge);
    const end = random.pick("succeeded", "failed", "canceled", refund.status);
    if (end === refund.status || refund.status === "succeeded" && end === "canceled") continue;
    if (end !== "succeeded") charge.amount_refunded = refunded() - amount;
    tell("refund.updated", Object.assign(refund, { status: end }));
    if (end === "failed") tell("refund.failed", refund);
  }
  if (left() > 0 && random.chance(0.4)) disputeStory(random, tell, charge, left());
}

function disputeStory(random: Random, tell: Tell, charge: StripeObject, left: number): void {
  const amount = random.chance(0.7) ? left : random.between(1, left);
  const status = random.pick("needs_response", "needs_response", "warning_needs_response");
  const dispute = stripe.dispute(charge, amount, { status });
  tell("charge.dispute.created", dispute);
  const isInquiry = status.startsWith("warning");
  const isCharged = !isInquiry || random.chance(0.5);
  if (isInquiry && isCharged) {
    tell("charge.dispute.updated", Object.assign(dispute, { status: "needs_response" }));
  }
  const end = isCharged
    ? random.pick("won", "lost", "open")
    : random.pick("warning_closed", "open");
  if (end !== "open") tell("charge.dispute.closed", Object.assign(dispute, { status: end }));
}

function withdrawalStory(random: Random): { row: Withdrawal; events: StripeEvent[] } {
  const withdrawal = { id: crypto.randomUUID(), amount_cents: random.between(100, 5_000) };
  const events: StripeEvent[] = [];
  const transfer = stripe.transfer(withdrawal, DESTINATION);
  const sent = structuredClone(transfer);
  const payout = stripe.payout(withdrawal);
  const asked = structuredClone(payout);
  events.push(stripe.event("transfer.created", transfer));
  const reverse = () => {
    Object.assign(transfer, { reversed: true, amount_reversed: withdrawal.amount_cents });
    events.push(stripe.event("transfer.reversed", transfer));
  };
  const payoutAsked = random.chance(0.85);
  if (!payoutAsked) {
    // Its answer was lost, and nothing more was sent; operators may have taken it back by hand.
    if (random.chance(0.5)) reverse();
    return { row: { ...withdrawal, known: [], payoutAsked }, events };
  }
  const become = (status: string) =>
    events.push(
      stripe.event(
        `payout.${status}`,
        Object.assign(
          payout,
          stripe.payout(withdrawal, {
            id: payout.id,
            status,
          }),
        ),
        { account: DESTINATION },
      ),
    );
  const end = random.pick("paid", "paid", "failed", "paid, failed", "canceled", "open");
  if (end !== "open") { for (const status of end.split(", ")) become(status); }
  if (/failed|canceled/.test(end) && random.chance(0.7)) reverse();
  const known = random.chance(0.7) ? [sent, asked] : [sent];
  return { row: { ...withdrawal, known, payoutAsked }, events };
}

/** The user of a history, with the rows as they are before the first event comes. */
export async function settle(sql: postgres.Sql, user: string, history: History): Promise<void> {
  const { opening, spentFirst, topups, withdrawals } = history;
  await sql.begin(async (sql) => {
    await sql`insert into auth.users (id, aud, role, email, email_confirmed_at, raw_user_meta_data)
      values (${user}, 'authenticated', 'authenticated', ${`${user}@example.test`}, now(), '{}')`;
    const [{ account }] = await sql`select app.account_of('USER', 'EUR', ${user}) as account`;
    if (opening > 0) {
      await sql`select app.post_transaction('ADJUSTMENT', array[(${account}::bigint, ${opening}::bigint),
        (app.account_of('ADJUSTMENT', 'EUR'), ${-opening}::bigint)]::app.posting[], p_note => 'opening')`;
    }
    for (const { id, amount_cents, method, provider_txn_id: made } of topups) {
      await sql`insert into public.wallet_topups (id, user_id, account_id, amount_cents, currency, method, status,
          provider_txn_id, intent_id, livemode)
        values (${id}, ${user}, ${account}, ${amount_cents}, 'EUR', ${method}, ${
        made ? "PROCESSING" : "CREATED"
      }, ${made}, ${method === "payment_intent" ? made : null}, ${made ? false : null})`;
    }
    for (const { id, amount_cents, known, payoutAsked } of withdrawals) {
      await sql`insert into public.wallet_withdrawals (id, user_id, account_id, hold_id, amount_cents, currency, destination)
        values (${id}, ${user}, ${account}, app.place_hold(${account}, ${amount_cents}, 'WITHDRAWAL'),
          ${amount_cents}, 'EUR', ${DESTINATION})`;
      await sql`select app.claim_transfer(${id})`;
      for (const object of known) {
        if (payoutAsked && object.object === "payout") await sql`select app.claim_payout(${id})`;
        const account = object.object === "payout" ? DESTINATION : null;
        await sql`select app.apply_stripe_object(${sql.json(object as never)}, null, ${account})`;
      }
      if (payoutAsked) await sql`select app.claim_payout(${id})`;
    }
    await spend(sql, user, spentFirst);
  });
}

/** Buys for the amount, or for what is there; whoever owes something cannot. */
export async function spend(sql: postgres.ISql, user: string, amount: number): Promise<void> {
  await sql`select app.post_transaction('ORDER', array[(id, -cents),
      (app.account_of('REVENUE', 'EUR'), cents)]::app.posting[])
    from (select *, least(${
    Math.min(amount, 1e9)
  }, balance_cents - held_cents)::bigint as cents from public.wallet_accounts
      where user_id = ${user} and kind = 'USER') a where cents > 0 and status = 'ACTIVE'`;
}
