// The database alone: purchases beside pgbench's own transactions on the same server, interleaved.
import type postgres from "postgres";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Run } from "./pgbench.ts";
import { measure, pgbench } from "./pgbench.ts";

const buy = (raffle: string, quantity: number) => `
\\set user random(2, 20000)
\\set raffle ${raffle}
\\set key random(1, 9000000000000000000)
select app.bench_buy(:user, :raffle, ${quantity}, :key);
`;

export const scripts: Record<string, string | null> = {
  "pgbench tpcb-like": null,
  "one INSERT": "insert into app.bench_rows (a, b) values (1, 'hello');",
  "hot raffle, 1 ticket": buy("0", 1),
  "200 raffles, 1 ticket": buy("random(1, 200)", 1),
  "hot raffle, 5 tickets": buy("0", 5),
};

export interface Row extends Run {
  name: string;
  walBytes: number;
}

export async function prepare(sql: postgres.Sql, url: string) {
  await sql.unsafe(readFileSync(new URL("world.sql", import.meta.url), "utf8"));
  await pgbench(url, ["-i", "-s", "20", "-q"]);
  await sql`vacuum analyze`;
}

/** The median of each script over several rounds. */
export async function measureAll(
  sql: postgres.Sql,
  url: string,
  { rounds, seconds }: { rounds: number; seconds: number },
  names = Object.keys(scripts),
): Promise<Row[]> {
  const folder = mkdtempSync(`${tmpdir()}/rafflebase-bench-`);
  const runs: Record<string, Row[]> = Object.fromEntries(names.map((name) => [name, []]));
  const wal = async () =>
    (await sql`select pg_current_wal_lsn() - '0/0'::pg_lsn as bytes`)[0].bytes;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const before = await wal();
      const run = await measure(url, folder, scripts[name], seconds);
      const walBytes = (Number(await wal()) - Number(before)) / (run.tps * seconds);
      runs[name].push({ name, ...run, walBytes });
      console.error(`${round + 1}/${rounds} ${name}: ${Math.round(run.tps)} a second`);
    }
  }
  rmSync(folder, { recursive: true });
  const median = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
  return names.map((name) => ({
    name,
    tps: median(runs[name].map((run) => run.tps)),
    p95: median(runs[name].map((run) => run.p95)),
    walBytes: median(runs[name].map((run) => run.walBytes)),
  }));
}
