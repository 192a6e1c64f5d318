import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { listOf, page } from "../../shared/paging.ts";

const time = z.iso.datetime({ offset: true });
const currency = z.string().regex(/^[A-Z]{3}$/, "must be a three-letter currency code such as EUR");
const method = z.enum(["checkout", "payment_intent"]);
const url = z.url().max(2048);

const topup = z.object({
  id: z.uuid(),
  status: z.enum(["CREATED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"]),
  amount_cents: z.int(),
  currency,
  method,
  failure_code: z.string().nullable(),
  created_at: time,
  completed_at: time.nullable(),
});
const one = z.object({ topup });
const params = z.strictObject({ id: z.uuid() });

export const contract = defineContract("topup", {
  createTopup: {
    method: "post",
    path: "/",
    summary: "Put money into your wallet: gives a page to pay on, or a PaymentIntent to confirm",
    caller: "user",
    idempotent: true,
    body: z.strictObject({
      amount_cents: z.int().min(100).max(1_000_000),
      currency: currency.default("EUR"),
      method: method.optional(),
      success_url: url.optional(),
      cancel_url: url.optional(),
      /** A saved card, or one that the page has just made: charged at once. */
      payment_method: z.string().regex(/^pm_\w{1,255}$/, "must be a card's id").optional(),
      save_card: z.boolean().default(false),
    }).refine((body) => !body.payment_method || body.method !== "checkout", {
      path: ["payment_method"],
      message: "goes with the method payment_intent",
    }),
    status: 201,
    response: one.extend({
      checkout_url: z.url().optional(),
      payment: z.object({
        provider: z.literal("stripe"),
        payment_intent_id: z.string(),
        client_secret: z.string(),
      }).optional(),
    }),
    errors: [
      "card_declined",
      "account_suspended",
      "email_unverified",
      "self_excluded",
      "deposit_limit_reached",
      "return_url_not_allowed",
      "rate_limited",
      "payment_provider_unavailable",
    ],
  },
  listTopups: {
    method: "get",
    path: "/",
    summary: "Your top-ups, newest first",
    caller: "user",
    query: page,
    response: listOf(topup),
  },
  readTopup: {
    method: "get",
    path: "/:id",
    summary: "One of your top-ups",
    caller: "user",
    params,
    response: one,
    errors: ["topup_not_found"],
  },
  verifyTopup: {
    method: "post",
    path: "/:id/verify",
    summary: "Ask Stripe how it stands and apply the answer, for a webhook that was lost",
    caller: "user",
    params,
    response: one,
    errors: ["topup_not_found", "rate_limited", "payment_provider_unavailable"],
  },
});
