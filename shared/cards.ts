// A person's saved cards: kept by Stripe, under a customer of theirs; here there is only its id.
import type { Rpc } from "./database.ts";
import { ApiError } from "./errors.ts";
import { ask, find } from "./stripe.ts";

interface Owner {
  user_id: string;
  email: string;
  customer_id: string | null;
}

const readOwner = async (rpc: Rpc) => await rpc("get_customer") as unknown as Owner;

/** The caller's customer at Stripe, made when `create` says so and there is none yet. */
export async function customerOf(rpc: Rpc, system: Rpc, create: boolean): Promise<string | null> {
  const { user_id, email, customer_id } = await readOwner(rpc);
  if (customer_id || !create) return customer_id;
  const { id } = await ask((stripe) =>
    stripe.customers.create({ email, metadata: { user_id } }, {
      idempotencyKey: `customer:${user_id}`,
    })
  );
  return await system("record_customer", { user_id, customer_id: id });
}

export async function listCards(rpc: Rpc) {
  const { customer_id: customer } = await readOwner(rpc);
  if (!customer) return [];
  const { data } = await ask((stripe) =>
    stripe.paymentMethods.list({ customer, type: "card", limit: 100 })
  );
  return data.map(({ id, card }) => ({
    id,
    brand: card!.brand,
    last4: card!.last4,
    exp_month: card!.exp_month,
    exp_year: card!.exp_year,
  }));
}

/** Forgets a card. Somebody else's is as unknown as one that does not exist. */
export async function forgetCard(rpc: Rpc, id: string): Promise<void> {
  const { customer_id } = await readOwner(rpc);
  const card = customer_id && await find((stripe) => stripe.paymentMethods.retrieve(id));
  if (!card || card.customer !== customer_id) throw new ApiError("card_not_found");
  await ask((stripe) => stripe.paymentMethods.detach(id));
}
