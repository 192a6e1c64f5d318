import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { returnUrl } from "../../shared/return-url.ts";
import { readPayment } from "../../shared/topups.ts";
import { contract } from "./contract.ts";
import type { Begun } from "./payment.ts";
import { requestPayment } from "./payment.ts";

export const app = endpoint(contract, {
  async createTopup({ rpc, body, idempotencyKey, requestId }) {
    const urls = {
      success_url: returnUrl(body.success_url, "/?topup=paid"),
      cancel_url: returnUrl(body.cancel_url, "/?topup=cancelled"),
    };
    const begun = await rpc("begin_topup", { ...body, ...urls, idempotency_key: idempotencyKey });
    if ((begun as unknown as Begun).replayed) return begun;
    return await requestPayment(requestId, idempotencyKey, begun as unknown as Begun, urls);
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
