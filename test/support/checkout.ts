// A copy of the checkout to start stacks in, edit functions in and kill processes in.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import type { StackDescription } from "../../supabase/local/stack.ts";
import { root } from "../../supabase/local/root.ts";

const COPIED = [
  "package.json",
  "package-lock.json",
  "deno.json",
  "functions",
  "shared",
  "migrations",
  "supabase",
];

export function copyCheckout(prefix = "rafflebase-"): string {
  const copy = mkdtempSync(`${tmpdir()}/${prefix}`);
  for (const name of COPIED) {
    cpSync(`${root}${name}`, `${copy}/${name}`, {
      recursive: true,
      verbatimSymlinks: true,
      // Neither this checkout's data nor the project that it may be linked to.
      filter: (path) => !/supabase\/\.(local|temp)$/.test(path),
    });
  }
  symlinkSync(`${root}node_modules`, `${copy}/node_modules`);
  return copy;
}

export interface Running {
  description: StackDescription;
  output(): string;
  signal(name: Deno.Signal): void;
  exited: Promise<number | null>;
}

/** `npm start` in a checkout; comes back when stack.json is there or the process has ended. */
export async function startIn(
  checkout: string,
  options: {
    env?: Record<string, string>;
    args?: string[];
    prefix?: string[];
    /** What it must have said before this returns. */
    until?: string;
  } = {},
): Promise<Running> {
  let output = "";
  const command = [
    ...options.prefix ?? [],
    "node",
    "supabase/local/run.mjs",
    "supabase/local/start.ts",
    ...options.args ?? [],
  ];
  const child = spawn(command[0], command.slice(1), {
    cwd: checkout,
    env: { ...Deno.env.toObject(), PORT: "0", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (text) => output += text);
  child.stderr.on("data", (text) => output += text);
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let ended = false;
  exited.then(() => ended = true);

  const signal = (name: Deno.Signal) => {
    if (!ended) Deno.kill(child.pid!, name);
  };
  while (!ended && !output.includes(options.until ?? "Ctrl-C stops everything")) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const file = /as JSON +(.+stack\.json)/.exec(output)?.[1] ?? "";
  const description = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  return {
    description,
    output: () => output,
    signal,
    exited,
  };
}
