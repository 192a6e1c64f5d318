import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { proof, seal, ticket } from "../../shared/draw-shape.ts";

const id = z.uuid();

export const contract = defineContract("verify-draw", {
  readDraw: {
    method: "get",
    path: "/:id",
    summary: "Everything a draw was made of; format=ndjson streams all tickets, one a line",
    caller: "anyone",
    params: z.strictObject({ id }),
    query: z.strictObject({
      skip: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
      limit: z.coerce.number().int().min(1).max(10_000).default(10_000),
      format: z.enum(["json", "ndjson"]).default("json"),
    }),
    response: seal.extend({
      algorithm: z.literal("rafflebase-draw-v1"),
      raffle_id: id,
      state: z.enum(["CLOSED", "DRAWN", "SETTLED", "CANCELLED"]),
      winners_count: z.int(),
      tickets: z.array(ticket),
    }),
    errors: ["raffle_not_found", "raffle_not_sealed"],
  },
  proveTicket: {
    method: "get",
    path: "/:id/tickets/:ticket_num",
    summary: "The proof that a ticket was sealed; its owner gets the salt too",
    caller: "anyone",
    params: z.strictObject({ id, ticket_num: z.coerce.number().int().min(0).max(2_147_483_647) }),
    response: proof,
    errors: ["raffle_not_found", "raffle_not_sealed", "ticket_not_found"],
  },
});
