// A purchase and its tickets, as several endpoints show them.
import { z } from "zod";

const time = z.iso.datetime({ offset: true });

export const purchase = z.object({
  id: z.uuid(),
  raffle_id: z.uuid(),
  type: z.enum(["ENTRY", "BOOST", "RETRY"]),
  status: z.enum(["PENDING", "CONFIRMED", "FAILED", "EXPIRED", "REFUNDED"]),
  quantity: z.int(),
  amount_cents: z.int(),
  currency: z.string(),
  payment_method: z.enum(["wallet", "card"]),
  redeemed: z.boolean(),
  failure_code: z.string().nullable(),
  expires_at: time.nullable(),
  created_at: time,
});

/** Those of a cancelled raffle are `voided: true`; others say nothing of it. */
export const tickets = z.array(
  z.object({ id: z.int(), ticket_num: z.int(), voided: z.literal(true).optional() }),
);

/** Which numbers they may be the raffle says; here they only have to be numbers. */
export const numbers = z.array(z.int().min(0).max(2_147_483_647)).min(1).max(100);
