import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { ApiError } from "../../shared/errors.ts";
import { sendTransfer } from "../../shared/withdrawals.ts";
import { contract } from "./contract.ts";

const ACCOUNT_FAULTS = new Set([
  "account_invalid",
  "insufficient_capabilities_for_transfer",
  "payouts_not_allowed",
  "resource_missing",
]);

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
    const { refused } = answer as { refused?: string };
    // The account is not there, or not one that can be paid to: trying again is of no use.
    if (refused && ACCOUNT_FAULTS.has(refused)) throw new ApiError("payout_account_missing");
    if (refused) throw new ApiError("payment_provider_unavailable");
    return { replayed: false, answer };
  },
  listWithdrawals: ({ rpc, query }) =>
    rpc("list_withdrawals", { skip: query.skip, page_size: query.limit }),
  readWithdrawal: ({ rpc, params }) => rpc("get_withdrawal", { withdrawal_id: params.id }),
});

Deno.serve(app.fetch);
