import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { readIntent } from "../../shared/purchases.ts";
import { contract } from "./contract.ts";
import type { Begun } from "./payment.ts";
import { requestPayment } from "./payment.ts";

export const app = endpoint(contract, {
  async createPurchase({ rpc, body, idempotencyKey: idempotency_key, requestId }) {
    const begun = await rpc("begin_purchase", {
      ...body,
      quantity: body.quantity ?? null as never,
      numbers: body.numbers ?? null as never,
      ticket_id: body.ticket_id ?? null as never,
      idempotency_key,
    }) as unknown as Begun;
    if (begun.answer) return begun;
    // No user says which payment belongs to a purchase: only this function, which has it from Stripe.
    return await requestPayment(systemDatabase(requestId), idempotency_key, begun);
  },
  listPurchases: ({ rpc, query }) =>
    rpc("list_purchases", { skip: query.skip, page_size: query.limit }),
  readPurchase: ({ rpc, params }) => rpc("get_purchase", { purchase_id: params.id }),
  async verifyPurchase({ rpc, params: { id: purchase_id }, requestId }) {
    const { purchase, provider_txn_id } = await rpc("begin_purchase_check", { purchase_id }) as {
      purchase: { status: string };
      provider_txn_id: string | null;
    };
    const isOver = purchase.status === "CONFIRMED" || purchase.status === "REFUNDED";
    const intent = provider_txn_id && !isOver ? await readIntent(provider_txn_id) : null;
    if (intent) {
      // No user says what has been paid: only this function, which has it from Stripe.
      const system = systemDatabase(requestId);
      await system("apply_stripe_object", { object: intent as never, account: null as never });
    }
    return rpc("get_purchase", { purchase_id });
  },
});

Deno.serve(app.fetch);
