// RESULTS.md: a row for each guard. What is not tried this time stays as it was.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Guard } from "./guard.ts";
import { themes } from "./guards/index.ts";

const file = new URL("RESULTS.md", import.meta.url);

export function writeResults(tried: Guard[], caught: Map<Guard, string>): void {
  const rows = readRows();
  for (const guard of tried) rows.set(guard.name, rowOf(guard, caught.get(guard)));
  const all = Object.values(themes).flat();
  const count = all.filter(({ name }) => rows.has(name) && isCaught(rows.get(name)!)).length;
  const sections = Object.entries(themes).map(([theme, list]) =>
    [
      `## ${theme}\n`,
      "| guard | where | test that turned red |",
      "| --- | --- | --- |",
      ...list.flatMap(({ name }) => rows.get(name) ?? []),
    ].join("\n")
  );
  const head =
    `# What \`npm run mutate\` found\n\n${count} of ${all.length} guards caught: each was ` +
    "taken away alone, and the test beside it turned red.";
  writeFileSync(file, `${[head, ...sections].join("\n\n")}\n`);
}

/** The rows as they are written down, by the guard's name. */
export function readRows(): Map<string, string> {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const rows = text.split("\n").filter((line) => line.startsWith("| ")).map((line) =>
    [line.split(" | ")[0].slice(2), line] as const
  );
  return new Map(rows);
}

export const isCaught = (row: string): boolean => !row.endsWith(`${SURVIVED} |`);

const SURVIVED = "**none**";

function rowOf({ name, file, test }: Guard, title?: string): string {
  const plain = (text: string) =>
    text.replaceAll("|", "\\|").replaceAll("\n", " ").replace(/SEED=\d+/, "SEED=…");
  const noticed = title === undefined
    ? SURVIVED
    : `${plain(title)} ([${test.replace(/^test\/|\.test\.ts$/g, "")}](../../${test}))`;
  return `| ${name} | ${file} | ${noticed} |`;
}
