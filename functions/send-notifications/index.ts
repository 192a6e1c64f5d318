import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { contract } from "./contract.ts";
import { sendDue } from "./send.ts";

// Nobody is signed in: the scheduler calls, and messages are about everybody.
export const app = endpoint(contract, {
  sendDue: ({ requestId }) => sendDue(systemDatabase(requestId), requestId),
});

Deno.serve(app.fetch);
