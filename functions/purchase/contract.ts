import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { listOf, page } from "../../shared/paging.ts";
import { numbers, purchase, tickets } from "../../shared/purchase-shape.ts";

const one = z.object({ purchase, tickets });
const params = z.strictObject({ id: z.uuid() });

export const contract = defineContract("purchase", {
  createPurchase: {
    method: "post",
    path: "/",
    summary: "Buy tickets: by wallet at once, by card once it is paid",
    caller: "user",
    idempotent: true,
    body: z.strictObject({
      raffle_id: z.uuid(),
      quantity: z.int().min(-2_147_483_648).max(2_147_483_647).optional(),
      numbers: numbers.optional(),
      type: z.enum(["ENTRY", "BOOST", "RETRY"]).default("ENTRY"),
      payment_method: z.enum(["wallet", "card"]),
      redeem: z.boolean().default(true),
      ticket_id: z.int().min(1).optional(),
    }).refine(({ quantity, numbers }) => quantity !== undefined || numbers !== undefined, {
      path: ["quantity"],
      message: "send a quantity, or numbers",
    }),
    status: 201,
    response: one.extend({
      payment: z.object({
        provider: z.literal("stripe"),
        payment_intent_id: z.string(),
        client_secret: z.string(),
      }).optional(),
      wallet: z.object({
        balance_cents: z.int(),
        available_cents: z.int(),
        currency: z.string(),
      }).optional(),
    }),
    errors: [
      "balance_insufficient",
      "card_declined",
      "account_suspended",
      "email_unverified",
      "wallet_suspended",
      "age_restricted",
      "self_excluded",
      "spend_limit_reached",
      "raffle_not_found",
      "ticket_not_found",
      "raffle_not_open",
      "raffle_sold_out",
      "ticket_limit_reached",
      "number_taken",
      "boost_limit_reached",
      "retry_not_available",
      "quantity_out_of_range",
      "number_out_of_range",
      "rate_limited",
      "payment_provider_unavailable",
    ],
  },
  listPurchases: {
    method: "get",
    path: "/",
    summary: "Your purchases, newest first",
    caller: "user",
    query: page,
    response: listOf(purchase),
  },
  readPurchase: {
    method: "get",
    path: "/:id",
    summary: "One of your purchases, with its tickets",
    caller: "user",
    params,
    response: one,
    errors: ["purchase_not_found"],
  },
  verifyPurchase: {
    method: "post",
    path: "/:id/verify",
    summary:
      "Ask Stripe how a card purchase stands and apply the answer, for a webhook that was lost",
    caller: "user",
    params,
    response: one,
    errors: ["purchase_not_found", "rate_limited", "payment_provider_unavailable"],
  },
});
