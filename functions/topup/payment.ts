// Between our row and our record of Stripe's answer: the call to Stripe, and what its failures come to.
import { customerOf } from "../../shared/cards.ts";
import type { Rpc } from "../../shared/database.ts";
import { ApiError } from "../../shared/errors.ts";
import { explainFailure } from "../../shared/stripe.ts";
import type { Topup } from "../../shared/topups.ts";
import { createPayment } from "../../shared/topups.ts";

export interface Begun {
  replayed: boolean;
  answer?: unknown;
  topup: Topup;
  attempt: number;
  expires_at: string;
}

export interface Details {
  success_url: string;
  cancel_url: string;
  payment_method?: string;
  save_card: boolean;
}

export async function requestPayment(
  { rpc, system }: { rpc: Rpc; system: Rpc },
  idempotency_key: string,
  { topup, attempt, expires_at }: Begun,
  details: Details,
) {
  const topup_id = topup.id;
  const usesCards = details.save_card || details.payment_method !== undefined;
  try {
    const customer = usesCards ? await customerOf(rpc, system, details.save_card) : null;
    const payment = await createPayment(topup, { attempt, expires_at, customer, ...details });
    const object = payment as never;
    const answer = await system("record_topup", { topup_id, idempotency_key, object });
    if (answer) return { replayed: false, answer };
  } catch (error) {
    const { code, refused, failure } = explainFailure(error);
    await system("record_topup_failure", { topup_id, idempotency_key, code, refused });
    throw failure;
  }
  throw new ApiError("try_again");
}
