// `npm run mutate` takes the guards away one at a time, each in a copy of the project, looks whether the test
// turns red that is named beside it, and writes RESULTS.md. `npm run mutate -- lock wallet` tries those with
// both words in their name, theme or file; what is said of the others stays.
import type { Guard } from "./guard.ts";
import { guards, themes } from "./guards/index.ts";
import { writeResults } from "./results.ts";
import { makeCopy, removeCopy, runTests, tryGuard } from "./run.ts";

const words = Deno.args.map((one) => one.toLowerCase());
const chosen = Object.entries(themes).flatMap(([theme, list]) =>
  list.filter(({ name, file }) =>
    words.every((word) => `${theme} ${name} ${file}`.toLowerCase().includes(word))
  )
);

/** Two cores: two at a time, each in a copy of its own. */
async function inCopies<T>(list: T[], work: (copy: string, one: T) => Promise<void>) {
  const waiting = [...list];
  await Promise.all([1, 2].map(async () => {
    const copy = makeCopy();
    try {
      for (let one = waiting.shift(); one; one = waiting.shift()) await work(copy, one);
    } finally {
      removeCopy(copy);
    }
  }));
}

let faults = 0;
await inCopies([...new Set(chosen.map(({ test }) => test))], async (copy, test) => {
  const verdict = await runTests(copy, test);
  if (verdict.outcome === "green") return;
  console.log(`${verdict.outcome} without any mutation: ${test}`);
  console.log(verdict.outcome === "red" ? verdict.title : verdict.output.slice(-2000));
  faults++;
});
if (faults > 0) Deno.exit(1);

const results = new Map<Guard, string>();
await inCopies(chosen, async (copy, guard) => {
  const verdict = await tryGuard(copy, guard);
  if (verdict.outcome === "red") results.set(guard, verdict.title);
  console.log(`${verdict.outcome === "green" ? "SURVIVED" : verdict.outcome}: ${guard.name}`);
  if (verdict.outcome === "broken") console.log(verdict.output.slice(-2000));
});
writeResults(chosen, results);
console.log(
  `${results.size} of ${chosen.length} guards caught` +
    (chosen.length < guards.length ? ` (there are ${guards.length})` : ""),
);
Deno.exit(results.size === chosen.length ? 0 : 1);
