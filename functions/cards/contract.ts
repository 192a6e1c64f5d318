import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

const card = z.object({
  id: z.string(),
  brand: z.string(),
  last4: z.string(),
  exp_month: z.int(),
  exp_year: z.int(),
});

export const contract = defineContract("cards", {
  listCards: {
    method: "get",
    path: "/",
    summary: "Your saved cards; Stripe keeps them",
    caller: "user",
    response: z.object({ items: z.array(card), total: z.int() }),
    errors: ["payment_provider_unavailable"],
  },
  forgetCard: {
    method: "delete",
    path: "/:id",
    summary: "Forget a saved card",
    caller: "user",
    params: z.strictObject({ id: z.string().regex(/^pm_\w{1,255}$/, "must be a card's id") }),
    response: z.object({ deleted: z.literal(true) }),
    errors: ["card_not_found", "payment_provider_unavailable"],
  },
});
