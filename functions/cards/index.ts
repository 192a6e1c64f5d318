import { forgetCard, listCards } from "../../shared/cards.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { contract } from "./contract.ts";

export const app = endpoint(contract, {
  async listCards({ rpc }) {
    const items = await listCards(rpc);
    return { items, total: items.length };
  },
  async forgetCard({ rpc, params }) {
    await forgetCard(rpc, params.id);
    return { deleted: true };
  },
});

Deno.serve(app.fetch);
