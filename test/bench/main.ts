// `npm run bench`: purchases beside pgbench's own transactions, on one server and in one run, so that
// what counts is the ratio. Writes the table to RESULTS.md. Arguments: rounds, seconds a round.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import postgres from "postgres";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import type { Row } from "./database.ts";
import { measureAll, prepare } from "./database.ts";

const [rounds = 3, seconds = 10] = Deno.args.map(Number);

const rows = await withFreshDatabase(async (url) => {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await prepare(sql, url);
  const measured = await measureAll(sql, url, { rounds, seconds });
  const violations = await sql`select * from app.check_invariants()`;
  if (violations.length > 0) throw new Error(JSON.stringify(violations));
  await sql.end();
  return measured;
});

const tps = (name: string) => rows.find((row) => row.name === name)!.tps;
const line = ({ name, ...row }: Row) =>
  `| ${name} | ${Math.round(row.tps)} | ${(row.tps / tps("pgbench tpcb-like")).toFixed(2)} | ${
    (row.tps / tps("one INSERT")).toFixed(2)
  } | ${row.p95.toFixed(1)} | ${Math.round(row.walBytes)} |`;
const ratio = (one: string, other: string) => (tps(one) / tps(other)).toFixed(2);

const report = `# Measured by \`npm run bench\`

${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${
  cpus()[0].model
}, the embedded Postgres 17
with default durability, 16 clients, medians of ${rounds} rounds of ${seconds} s, interleaved.

| transaction | a second | x tpcb-like | x INSERT | p95, ms | WAL, bytes |
| --- | --- | --- | --- | --- | --- |
${rows.map(line).join("\n")}

Hot raffle / 200 raffles: ${ratio("hot raffle, 1 ticket", "200 raffles, 1 ticket")}.
Five tickets / one: ${ratio("hot raffle, 5 tickets", "hot raffle, 1 ticket")}.
`;
console.log(report);
writeFileSync(new URL("RESULTS.md", import.meta.url), report);
