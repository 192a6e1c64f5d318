// A top-up's other half: the Checkout session or PaymentIntent that Stripe keeps for it.
import type Stripe from "stripe";
import { ask, find, stripe } from "./stripe.ts";

export interface Topup {
  id: string;
  amount_cents: number;
  currency: string;
  method: "checkout" | "payment_intent";
  created_at: string;
}

export interface Plan {
  attempt: number;
  expires_at: string;
  success_url: string;
  cancel_url: string;
  /** Whose saved cards are used or added to. */
  customer: string | null;
  payment_method?: string;
  save_card: boolean;
}

export type Payment = Stripe.Checkout.Session | Stripe.PaymentIntent;

/** Asks Stripe for the payment. A repeated try of the same attempt gets what the first one got. */
export async function createPayment(topup: Topup, plan: Plan): Promise<Payment> {
  // What Stripe refused it goes on refusing; what it made all the same before it failed is taken up.
  const left = plan.attempt > 0 ? await findPayment(topup) : null;
  const client = await stripe();
  const idempotencyKey = plan.attempt === 0 ? topup.id : `${topup.id}:${plan.attempt}`;
  const { payment_method, success_url: return_url } = plan;
  if (left?.object === "payment_intent" && payment_method && isUnpaid(left)) {
    return await client.paymentIntents.confirm(left.id, { payment_method, return_url }, {
      idempotencyKey,
    });
  }
  if (left) return left;
  const currency = topup.currency.toLowerCase();
  const metadata = { topup_id: topup.id };
  const customer = plan.customer ?? undefined;
  const setup_future_usage = plan.save_card ? "on_session" as const : undefined;
  if (topup.method === "payment_intent") {
    return await client.paymentIntents.create({
      amount: topup.amount_cents,
      currency,
      automatic_payment_methods: { enabled: true },
      metadata,
      customer,
      setup_future_usage,
      ...(payment_method && { payment_method, return_url, confirm: true }),
    }, { idempotencyKey });
  }
  return await client.checkout.sessions.create({
    mode: "payment",
    client_reference_id: topup.id,
    line_items: [{
      quantity: 1,
      price_data: {
        currency,
        unit_amount: topup.amount_cents,
        product_data: { name: "Wallet top-up" },
      },
    }],
    success_url: plan.success_url,
    cancel_url: plan.cancel_url,
    customer,
    expires_at: Math.floor(Date.parse(plan.expires_at) / 1000),
    metadata,
    payment_intent_data: { metadata, setup_future_usage },
  }, { idempotencyKey });
}

const isUnpaid = ({ status }: Stripe.PaymentIntent) =>
  status === "requires_payment_method" || status === "requires_confirmation";

/** What Stripe has for a top-up of which we recorded nothing. */
export async function findPayment(topup: Pick<Topup, "id" | "method" | "created_at">) {
  const since = {
    created: { gte: Math.floor(Date.parse(topup.created_at) / 1000) - 60 },
    limit: 100,
  };
  return await ask(async (client) => {
    const payments: AsyncIterable<Payment> = topup.method === "checkout"
      ? client.checkout.sessions.list(since)
      : client.paymentIntents.list(since);
    for await (const payment of payments) {
      if (payment.metadata?.topup_id === topup.id) return payment;
    }
    return null;
  });
}

export function readPayment(id: string): Promise<Payment | null> {
  return find((client): Promise<Payment> =>
    id.startsWith("cs_")
      ? client.checkout.sessions.retrieve(id)
      : client.paymentIntents.retrieve(id)
  );
}

/** Makes sure that nobody pays it any more; if somebody just has, that is left as it is. */
export async function cancelPayment(payment: Payment): Promise<Payment | null> {
  const client = await stripe();
  try {
    return payment.object === "checkout.session"
      ? await client.checkout.sessions.expire(payment.id)
      : await client.paymentIntents.cancel(payment.id);
  } catch {
    return await readPayment(payment.id);
  }
}
