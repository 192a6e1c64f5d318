import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { numbers, purchase, tickets } from "../../shared/purchase-shape.ts";

export const contract = defineContract("redeem-ticket", {
  redeemTicket: {
    method: "post",
    path: "/",
    summary: "Take the tickets of a purchase that was made with redeem: false",
    caller: "user",
    idempotent: true,
    body: z.strictObject({ purchase_id: z.uuid(), numbers: numbers.optional() }),
    status: 201,
    response: z.object({ purchase, tickets }),
    errors: [
      "purchase_not_found",
      "purchase_not_confirmed",
      "purchase_already_redeemed",
      "purchase_not_redeemable",
      "raffle_not_open",
      "number_taken",
      "number_out_of_range",
      "rate_limited",
    ],
  },
});
