// Purchases over HTTP: PostgREST asked directly, beside the function asked through the gateway, which in
// turn asks PostgREST. The whole stack runs, with its clock.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Keys } from "../../supabase/local/keys.ts";
import { readKeys } from "../../supabase/local/keys.ts";
import { freePort } from "../../supabase/local/ports.ts";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import type { PostgresAddress } from "../../supabase/local/postgres/server.ts";
import { connectionUrl } from "../../supabase/local/postgres/server.ts";
import { startPostgrest } from "../../supabase/local/postgrest.ts";
import { denoCommand } from "../../supabase/local/process.ts";
import { startServices } from "../../supabase/local/services.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import type { Crowd, CrowdRun } from "./crowd.ts";
import type { Load } from "./measure.ts";
import { interleave, ratio } from "./measure.ts";
import { requireSound, runSql } from "./world.ts";

const CONNECTIONS = [20, 50];

export const measureHttp = (load: Load): Promise<string> =>
  withFreshDatabase(async (url) => {
    await withDatabase(url, (sql) => runSql(sql, "world.sql"));
    await withDatabase(url, (sql) => sql`vacuum analyze`);
    const rows = await withServices(url, (urls, keys) => {
      const runs = CONNECTIONS.flatMap((connections) =>
        [true, false].flatMap((hot) =>
          Object.entries(urls).map(([way, base]) => [
            nameOf(way, hot, connections),
            () => crowd({ url: base, connections, hot, seconds: load.seconds, keys }),
          ])
        )
      );
      return interleave<string, CrowdRun>(load, Object.fromEntries(runs));
    });
    await requireSound(url);
    return describe(rows);
  });

const nameOf = (way: string, hot: boolean, connections: number) =>
  `${way}, ${hot ? "hot raffle" : "200 raffles"}, ${connections}`;

/** The server that an address of one of its databases names. */
export function serverOf(url: string): PostgresAddress {
  const { port, password } = new URL(url);
  return {
    port: Number(port),
    url: (role, database) => connectionUrl(Number(port), password, role, database),
  };
}

type Urls = { rpc: string; function: string };

/** The stack on this database, and beside its own PostgREST, whose port is its secret, one like it. */
async function withServices<T>(
  url: string,
  work: (urls: Urls, keys: Keys) => Promise<T>,
): Promise<T> {
  const server = serverOf(url);
  const directory = mkdtempSync(`${tmpdir()}/rafflebase-bench-`);
  const keys = readKeys(directory);
  const database = "postgres";
  const services = await startServices({ directory, port: 0, server, database, keys });
  const restPort = freePort();
  const rest = await startPostgrest({
    directory: `${directory}/direct`,
    port: restPort,
    databaseUrl: server.url("authenticator", database),
    jwtSecret: keys.jwt_secret,
  });
  try {
    return await work({
      rpc: `http://127.0.0.1:${restPort}/rpc/begin_purchase`,
      function: `${services.apiUrl}/functions/v1/purchase`,
    }, keys);
  } finally {
    await rest.stop();
    await services.stop();
    rmSync(directory, { recursive: true });
  }
}

/** In a process of its own: the gateway runs in this one. */
async function crowd(options: Crowd): Promise<CrowdRun> {
  const [command, ...args] = denoCommand(new URL("crowd.ts", import.meta.url));
  const env = { CROWD: JSON.stringify(options) };
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function describe(rows: Record<string, CrowdRun>): string {
  const lines = Object.entries(rows).map(([name, { tps, p95, cpu }]) =>
    `| ${name} | ${Math.round(tps)} | ${p95.toFixed(1)} | ${cpu.toFixed(2)} |`
  );
  const ratios = CONNECTIONS.map((connections) => {
    const at = (way: string, hot: boolean) => rows[nameOf(way, hot, connections)];
    return `| ${connections} | ${ratio(at("function", true), at("rpc", true))} | ${
      ratio(at("function", false), at("rpc", false))
    } | ${ratio(at("function", true), at("function", false))} |`;
  });
  return `One ticket by wallet, by 20,000 people in turn over keep-alive connections. rpc: PostgREST is asked
directly; function: POST /functions/v1/purchase. The last column is what the asking side itself takes.

| way, raffles, connections | a second | p95, ms | client, cores |
| --- | --- | --- | --- |
${lines.join("\n")}

| connections | function / rpc, hot | function / rpc, 200 | function, hot / 200 |
| --- | --- | --- | --- |
${ratios.join("\n")}

Asked: function / rpc 0.5, hot / 200 0.95.`;
}
