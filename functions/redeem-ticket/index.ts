import { endpoint } from "../../shared/endpoint.ts";
import { contract } from "./contract.ts";

export const app = endpoint(contract, {
  redeemTicket: ({ rpc, body, idempotencyKey }) =>
    rpc("redeem_ticket", {
      purchase_id: body.purchase_id,
      numbers: body.numbers ?? null as never,
      idempotency_key: idempotencyKey,
    }),
});

Deno.serve(app.fetch);
