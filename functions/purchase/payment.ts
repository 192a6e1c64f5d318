// Between the reservation and our record of Stripe's answer: the call to Stripe, and its failures.
import type { Rpc } from "../../shared/database.ts";
import { ApiError } from "../../shared/errors.ts";
import { createIntent } from "../../shared/purchases.ts";
import type { Purchase } from "../../shared/purchases.ts";
import { explainFailure } from "../../shared/stripe.ts";

export interface Begun {
  replayed: boolean;
  answer?: unknown;
  purchase: Purchase;
  attempt: number;
}

export async function requestPayment(
  system: Rpc,
  idempotency_key: string,
  { purchase, attempt }: Begun,
) {
  const purchase_id = purchase.id;
  try {
    const object = await createIntent(purchase, attempt) as never;
    const answer = await system("record_purchase_payment", {
      purchase_id,
      idempotency_key,
      object,
    });
    if (answer) return { replayed: false, answer };
  } catch (error) {
    const { code, refused, isFinal, failure } = explainFailure(error);
    if (isFinal) {
      await system("refuse_purchase", { purchase_id, idempotency_key, code });
      throw unpayable(error);
    }
    await system("record_purchase_failure", { purchase_id, idempotency_key, code, refused });
    throw failure;
  }
  throw new ApiError("try_again");
}

/** The amount is the raffle's: all that the buyer can change is how to pay. */
function unpayable(cause: unknown): ApiError {
  const issue = { path: "payment_method", message: "this amount cannot be paid by card" };
  return new ApiError("request_invalid", { issues: [issue] }, { cause });
}
