import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { closeDue } from "./close.ts";
import { contract } from "./contract.ts";

// Who calls does not matter, so the work is the system's: it does what is due and takes nothing from
// the request but which raffle to look at.
export const app = endpoint(contract, {
  async closeDue({ rpc, requestId }) {
    await rpc("report_health"); // who sends a token sends a good one, here as everywhere
    return await closeDue(systemDatabase(requestId), requestId, null);
  },
  async closeOne({ rpc, params, requestId }) {
    await rpc("describe_state", { raffle_id: params.id });
    await closeDue(systemDatabase(requestId), requestId, params.id);
    return await rpc("describe_state", { raffle_id: params.id });
  },
});

Deno.serve(app.fetch);
