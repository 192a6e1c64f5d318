// What Stripe told and we never heard: events, and objects whose events were lost on Stripe's side too.
import type Stripe from "stripe";
import { ask } from "../../shared/stripe.ts";
import type { Run } from "./run.ts";
import { factOf, inGroups, unlessGone } from "./run.ts";

/** What moves our rows. Stripe takes at most twenty in one question. */
const TYPES = [
  "checkout.session.completed",
  "checkout.session.expired",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "payment_intent.canceled",
  "charge.refunded",
  "refund.created",
  "refund.updated",
  "refund.failed",
  "charge.dispute.created",
  "charge.dispute.updated",
  "charge.dispute.closed",
  "transfer.created",
  "transfer.reversed",
];

/** These happen in the accounts that withdrawals go to, and only there are they listed. */
const PAYOUT_TYPES = ["payout.paid", "payout.failed", "payout.canceled"];

const PAGE = 100;
/** People who buy want the database too. */
const APPLIED_AT_ONCE = 4;

export async function applyLostEvents(run: Run) {
  const found = { seen: 0, applied: 0 };
  await run.attempt(() => applyEvents(run, found, TYPES));
  // A bank may send money back weeks after it was paid.
  for (const account of await run.system("recent_destinations", { days: run.days + 30 })) {
    await run.attempt(() =>
      unlessGone(run, account, () => applyEvents(run, found, PAYOUT_TYPES, account))
    );
  }
  return found;
}

interface Found {
  seen: number;
  applied: number;
}

async function applyEvents(run: Run, found: Found, types: string[], account?: string) {
  const { system, since: gte, listed, attempt } = run;
  const options = account ? { stripeAccount: account } : undefined;
  const receive = async (event: Stripe.Event) => {
    const { outcome } = await system("receive_stripe_event", {
      event: { ...event, account } as never,
    }) as { outcome: string };
    if (outcome === "applied") found.applied++;
  };
  await ask(async (stripe) => {
    const list = stripe.events.list({ created: { gte }, types, limit: PAGE }, options);
    for await (const page of pagesOf(list)) {
      const missing = new Set(await system("missing_events", { ids: page.map(({ id }) => id) }));
      for (const { data: { object } } of page) {
        if (object.object === "payout") listed.push(factOf(object));
      }
      const news = page.filter(({ id }) => missing.has(id));
      await inGroups(APPLIED_AT_ONCE, news, (event) => attempt(() => receive(event)));
      found.seen += page.length;
    }
  });
}

async function* pagesOf<T>(list: AsyncIterable<T>): AsyncGenerator<T[]> {
  let page: T[] = [];
  for await (const item of list) {
    if (page.push(item) < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

type StripeObject =
  | Stripe.Checkout.Session
  | Stripe.PaymentIntent
  | Stripe.Refund
  | Stripe.Dispute
  | Stripe.Transfer;

/** Payments and transfers of ours, refunds and disputes as they stand now. */
export async function applyObjects(run: Run): Promise<Found> {
  const found = { seen: 0, applied: 0 };
  const recent = { created: { gte: run.since }, limit: PAGE };
  const lists: ((stripe: Stripe) => AsyncIterable<StripeObject>)[] = [
    (stripe) => stripe.checkout.sessions.list(recent),
    (stripe) => stripe.paymentIntents.list(recent),
    (stripe) => stripe.refunds.list(recent),
    (stripe) => stripe.disputes.list(recent),
    (stripe) => stripe.transfers.list(recent),
  ];
  // One after another: a list that has been asked for and fails while nobody looks at it yet takes the
  // whole process down.
  for (const list of lists) {
    await run.attempt(() =>
      ask(async (stripe) => {
        for await (const page of pagesOf(list(stripe))) {
          await inGroups(APPLIED_AT_ONCE, page, (object) => applyObject(run, found, object));
        }
      })
    );
  }
  return found;
}

async function applyObject({ system, listed, attempt }: Run, found: Found, object: StripeObject) {
  if (object.object !== "checkout.session") listed.push(factOf(object));
  const { topup_id, purchase_id, withdrawal_id } = object.metadata ?? {};
  const isTheirs = object.object === "refund" || object.object === "dispute";
  if (!isTheirs && !topup_id && !purchase_id && !withdrawal_id) return;
  found.seen++;
  await attempt(async () => {
    const outcome = await system("apply_stripe_object", {
      object: object as never,
      account: null as never,
    });
    if (outcome === "applied") found.applied++;
  });
}
