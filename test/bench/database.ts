// The database alone: purchases beside pgbench's own transactions on the same server, interleaved.
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import type { Load } from "./measure.ts";
import { interleave, ratio } from "./measure.ts";
import type { DatabaseRun } from "./pgbench.ts";
import { measure, pgbench } from "./pgbench.ts";
import { requireSound, runSql } from "./world.ts";

const buy = (raffle: string, quantity: number) => `
\\set user random(2, 20000)
\\set raffle ${raffle}
\\set key random(1, 9000000000000000000)
select app.bench_buy(:user, :raffle, ${quantity}, :key);
`;

export const scripts = {
  "pgbench tpcb-like": null,
  "one INSERT": "insert into app.bench_rows (a, b) values (1, 'hello');",
  "hot raffle, 1 ticket": buy("0", 1),
  "200 raffles, 1 ticket": buy("random(1, 200)", 1),
  "hot raffle, 5 tickets": buy("0", 5),
  "the rows of 1 ticket alone":
    "\\set user random(2, 20000)\n\\set key random(1, 9000000000000000000)\nselect app.bench_write(:user, :key);",
};
type Name = keyof typeof scripts;
const names = Object.keys(scripts) as Name[];

export const measureDatabase = (load: Load): Promise<string> =>
  withFreshDatabase(async (url) => {
    await withDatabase(url, (sql) => runSql(sql, "world.sql"));
    await pgbench(url, ["-i", "-s", "20", "-q"]);
    await withDatabase(url, (sql) => sql`vacuum analyze`);
    const runs = names.map((name) => [name, () => measure(url, scripts[name], load.seconds)]);
    const rows = await interleave<Name, DatabaseRun>(load, Object.fromEntries(runs));
    await requireSound(url);
    return describe(rows);
  });

function describe(rows: Record<Name, DatabaseRun>): string {
  const lines = names.map((name) => {
    const row = rows[name];
    return `| ${name} | ${Math.round(row.tps)} | ${ratio(row, rows["pgbench tpcb-like"])} | ${
      ratio(row, rows["one INSERT"])
    } | ${row.p95.toFixed(1)} | ${Math.round(row.walBytes)} |`;
  });
  return `16 clients of pgbench. The last line writes what a purchase writes and asks nothing: what no
purchase on these tables can pass.

| transaction | a second | x tpcb-like | x INSERT | p95, ms | WAL, bytes |
| --- | --- | --- | --- | --- | --- |
${lines.join("\n")}

Hot raffle / 200 raffles: ${ratio(rows["hot raffle, 1 ticket"], rows["200 raffles, 1 ticket"])}.
Five tickets / one: ${ratio(rows["hot raffle, 5 tickets"], rows["hot raffle, 1 ticket"])}.`;
}
