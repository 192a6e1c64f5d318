// Breaks a copy of the project and looks which test turns red.
import { spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { root } from "../../supabase/local/root.ts";
import { copyCheckout } from "../support/checkout.ts";
import type { Guard } from "./guard.ts";
import { editsOf } from "./guard.ts";

/** Broken: no test got as far as to say anything, so that nothing is shown. */
export type Verdict =
  | { outcome: "green" }
  | { outcome: "red"; title: string }
  | { outcome: "broken"; output: string };

const LONGEST_MS = 300_000;

export function makeCopy(): string {
  const copy = copyCheckout("rafflebase-mutation-");
  // Tests hold documents against the code as well.
  for (const name of ["test", "docs", "README.md"]) {
    cpSync(`${root}${name}`, `${copy}/${name}`, { recursive: true });
  }
  return copy;
}

export const removeCopy = (copy: string) => rmSync(copy, { recursive: true, force: true });

/** What the tests say of the copy with this guard mutated; afterwards the copy is as it was. */
export async function tryGuard(copy: string, guard: Guard): Promise<Verdict> {
  const file = `${copy}/${guard.file}`;
  const whole = readFileSync(file, "utf8");
  writeFileSync(file, mutate(whole, guard));
  try {
    return await runTests(copy, guard.test, guard.noticed);
  } finally {
    writeFileSync(file, whole);
  }
}

export function mutate(text: string, guard: Guard): string {
  return editsOf(guard).reduce((text, { from, to }) => {
    if (text.split(from).length !== 2) throw new Error(`${guard.name}: not once in ${guard.file}`);
    return text.replace(from, () => to);
  }, text);
}

/** Runs a file of tests, or those of its tests whose titles have the words in them. */
export async function runTests(copy: string, file: string, words?: string): Promise<Verdict> {
  const report = `${copy}/report.json`;
  rmSync(report, { force: true });
  const output = await vitest(copy, [
    file,
    "--bail=1",
    "--reporter=json",
    `--outputFile=${report}`,
    ...(words ? ["-t", words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")] : []),
  ]);
  if (!existsSync(report)) return { outcome: "broken", output };
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    testResults: { message: string; assertionResults: { title: string; status: string }[] }[];
  };
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.find(({ status }) => status === "failed");
  if (failed) return { outcome: "red", title: failed.title };
  if (results.some(({ status }) => status === "passed")) return { outcome: "green" };
  return {
    outcome: "broken",
    output: testResults.map(({ message }) => message).join("\n") || output,
  };
}

function vitest(copy: string, args: string[]): Promise<string> {
  const child = spawn("node", [
    "supabase/local/run.mjs",
    "npm:vitest",
    "run",
    "--config",
    "test/vitest.config.ts",
    ...args,
  ], {
    cwd: copy,
    // Also for a run that a long run of the tests has begun.
    env: { ...Deno.env.toObject(), TEST_SCALE: "short" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (text) => output += text);
  child.stderr.on("data", (text) => output += text);
  const late = setTimeout(() => child.kill("SIGTERM"), LONGEST_MS);
  return new Promise((resolve) =>
    child.once("close", () => {
      clearTimeout(late);
      resolve(output);
    })
  );
}
