import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { returnUrl } from "../../shared/return-url.ts";
import { readPayment } from "../../shared/topups.ts";
import { contract } from "./contract.ts";
import type { Begun } from "./payment.ts";
import { requestPayment } from "./payment.ts";

export const app = endpoint(contract, {
  async createTopup({ rpc, body, idempotencyKey, requestId }) {
    const { amount_cents, currency, payment_method, save_card } = body;
    const method = body.method ?? (payment_method ? "payment_intent" : "checkout");
    const success_url = returnUrl(body.success_url, "/?topup=paid");
    const cancel_url = returnUrl(body.cancel_url, "/?topup=cancelled");
    const details = { success_url, cancel_url, payment_method, save_card };
    const idempotency_key = idempotencyKey;
    const begun = await rpc("begin_topup", {
      amount_cents,
      currency,
      method,
      details,
      idempotency_key,
    }) as unknown as Begun;
    if (begun.replayed) return begun;
    // No user says which payment belongs to a top-up: only this function, which has it from Stripe.
    return await requestPayment(
      { rpc, system: systemDatabase(requestId) },
      idempotency_key,
      begun,
      details,
    );
  },
  listTopups: ({ rpc, query }) => rpc("list_topups", { skip: query.skip, page_size: query.limit }),
  readTopup: ({ rpc, params }) => rpc("get_topup", { topup_id: params.id }),
  async verifyTopup({ rpc, params: { id: topup_id }, requestId }) {
    const { topup, provider_txn_id } = await rpc("begin_topup_check", { topup_id }) as {
      topup: { status: string };
      provider_txn_id: string | null;
    };
    const payment = provider_txn_id && topup.status !== "COMPLETED"
      ? await readPayment(provider_txn_id)
      : null;
    if (payment) {
      // No user says what has been paid: only this function, which has it from Stripe.
      const system = systemDatabase(requestId);
      await system("apply_stripe_object", { object: payment as never, account: null as never });
    }
    return rpc("get_topup", { topup_id });
  },
});

Deno.serve(app.fetch);
