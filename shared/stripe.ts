// Stripe: one client for the process, made when it is first needed, and what its failures mean to us.
import type Stripe from "stripe";
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";
import { outOfPlace } from "./places.ts";
import { invalid } from "./request.ts";

let client: Promise<Stripe> | undefined;

export const stripe = (): Promise<Stripe> => client ??= connect();

async function connect(): Promise<Stripe> {
  const { default: Stripe } = await import("stripe");
  const { STRIPE_API_URL, STRIPE_SECRET_KEY, STRIPE_TIMEOUT_MS } = env();
  const { protocol, hostname, port } = new URL(STRIPE_API_URL);
  return new Stripe(STRIPE_SECRET_KEY, {
    protocol: protocol === "http:" ? "http" : "https",
    host: hostname,
    port: port || undefined,
    timeout: STRIPE_TIMEOUT_MS,
    // Whoever waits for a page shall not wait for more than two time-outs.
    maxNetworkRetries: 1,
    httpClient: Stripe.createFetchHttpClient((...call: Parameters<typeof fetch>) =>
      outOfPlace(() => fetch(...call))
    ),
    telemetry: false,
  });
}

/**
 * declined: the customer's bank said no. refused: Stripe said no, and nothing was done. unknown: Stripe
 * may have done it, or will give the same answer again (a time-out, a failure of its own).
 */
export interface StripeFailure {
  outcome: "declined" | "refused" | "unknown";
  /** Whether Stripe keeps this answer for the idempotency key. */
  kept: boolean;
  code: string;
  param?: string;
}

/** What went wrong, or the error itself when it was not Stripe's. */
export function readFailure(error: unknown): StripeFailure {
  const { type, statusCode: status, code, decline_code, param } =
    error as Stripe.errors.StripeError;
  if (typeof type !== "string" || !type.startsWith("Stripe")) throw error;
  const kept = status !== undefined && ![401, 403, 409, 429].includes(status);
  if (type === "StripeCardError") {
    return { outcome: "declined", kept, code: decline_code ?? code ?? "card_declined" };
  }
  const outcome = status === undefined || status >= 500 || status === 409 ? "unknown" : "refused";
  return { outcome, kept, code: code ?? `stripe_${status ?? "unreachable"}`, param };
}

/** Asks Stripe for something that changes nothing; where it cannot answer, the caller may try again. */
export async function ask<T>(question: (stripe: Stripe) => Promise<T>): Promise<T> {
  try {
    return await question(await stripe());
  } catch (error) {
    readFailure(error);
    throw new ApiError("payment_provider_unavailable", undefined, { cause: error });
  }
}

/** The same, or null where Stripe knows no such object. */
export async function find<T>(question: (stripe: Stripe) => Promise<T>): Promise<T | null> {
  try {
    return await question(await stripe());
  } catch (error) {
    if (readFailure(error).code === "resource_missing") return null;
    throw new ApiError("payment_provider_unavailable", undefined, { cause: error });
  }
}

const FIELDS: Record<string, string> = {
  currency: "currency",
  payment_method: "payment_method",
  amount: "amount_cents",
};

/**
 * A failure to get a payment made, for the row that waits for it and for whoever asked. It is final when
 * Stripe will never take such a payment, whatever card.
 */
export function explainFailure(
  error: unknown,
): { code: string; refused: boolean; isFinal: boolean; failure: Error } {
  if (error instanceof ApiError) {
    return { code: error.code, refused: false, isFinal: false, failure: error };
  }
  const { outcome, kept: refused, code, param = "" } = readFailure(error);
  if (outcome === "declined") {
    const failure = new ApiError("card_declined", { decline_code: code });
    return { code, refused, isFinal: false, failure };
  }
  // Within our limits, and yet not what Stripe takes: an amount in this currency, a card not theirs.
  const field = code.startsWith("amount_too") ? "amount_cents" : FIELDS[param];
  const failure = outcome === "refused" && field
    ? invalid({ path: field, message: "is not what the payment provider takes" })
    : new ApiError("payment_provider_unavailable", undefined, { cause: error });
  return { code, refused, isFinal: outcome === "refused" && refused, failure };
}
