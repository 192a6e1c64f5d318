import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { seal } from "../../shared/draw-shape.ts";

const id = z.uuid();

export const contract = defineContract("close-raffle", {
  closeDue: {
    method: "post",
    path: "/",
    summary: "Seal, draw and settle what is due; anyone may call, as often as they like",
    caller: "anyone",
    response: z.object({
      sealed: z.array(id),
      drawn: z.array(id),
      cancelled: z.array(id),
      waiting: z.array(z.object({
        raffle_id: id,
        round: z.int(),
        expected_at: z.iso.datetime({ offset: true }),
      })),
    }),
  },
  closeOne: {
    method: "post",
    path: "/:id",
    summary: "The same for one raffle",
    caller: "anyone",
    params: z.strictObject({ id }),
    response: z.object({
      raffle: z.object({
        id,
        state: z.enum(["OPEN", "FULL", "CLOSED", "DRAWN", "SETTLED", "CANCELLED"]),
      }),
      draw: seal.optional(),
    }),
    errors: ["raffle_not_found"],
  },
});
