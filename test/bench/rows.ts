// Purchases in tables that are nearly empty, beside the same in tables of millions of rows: two databases
// of one server, measured in turn.
import postgres from "postgres";
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import { scripts } from "./database.ts";
import type { Load } from "./measure.ts";
import { interleave, ratio } from "./measure.ts";
import type { DatabaseRun } from "./pgbench.ts";
import { measure } from "./pgbench.ts";
import { addressOf, requireSound, runSql } from "./world.ts";

const FEW = 10_000;
const CHUNK = 50_000;
/** Of tables, indexes and the log, with room to spare. */
const BYTES_A_TICKET = 3000;

export async function measureRows(load: Load, many: number): Promise<string> {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < many * BYTES_A_TICKET) {
    throw new Error(`${many} tickets need ${many * BYTES_A_TICKET / 1e9} GB free in ${tmpdir()}`);
  }
  return await withFreshDatabase(async (url) => {
    const urls = { few: url, many: await makeTwin(url) };
    await fill(urls.few, FEW);
    await fill(urls.many, many);
    const script = scripts["200 raffles, 1 ticket"];
    const runs = {
      few: () => measure(urls.few, script, load.seconds),
      many: () => measure(urls.many, script, load.seconds),
    };
    // Once unmeasured: pages that change for the first time since a checkpoint are logged whole.
    await runs.few();
    await runs.many();
    const rows = await interleave(load, runs);
    const size = await sizeOf(urls.many);
    console.error("checking the books of both");
    for (const one of Object.values(urls)) await requireSound(one);
    return describe(rows, many, size);
  });
}

/** Makes the world, and a second database like it on the same server. */
async function makeTwin(url: string): Promise<string> {
  await withDatabase(url, async (sql) => {
    await runSql(sql, "world.sql");
    await runSql(sql, "rows.sql");
  });
  const aside = addressOf(url, { pathname: "template1" });
  await withDatabase(aside, (sql) => sql`create database twin template postgres`);
  return addressOf(url, { pathname: "twin" });
}

/** Two at a time, each with sales of its own. */
async function fill(url: string, tickets: number): Promise<void> {
  const sql = postgres(url, { max: 2, onnotice: () => {}, connection: { work_mem: "64MB" } });
  let next = 1;
  const work = async () => {
    while (next <= tickets) {
      const first = next;
      next = Math.min(first + CHUNK, tickets + 1);
      await sql`select bench.fill(${first}, ${next - 1}, ${tickets})`;
      if (next % 1_000_000 === 1) console.error(`filled ${next - 1} of ${tickets}`);
    }
  };
  await Promise.all([work(), work()]);
  await sql`select bench.finish()`;
  await sql.end();
  await settle(url);
}

/** Leaves nothing to be cleaned up or written out while it is measured. */
async function settle(url: string): Promise<void> {
  await withDatabase(addressOf(url, { username: SUPERUSER }), async (sql) => {
    await sql`vacuum analyze`;
    await sql`checkpoint`;
  });
}

const sizeOf = (url: string): Promise<string> =>
  withDatabase(url, async (sql) => {
    const [{ size, buffers }] = await sql`select current_setting('shared_buffers') as buffers,
      pg_size_pretty(pg_database_size(current_database())) as size`;
    return `${size} beside shared_buffers of ${buffers}`;
  });

function describe(
  rows: { few: DatabaseRun; many: DatabaseRun },
  many: number,
  size: string,
): string {
  const line = (tickets: number, { tps, p95, walBytes }: DatabaseRun) =>
    `| ${tickets.toLocaleString("en")} | ${Math.round(tps)} | ${p95.toFixed(1)} | ${
      Math.round(walBytes)
    } |`;
  return `One ticket in 200 raffles, 16 clients of pgbench; for each ticket sold before there are a purchase,
two ledger entries and an outbox row, and idempotency keys for those of the last 72 hours:
${size}.

| tickets sold before | a second | p95, ms | WAL, bytes |
| --- | --- | --- | --- |
${line(FEW, rows.few)}
${line(many, rows.many)}

Many / few: ${
    ratio(rows.many, rows.few)
  } (asked: 0.93). What is missing is pages that are logged whole, for their first
change since a checkpoint: among so many rows nearly every purchase meets some.`;
}
