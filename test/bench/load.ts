// Under load: the scenario of test/load with its large numbers, on a stack of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { readKeys } from "../../supabase/local/keys.ts";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { startServices } from "../../supabase/local/services.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import { describeFlood, describeRush } from "../load/report.ts";
import type { Site } from "../load/scenario.ts";
import { buildWorld, calibrate, flood, recover, rush } from "../load/scenario.ts";
import { serverOf } from "./http.ts";
import { requireSound } from "./world.ts";

const CROWD = { clients: 1000, seconds: 180 };
const FLOOD = { clients: 2000, seconds: 30 };

export const measureLoad = (): Promise<string> =>
  withFreshDatabase(async (url) => {
    const directory = mkdtempSync(`${tmpdir()}/rafflebase-load-`);
    const keys = readKeys(directory);
    const database = "postgres";
    const services = await startServices({
      directory,
      port: 0,
      server: serverOf(url),
      database,
      keys,
    });
    try {
      const { apiUrl } = services;
      const report = await withDatabase(
        url,
        (sql) => measure({ apiUrl, keys, directory, sql, seed: 1 }),
      );
      await requireSound(url);
      return report;
    } finally {
      await services.stop();
      rmSync(directory, { recursive: true });
    }
  });

async function measure(site: Site): Promise<string> {
  await buildWorld(site.sql);
  const carried = await calibrate(site, 10);
  const { outcome, memory } = await rush(site, carried, CROWD);
  const crowd = describeRush(outcome, memory);
  const drowned = await flood(site, carried, FLOOD);
  const recovery = await recover(site, carried);
  const wrong = [...outcome.wrong, ...drowned.wrong];
  if (wrong.length > 0) throw new Error(wrong.slice(0, 10).join("\n"));
  return `Clients, gateway, functions, PostgREST and Postgres share the cores. Sixteen clients who do not think are
answered ${Math.round(carried.rate)} times a second: what the machine carries.

${CROWD.clients} clients for ${CROWD.seconds} s who think, and ask for two fifths of that: ${crowd}

Ten times what it carries, ${
    Math.round(10 * carried.rate)
  } requests a second, for ${FLOOD.seconds} s:

${describeFlood(drowned, FLOOD.seconds, recovery)}`;
}
