// What Stripe told and we never heard: events, and objects whose events were lost on Stripe's side too.
import type Stripe from "stripe";
import type { Rpc } from "../../shared/database.ts";
import { ask } from "../../shared/stripe.ts";

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

export async function applyLostEvents(system: Rpc, since: number, days: number) {
  const found = await applyEvents(system, since, TYPES);
  // A bank may send money back weeks after it was paid.
  for (const account of await system("recent_destinations", { days: days + 30 })) {
    const { seen, applied } = await applyEvents(system, since, PAYOUT_TYPES, account);
    found.seen += seen;
    found.applied += applied;
  }
  return found;
}

async function applyEvents(system: Rpc, since: number, types: string[], account?: string) {
  const found = { seen: 0, applied: 0 };
  const options = account ? { stripeAccount: account } : undefined;
  await ask(async (stripe) => {
    let page: Stripe.Event[] = [];
    const apply = async () => {
      const missing = new Set(await system("missing_events", { ids: page.map(({ id }) => id) }));
      for (const event of page.filter(({ id }) => missing.has(id))) {
        const { outcome } = await system("receive_stripe_event", {
          event: { ...event, account } as never,
        }) as { outcome: string };
        if (outcome === "applied") found.applied++;
      }
      found.seen += page.length;
      page = [];
    };
    for await (
      const event of stripe.events.list({ created: { gte: since }, types, limit: PAGE }, options)
    ) {
      if (page.push(event) === PAGE) await apply();
    }
    if (page.length > 0) await apply();
  });
  return found;
}

/** Payments of ours, refunds and disputes as they stand now. */
export async function applyObjects(system: Rpc, since: number) {
  const found = { seen: 0, applied: 0 };
  const recent = { created: { gte: since }, limit: PAGE };
  await ask(async (stripe) => {
    // One after another: a list that has been asked for and fails while nobody looks at it yet takes the
    // whole process down.
    const lists: (() => AsyncIterable<{ metadata: Stripe.Metadata | null; object: string }>)[] = [
      () => stripe.checkout.sessions.list(recent),
      () => stripe.paymentIntents.list(recent),
      () => stripe.refunds.list(recent),
      () => stripe.disputes.list(recent),
    ];
    for (const list of lists) {
      for await (const object of list()) {
        const isPayment = object.object !== "refund" && object.object !== "dispute";
        if (isPayment && !object.metadata?.topup_id && !object.metadata?.purchase_id) continue;
        found.seen++;
        const outcome = await system("apply_stripe_object", {
          object: object as never,
          account: null as never,
        });
        if (outcome === "applied") found.applied++;
      }
    }
  });
  return found;
}
