import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { logFailure } from "../../shared/report.ts";
import { contract } from "./contract.ts";
import { reportDenied } from "./denied.ts";
import { applyLostEvents, applyObjects } from "./lost.ts";
import type { Run } from "./run.ts";
import { sweep } from "./sweep.ts";

// Nobody is signed in: the scheduler calls, and Stripe is who is believed.
export const app = endpoint(contract, {
  async reconcile({ body: { days }, requestId }) {
    const failures: Error[] = [];
    const run: Run = {
      system: systemDatabase(requestId),
      days,
      since: Math.floor(Date.now() / 1000) - days * 86_400,
      listed: [],
      denied: [],
      gone: new Set(),
      attempt: (work) => work().catch((error) => void failures.push(error)),
    };
    const events = await applyLostEvents(run);
    const objects = await applyObjects(run);
    await reportDenied(run);
    for (const failure of failures.slice(1)) logFailure(failure.cause ?? failure, requestId);
    if (failures.length > 0) throw failures[0];
    return { events, objects, denied: run.denied };
  },
  sweep: ({ requestId }) => sweep(systemDatabase(requestId), requestId),
});

Deno.serve(app.fetch);
