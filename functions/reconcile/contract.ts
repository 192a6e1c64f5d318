import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

export const contract = defineContract("reconcile", {
  reconcile: {
    method: "post",
    path: "/",
    summary:
      "List what Stripe knows of the last days, apply what never reached us, and report what Stripe denies",
    caller: "scheduler",
    body: z.strictObject({ days: z.int().min(1).max(30).default(3) }),
    response: z.object({
      events: z.object({ seen: z.int(), applied: z.int() }),
      objects: z.object({ seen: z.int(), applied: z.int() }),
      denied: z.array(z.string()),
    }),
    errors: ["payment_provider_unavailable"],
  },
  sweep: {
    method: "post",
    path: "/sweep",
    summary:
      "Finish or cancel what something has left unfinished; cancel what expired; send refunds",
    caller: "scheduler",
    response: z.object({
      topups: z.array(z.uuid()),
      withdrawals: z.array(z.uuid()),
      purchases: z.array(z.uuid()),
      refunds: z.array(z.uuid()),
      failed: z.array(z.uuid()),
    }),
  },
});
