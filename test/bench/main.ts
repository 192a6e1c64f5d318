// `npm run bench`: what is compared runs on one machine and in one run, so that what counts is the ratio.
// Writes RESULTS.md. `npm run bench -- 3 10` gives rounds and seconds a round; `-- 3 10 database http` runs
// these parts only; `-- 1 3 rows 200000` fills with so many tickets in place of five million. The load is
// always one run of some minutes.
import { measureAnatomy } from "./anatomy.ts";
import { measureDatabase } from "./database.ts";
import { measureHttp } from "./http.ts";
import { measureLoad } from "./load.ts";
import { writeSection } from "./report.ts";
import { measureRows } from "./rows.ts";

const numbers = Deno.args.filter((one) => /^\d+$/.test(one)).map(Number);
const words = Deno.args.filter((one) => !/^\d+$/.test(one));
const [rounds = 3, seconds = 10, tickets = 5_000_000] = numbers;
const load = { rounds, seconds };

const interleaved = `medians of ${rounds} rounds of ${seconds} s, interleaved`;
const parts: Record<string, { title: string; measure: () => Promise<string>; how?: string }> = {
  database: { title: "The database alone", measure: () => measureDatabase(load) },
  anatomy: { title: "A purchase taken apart", measure: measureAnatomy, how: "one run" },
  rows: { title: "Rows present", measure: () => measureRows(load, tickets) },
  http: { title: "Over HTTP", measure: () => measureHttp(load) },
  load: { title: "Under load", measure: measureLoad, how: "one run" },
};
const unknown = words.find((word) => !(word in parts));
if (unknown) throw new Error(`There is no part "${unknown}"; there are ${Object.keys(parts)}.`);

const order = Object.values(parts).map(({ title }) => title);
for (const [name, { title, measure, how = interleaved }] of Object.entries(parts)) {
  if (words.length > 0 && !words.includes(name)) continue;
  writeSection(order, title, how, await measure());
}
Deno.exit(0);
