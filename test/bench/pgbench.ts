// Debian's pgbench, as a function.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import type { Run } from "./measure.ts";
import { p95 } from "./measure.ts";

/** walBytes: what a transaction wrote to the log. */
export type DatabaseRun = Run & { walBytes: number };

export function findPgbench(): string {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const places = [
    ...versions.map((one) => `/usr/lib/postgresql/${one}/bin/pgbench`),
    "/usr/bin/pgbench",
    "/usr/local/bin/pgbench",
    "/opt/homebrew/bin/pgbench",
  ];
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new Error("The benchmark needs pgbench. On Debian: apt-get install postgresql-contrib");
}

export async function pgbench(url: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(findPgbench(), { args: [...args, url] })
    .output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(text);
  return text;
}

/** Runs a script, or without one what pgbench calls tpcb-like. */
export async function runScript(
  url: string,
  script: string | null,
  args: string[],
): Promise<string> {
  const folder = mkdtempSync(`${tmpdir()}/rafflebase-bench-`);
  try {
    const file = `${folder}/script.sql`;
    if (script) writeFileSync(file, script);
    const text = await pgbench(url, [
      "-n",
      "-M",
      "prepared",
      ...args,
      ...(script ? ["-f", file] : []),
    ]);
    if (/number of failed transactions: [1-9]/.test(text)) throw new Error(text);
    return text;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** For so long, with 16 clients. */
export async function measure(
  url: string,
  script: string | null,
  seconds: number,
): Promise<DatabaseRun> {
  const folder = mkdtempSync(`${tmpdir()}/rafflebase-bench-`);
  try {
    const load = ["-c", "16", "-j", "2", "-T", String(seconds)];
    const logging = ["-l", `--log-prefix=${folder}/log`, "--sampling-rate=0.2"];
    const before = await bytesWritten(url);
    const text = await runScript(url, script, [...load, ...logging]);
    const tps = Number(/tps = ([\d.]+)/.exec(text)![1]);
    const walBytes = (await bytesWritten(url) - before) / (tps * seconds);
    return { tps, p95: p95(readTimes(folder)), walBytes };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const bytesWritten = (url: string): Promise<number> =>
  withDatabase(
    url,
    async (sql) =>
      Number((await sql`select pg_current_wal_lsn() - '0/0'::pg_lsn as bytes`)[0].bytes),
  );

/** In milliseconds. The third field of each line of pgbench's log is the time in microseconds. */
function readTimes(folder: string): number[] {
  return readdirSync(folder).filter((name) => name.startsWith("log")).flatMap((name) =>
    Deno.readTextFileSync(`${folder}/${name}`).trim().split("\n")
      .map((line) => Number(line.split(" ")[2]) / 1000)
  );
}
