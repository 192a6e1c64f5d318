import type Stripe from "stripe";

export interface ErrorBody {
  type: "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";
  message: string;
  code?: string;
  decline_code?: string;
  param?: string;
  charge?: string;
  payment_intent?: Stripe.PaymentIntent;
  payment_method?: Stripe.PaymentMethod;
  doc_url?: string;
}

/**
 * An answer that is an error. `began` tells whether the endpoint started to work: only then is the
 * answer kept for the idempotency key, as Stripe does (a parameter that fails to parse never began).
 */
export class StripeFailure extends Error {
  constructor(readonly status: number, readonly body: ErrorBody, readonly began = true) {
    super(body.message);
  }
}

function withDocs(body: ErrorBody): ErrorBody {
  if (!body.code) return body;
  const doc_url = `https://stripe.com/docs/error-codes/${body.code.replaceAll("_", "-")}`;
  return { ...body, doc_url };
}

/** The request itself cannot be read: nothing was executed, nothing is stored. */
export function badParameter(message: string, param: string, code?: string): StripeFailure {
  const body: ErrorBody = { type: "invalid_request_error", message, param };
  return new StripeFailure(400, withDocs(code ? { ...body, code } : body), false);
}

/** The request was understood, and the state of things forbids it. */
export function refused(message: string, extra: Partial<ErrorBody> = {}): StripeFailure {
  return new StripeFailure(400, withDocs({ type: "invalid_request_error", message, ...extra }));
}

/** An id in the URL that does not exist is a 404; the same id in a parameter is a 400. */
export function noSuch(kind: string, id: string, param = "id", status = 404): StripeFailure {
  const message = `No such ${kind}: '${id}'`;
  const body: ErrorBody = {
    type: "invalid_request_error",
    code: "resource_missing",
    message,
    param,
  };
  return new StripeFailure(status, withDocs(body));
}

export function declined(body: Omit<ErrorBody, "type">): StripeFailure {
  return new StripeFailure(402, withDocs({ type: "card_error", ...body }));
}

export function unauthorized(message: string): StripeFailure {
  return new StripeFailure(401, { type: "invalid_request_error", message }, false);
}

export function serverError(status: number, given: Partial<ErrorBody> = {}): StripeFailure {
  if (status === 429) {
    const message = "Request rate limit exceeded. Learn more about rate limits in the API docs.";
    const body: ErrorBody = { type: "invalid_request_error", code: "rate_limit", message };
    return new StripeFailure(status, { ...body, ...given }, false);
  }
  const message = "An unknown error occurred. If it persists, please contact Stripe.";
  return new StripeFailure(status, { type: "api_error", message, ...given });
}
