// A card purchase's other half: the PaymentIntent that Stripe keeps for it.
import type Stripe from "stripe";
import { ask, find, stripe } from "./stripe.ts";

export interface Purchase {
  id: string;
  amount_cents: number;
  currency: string;
  created_at: string;
}

/** Asks Stripe for the payment. A repeated try of the same attempt gets what the first one got. */
export async function createIntent(
  purchase: Purchase,
  attempt: number,
): Promise<Stripe.PaymentIntent> {
  // What Stripe refused it goes on refusing; what it made all the same before it failed is taken up.
  const left = attempt > 0 ? await findIntent(purchase) : null;
  if (left) return left;
  const client = await stripe();
  return await client.paymentIntents.create({
    amount: purchase.amount_cents,
    currency: purchase.currency.toLowerCase(),
    automatic_payment_methods: { enabled: true },
    metadata: { purchase_id: purchase.id },
  }, { idempotencyKey: attempt === 0 ? purchase.id : `${purchase.id}:${attempt}` });
}

/** What Stripe has for a purchase of which we recorded nothing. */
export function findIntent({ id, created_at }: Pick<Purchase, "id" | "created_at">) {
  const since = Math.floor(Date.parse(created_at) / 1000) - 60;
  return ask(async (client) => {
    const intents = client.paymentIntents.list({ created: { gte: since }, limit: 100 });
    for await (const intent of intents) if (intent.metadata.purchase_id === id) return intent;
    return null;
  });
}

export const readIntent = (id: string) => find((client) => client.paymentIntents.retrieve(id));
