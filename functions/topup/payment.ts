// Between our row and our record of Stripe's answer: the call to Stripe, and what its failures come to.
import { systemDatabase } from "../../shared/database.ts";
import { ApiError } from "../../shared/errors.ts";
import { invalid } from "../../shared/request.ts";
import { readFailure } from "../../shared/stripe.ts";
import type { Topup } from "../../shared/topups.ts";
import { createPayment } from "../../shared/topups.ts";

export interface Begun {
  replayed: boolean;
  topup: Topup;
  attempt: number;
  expires_at: string;
}

export async function requestPayment(
  requestId: string,
  idempotency_key: string,
  { topup, attempt, expires_at }: Begun,
  urls: { success_url: string; cancel_url: string },
) {
  // No user says which payment belongs to a top-up: only this function, which has it from Stripe.
  const system = systemDatabase(requestId);
  const topup_id = topup.id;
  const plan = { attempt, expires_at, successUrl: urls.success_url, cancelUrl: urls.cancel_url };
  try {
    const payment = await createPayment(topup, plan);
    const object = payment as never;
    const answer = await system("record_topup", { topup_id, idempotency_key, object });
    if (answer) return { replayed: false, answer };
  } catch (error) {
    const { code, refused, failure } = explain(error);
    await system("record_topup_failure", { topup_id, idempotency_key, code, refused });
    throw failure;
  }
  throw new ApiError("try_again");
}

function explain(error: unknown): { code: string; refused: boolean; failure: Error } {
  if (error instanceof ApiError) return { code: error.code, refused: false, failure: error };
  const { outcome, kept, code, param } = readFailure(error);
  const options = { cause: error };
  if (outcome === "declined") {
    const failure = new ApiError("card_declined", { decline_code: code });
    return { code, refused: kept, failure };
  }
  // Within our limits, and yet not what Stripe takes in this currency.
  if (code === "amount_too_small" || code === "amount_too_large" || param === "currency") {
    const failure = invalid({
      path: param === "currency" ? "currency" : "amount_cents",
      message: "is not what the payment provider takes in this currency",
    });
    return { code, refused: kept, failure };
  }
  const failure = new ApiError("payment_provider_unavailable", undefined, options);
  return { code, refused: kept, failure };
}
