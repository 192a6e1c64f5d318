// `npm run bench`: what is compared runs on one machine and in one run, so that what counts is the ratio.
// Writes RESULTS.md. `npm run bench -- 3 10` gives rounds and seconds a round; `-- 3 10 database http` runs
// these parts only; `-- 1 3 rows 200000` fills with so many tickets in place of five million.
import { measureAnatomy } from "./anatomy.ts";
import { measureDatabase } from "./database.ts";
import { measureHttp } from "./http.ts";
import { writeSection } from "./report.ts";
import { measureRows } from "./rows.ts";

const numbers = Deno.args.filter((one) => /^\d+$/.test(one)).map(Number);
const words = Deno.args.filter((one) => !/^\d+$/.test(one));
const [rounds = 3, seconds = 10, tickets = 5_000_000] = numbers;
const load = { rounds, seconds };

const parts: Record<string, { title: string; measure: () => Promise<string> }> = {
  database: { title: "The database alone", measure: () => measureDatabase(load) },
  anatomy: { title: "A purchase taken apart", measure: measureAnatomy },
  rows: { title: "Rows present", measure: () => measureRows(load, tickets) },
  http: { title: "Over HTTP", measure: () => measureHttp(load) },
};
const unknown = words.find((word) => !(word in parts));
if (unknown) throw new Error(`There is no part "${unknown}"; there are ${Object.keys(parts)}.`);

const order = Object.values(parts).map(({ title }) => title);
for (const [name, { title, measure }] of Object.entries(parts)) {
  if (words.length > 0 && !words.includes(name)) continue;
  writeSection(order, title, load, await measure());
}
Deno.exit(0);
