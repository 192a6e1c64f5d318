import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { contract } from "./contract.ts";
import { readEvent } from "./event.ts";

export const app = endpoint(contract, {
  async receiveEvent({ context, requestId }) {
    const body = new Uint8Array(await context.req.arrayBuffer());
    const event = await readEvent(body, context.req.header("stripe-signature"));
    // Stripe is no user; what it says is believed because it is signed.
    const system = systemDatabase(requestId);
    const { event_id, outcome } = await system("receive_stripe_event", {
      event: event as never,
    }) as { event_id: string; outcome: string };
    // Quarantined is for operators: to Stripe it is received, and nothing came of it.
    return { received: true, event_id, outcome: outcome === "quarantined" ? "ignored" : outcome };
  },
});

Deno.serve(app.fetch);
