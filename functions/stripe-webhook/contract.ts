import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

export const contract = defineContract("stripe-webhook", {
  receiveEvent: {
    method: "post",
    path: "/",
    summary: "Where Stripe delivers its events, signed in the header Stripe-Signature",
    caller: "anyone",
    reserved: true,
    response: z.object({
      received: z.literal(true),
      event_id: z.string(),
      outcome: z.enum(["applied", "duplicate", "ignored"]),
    }),
    errors: ["signature_invalid", "request_invalid", "body_too_large"],
  },
});
