import { endpoint } from "../../shared/endpoint.ts";
import { contract } from "./contract.ts";
import { type Page, streamLines } from "./stream.ts";

export const app = endpoint(contract, {
  async readDraw({ rpc, params, query: { skip, limit, format } }) {
    const read = (from: number, count: number) =>
      rpc("describe_draw", { raffle_id: params.id, skip: from, page_size: count });
    if (format === "json") return await read(skip, limit);
    return await streamLines((from, count) => read(from, count) as unknown as Promise<Page>);
  },
  proveTicket: ({ rpc, params }) =>
    rpc("prove_ticket", { raffle_id: params.id, ticket_num: params.ticket_num }),
});

Deno.serve(app.fetch);
