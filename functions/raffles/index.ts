import { endpoint } from "../../shared/endpoint.ts";
import { cached } from "./cached.ts";
import { contract } from "./contract.ts";

export const app = endpoint(contract, {
  async listRaffles({ rpc, query, context }) {
    const { skip, limit, state, category, search, sort } = query;
    const raffles = await rpc("list_raffles", {
      skip,
      page_size: limit,
      state: state ?? null as never,
      category: category ?? null as never,
      search: search ?? null as never,
      sort,
    });
    return cached(context, raffles);
  },
  async readRaffle({ rpc, params, context }) {
    return cached(context, await rpc("get_raffle", { raffle_id: params.id }));
  },
});

Deno.serve(app.fetch);
