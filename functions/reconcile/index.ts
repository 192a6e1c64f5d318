import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { contract } from "./contract.ts";
import { applyLostEvents, applyObjects } from "./lost.ts";
import { sweep } from "./sweep.ts";

// Nobody is signed in: the scheduler calls, and Stripe is who is believed.
export const app = endpoint(contract, {
  async reconcile({ body: { days }, requestId }) {
    const system = systemDatabase(requestId);
    const since = Math.floor(Date.now() / 1000) - days * 86_400;
    const events = await applyLostEvents(system, since, days);
    return { events, objects: await applyObjects(system, since) };
  },
  sweep: ({ requestId }) => sweep(systemDatabase(requestId), requestId),
});

Deno.serve(app.fetch);
