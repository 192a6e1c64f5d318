// RESULTS.md: a section for each part of the benchmark. What is not measured this time stays as it was.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";

const file = new URL("RESULTS.md", import.meta.url);
const HEAD = "# Measured by `npm run bench`\n";

export function writeSection(
  order: string[],
  title: string,
  how: string,
  body: string,
) {
  const date = new Date().toISOString().slice(0, 10);
  const section = `## ${title}\n\n${date}, ${cpus().length} x ${
    cpus()[0].model
  }, the embedded Postgres 17
with default durability, ${how}.\n\n${body}\n`;
  console.log(`\n${section}`);
  const sections = readSections().set(title, section);
  const kept = order.flatMap((one) => sections.get(one) ?? []);
  writeFileSync(file, [HEAD, ...kept].join("\n"));
}

function readSections(): Map<string, string> {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const sections = text.split(/^(?=## )/m).filter((one) => one.startsWith("## "));
  return new Map(sections.map((one) => [one.slice(3, one.indexOf("\n")), `${one.trimEnd()}\n`]));
}
