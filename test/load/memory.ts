// What each process of the stack keeps for itself, looked at while clients are busy.
import type postgres from "postgres";
import { readFileSync } from "node:fs";
import { quantile } from "./measure.ts";

/** Megabytes, sample after sample. */
export type Memory = Record<string, number[]>;

const SAMPLES_PER_RUN = 60;

/** What is shared with others, as Postgres shares its buffers, is not counted. */
function privateMegabytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0; // it has just ended
  }
}

async function look(sql: postgres.Sql, directory: string): Promise<Record<string, number>> {
  const parts: Record<string, { pid: number }> = JSON.parse(
    readFileSync(`${directory}/processes.json`, "utf8"),
  );
  const backends = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity where datname = current_database() and usename = 'authenticator'`;
  return {
    "gateway and clock": privateMegabytes(Deno.pid),
    functions: privateMegabytes(parts.functions.pid),
    PostgREST: privateMegabytes(parts.postgrest.pid),
    Auth: privateMegabytes(parts.auth.pid),
    "Postgres, PostgREST's connections": backends.reduce(
      (sum, { pid }) => sum + privateMegabytes(pid),
      0,
    ),
  };
}

export async function watchMemory<T>(
  { sql, directory }: { sql: postgres.Sql; directory: string },
  seconds: number,
  work: () => Promise<T>,
): Promise<{ result: T; memory: Memory }> {
  const memory: Memory = {};
  let done = false;
  const watching = (async () => {
    while (!done) {
      for (const [name, megabytes] of Object.entries(await look(sql, directory))) {
        (memory[name] ??= []).push(megabytes);
      }
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000 / SAMPLES_PER_RUN));
    }
  })();
  try {
    return { result: await work(), memory };
  } finally {
    done = true;
    await watching;
  }
}

/** Medians of the second quarter of a run, when all is warm, and of its last. */
export function trend(samples: number[]): { early: number; late: number } {
  const quarter = Math.floor(samples.length / 4);
  return {
    early: quantile(samples.slice(quarter, 2 * quarter), 0.5),
    late: quantile(samples.slice(-quarter), 0.5),
  };
}

export const isFlat = (samples: number[]): boolean => {
  const { early, late } = trend(samples);
  return late < early * 1.25 + 30;
};
