// Where the time and the log of one purchase go: by one client, so that nobody waits for anybody.
import postgres from "postgres";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import { scripts } from "./database.ts";
import { runScript } from "./pgbench.ts";
import { addressOf, requireSound, runSql } from "./world.ts";

const PURCHASES = 5_000;
/** Before anything is counted: pages that change for the first time since a checkpoint are logged whole. */
const UNCOUNTED = 2_000;

interface Part {
  what: string;
  cost: number;
}
interface Anatomy {
  log: Part[];
  time: Part[];
}

export const measureAnatomy = (): Promise<string> =>
  withFreshDatabase(async (url) => {
    await withDatabase(url, (sql) => runSql(sql, "world.sql"));
    const superuser = addressOf(url, { username: SUPERUSER });
    await withDatabase(superuser, (sql) => sql`vacuum analyze`);
    const [purchase, rows] = [
      await takeApart(superuser, url, scripts["hot raffle, 1 ticket"]),
      await takeApart(superuser, url, scripts["the rows of 1 ticket alone"]),
    ];
    await requireSound(url);
    return describe(purchase, rows);
  });

const takeApart = (superuser: string, url: string, script: string): Promise<Anatomy> =>
  withDatabase(superuser, async (sql) => {
    const buy = (count: number) => runScript(url, script, ["-c", "1", "-t", String(count)]);
    await sql`checkpoint`;
    await buy(UNCOUNTED);
    const log = await measureLog(sql, () => buy(PURCHASES));
    const time = await measureFunctions(sql, () => buy(PURCHASES));
    return { log, time };
  });

/** What each table and index adds to the log. */
async function measureLog(sql: postgres.Sql, work: () => Promise<unknown>): Promise<Part[]> {
  await sql`create extension if not exists pg_walinspect`;
  const position = async () =>
    (await sql`select pg_current_wal_insert_lsn()::text as lsn`)[0].lsn as string;
  const [from, , to] = [await position(), await work(), await position()];
  return await sql<Part[]>`
    select coalesce(pg_filenode_relation(0, substring(block_ref from 'rel \\d+/\\d+/(\\d+)')::oid)::regclass::text,
        lower(resource_manager)) as what,
      (sum(record_length - fpi_length) / ${PURCHASES}::integer)::float as cost
    from pg_get_wal_records_info(${from}, ${to})
    group by 1 order by 2 desc`;
}

/** What each function takes beside those that it calls; SQL that is made part of its caller counts as its caller. */
async function measureFunctions(sql: postgres.Sql, work: () => Promise<unknown>): Promise<Part[]> {
  await sql`alter system set track_functions = 'all'`;
  await sql`select pg_reload_conf()`;
  await sql`select pg_stat_reset()`;
  await work();
  return await sql<Part[]>`select funcname as what, self_time * 1000 / ${PURCHASES}::integer as cost
    from pg_stat_user_functions where calls >= ${PURCHASES}::integer order by 2 desc`;
}

const WORTH_A_LINE = 0.02;
const sum = (parts: Part[]) => parts.reduce((total, { cost }) => total + cost, 0);

function tabulate(unit: string, parts: Part[], alone: Part[]): string {
  const large = parts.filter(({ cost }) => cost >= WORTH_A_LINE * sum(parts));
  const line = (what: string, cost: number, beside?: number) =>
    `| ${what} | ${Math.round(cost)} | ${beside === undefined ? "" : Math.round(beside)} |`;
  const ofAlone = (what: string) => alone.find((part) => part.what === what)?.cost;
  return [
    `| ${unit} | a purchase | its rows alone |`,
    "| --- | --- | --- |",
    ...large.map(({ what, cost }) => line(what, cost, ofAlone(what))),
    line("what is less than a fiftieth", sum(parts) - sum(large)),
    line("together", sum(parts), sum(alone)),
  ].join("\n");
}

function describe(purchase: Anatomy, rows: Anatomy): string {
  const share = (sum(purchase.time) / sum(rows.time)).toFixed(1);
  return `One client, ${
    PURCHASES.toLocaleString("en")
  } purchases of one ticket in one raffle, pages logged whole left aside.

${tabulate("log, bytes", purchase.log, rows.log)}

${tabulate("time of each function in itself, microseconds", purchase.time, rows.time)}

Asked: 1.1 x tpcb-like, 0.25 x INSERT, 2,000 bytes of log. Not reached, and why: a purchase inserts six rows with ten
index entries and changes two more, each of which some promise needs (the order, a ticket whose number is sold once,
two entries and a statement, a message, one answer for a key; seats and a balance). Written by one function that asks
nothing they already pass 2,000 bytes, and leave nothing of 1.1 x for questions. What a purchase asks before it writes
(who, how often, under which key, how old, what limits, whether there is a seat, at what price) makes it ${share} times
as long.`;
}
