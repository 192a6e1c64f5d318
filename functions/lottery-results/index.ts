import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { env } from "../../shared/env.ts";
import { logFailure } from "../../shared/report.ts";
import { contract } from "./contract.ts";
import { askFeed } from "./feed.ts";

interface Awaited {
  lottery_id: string;
  name: string;
  draw_date: string;
}

// Nobody is signed in: the scheduler calls. What the feed says counts only once an operator says the same.
export const app = endpoint(contract, {
  async fetchResults({ requestId }) {
    const system = systemDatabase(requestId);
    const feed = env().LOTTERY_FEED_URL;
    const entered: Omit<Awaited, "name">[] = [];
    const missing: Omit<Awaited, "name">[] = [];
    const awaited = await system("awaited_results", { max_rows: 50 }) as unknown as Awaited[];
    for (const { lottery_id, name, draw_date } of feed ? awaited : []) {
      try {
        const result = await askFeed(feed!, name, draw_date);
        if (result) await system("record_feed_result", { lottery_id, draw_date, ...result });
        (result ? entered : missing).push({ lottery_id, draw_date });
      } catch (error) {
        missing.push({ lottery_id, draw_date });
        logFailure(error, requestId);
      }
    }
    return { entered, missing };
  },
});

Deno.serve(app.fetch);
