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
  "charge.dispute.closed",
  "transfer.created",
  "transfer.reversed",
];

const PAGE = 100;

export async function applyLostEvents(system: Rpc, since: number) {
  const found = { seen: 0, applied: 0 };
  await ask(async (stripe) => {
    let page: Stripe.Event[] = [];
    const apply = async () => {
      const missing = new Set(await system("missing_events", { ids: page.map(({ id }) => id) }));
      for (const event of page.filter(({ id }) => missing.has(id))) {
        const { outcome } = await system("receive_stripe_event", {
          event: event as never,
        }) as { outcome: string };
        if (outcome === "applied") found.applied++;
      }
      found.seen += page.length;
      page = [];
    };
    for await (
      const event of stripe.events.list({ created: { gte: since }, types: TYPES, limit: PAGE })
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
    const lists: AsyncIterable<{ metadata: Stripe.Metadata | null; object: string }>[] = [
      stripe.checkout.sessions.list(recent),
      stripe.paymentIntents.list(recent),
      stripe.refunds.list(recent),
      stripe.disputes.list(recent),
    ];
    for (const list of lists) {
      for await (const object of list) {
        const isPayment = object.object !== "refund" && object.object !== "dispute";
        if (isPayment && !object.metadata?.topup_id) continue;
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
