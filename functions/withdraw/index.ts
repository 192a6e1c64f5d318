import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { ApiError } from "../../shared/errors.ts";
import { sendTransfer } from "../../shared/withdrawals.ts";
import { contract } from "./contract.ts";

export const app = endpoint(contract, {
  async createWithdrawal({ rpc, body, idempotencyKey: idempotency_key, requestId }) {
    const begun = await rpc("begin_withdrawal", { ...body, idempotency_key });
    const { replayed, withdrawal } = begun as unknown as {
      replayed: boolean;
      withdrawal: { id: string };
    };
    if (replayed) return begun;
    const withdrawal_id = withdrawal.id;
    // No user says what has been sent: only this function, which sends it.
    const system = systemDatabase(requestId);
    await sendTransfer(system, withdrawal_id);
    const answer = await system("answer_withdrawal", { withdrawal_id, idempotency_key });
    if (!answer) throw new ApiError("payment_provider_unavailable");
    return { replayed: false, answer };
  },
  listWithdrawals: ({ rpc, query }) =>
    rpc("list_withdrawals", { skip: query.skip, page_size: query.limit }),
  readWithdrawal: ({ rpc, params }) => rpc("get_withdrawal", { withdrawal_id: params.id }),
});

Deno.serve(app.fetch);
