// `npm run restore-drill`: is what we keep enough to go on? Takes a dump, restores it into an empty server of
// its own, and looks at everything that must hold. What it was taken from is only read.
import postgres from "postgres";
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { readKeys } from "../keys.ts";
import { leaveFolder, sweepFolders, takeFolder } from "../owner.ts";
import { freePort } from "../ports.ts";
import { createRoles, migrate, prepareDatabase } from "../postgres/database.ts";
import { startPostgres, SUPERUSER } from "../postgres/server.ts";
import { root } from "../root.ts";
import { runningStack } from "../stack.ts";
import type { Check } from "./checks.ts";
import { checkDraws, checkHead, checkInvariants, checkJobs, checkSequences } from "./checks.ts";
import { dump } from "./dump.ts";
import { load } from "./load.ts";

const USAGE = `npm run restore-drill [-- <source>]

  (nothing)             dumps the stack that npm start runs here
  --from <url>          dumps the database with this address; it is only read
  --keep <file>         and keeps the dump
  <file>                takes a dump that is there, of supabase db dump --data-only --use-copy`;

const home = `${root}supabase/.local`;

try {
  await main(Deno.args);
} catch (error) {
  console.error(`WRONG ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
Deno.exit(0);

async function main(args: string[]): Promise<void> {
  const began = Date.now();
  const source = readArguments(args);
  await sweepFolders(home, "drill-");
  const directory = `${home}/drill-${crypto.randomUUID().slice(0, 8)}`;
  mkdirSync(home, { recursive: true });
  takeFolder(directory);
  try {
    const file = await findDump(source, `${directory}/dump.sql`);
    await withEmptyServer(directory, async (url) => {
      say(`an empty server has our migrations`);
      const { rows, head } = await load(file, url(SUPERUSER));
      const total = [...rows.values()].reduce((sum, one) => sum + one, 0);
      say(`${total} rows of ${rows.size} tables are restored`);
      await withSql(url("postgres"), async (sql) => {
        const checks = [checkHead(head), checkInvariants, checkSequences, checkDraws(directory)];
        for (const check of [...checks, checkJobs, checkInvariants] as Check[]) {
          say(await check(sql));
        }
      });
    });
  } finally {
    leaveFolder(directory);
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(`What was dumped can be restored (${Math.round((Date.now() - began) / 1000)} s).`);
}

interface Source {
  file?: string;
  from?: string;
  keep?: string;
}

function readArguments(args: string[]): Source {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { from: { type: "string" }, keep: { type: "string" } },
    });
    const [file, ...more] = positionals;
    if (more.length > 0 || file && (values.from || values.keep)) {
      throw new Error("That is too much.");
    }
    return { file, ...values };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`);
  }
}

async function findDump({ file, from, keep }: Source, made: string): Promise<string> {
  if (file) {
    if (!existsSync(file)) throw new Error(`There is no file ${file}.\n${USAGE}`);
    return file;
  }
  const url = from ?? runningStack(home)?.db_url;
  if (!url) throw new Error(`No stack runs here: npm start, or name a source.\n${USAGE}`);
  await dump(url, made);
  say(`dumped ${Math.ceil(statSync(made).size / 1000)} kB`);
  if (keep) copyFileSync(made, keep);
  return made;
}

async function withEmptyServer(
  directory: string,
  work: (url: (role: string) => string) => Promise<void>,
): Promise<void> {
  const { database_password: password } = readKeys(directory);
  const server = await startPostgres({ directory, port: freePort(), password });
  try {
    await createRoles(server, password);
    await prepareDatabase(server, "postgres");
    const url = (role: string) => server.url(role, "postgres");
    await migrate(url("postgres"));
    await work(url);
  } finally {
    await server.stop();
  }
}

async function withSql(url: string, work: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}

function say(line: string): void {
  console.log(`ok    ${line}`);
}
