// One child process of the stack: started, watched, restarted when it dies, and stopped.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { rememberProcess } from "./orphans.ts";

export interface PartOptions {
  name: string;
  directory: string;
  command: string[];
  env?: Record<string, string>;
  stopSignal?: "SIGTERM" | "SIGINT";
  /** Lines of its standard output also go to the terminal: what a developer wants to see. */
  echo?: boolean;
  ready: () => Promise<boolean>;
}

export interface Part {
  name: string;
  stop(): Promise<void>;
  /** Kills it outright; it comes back by itself. For tests of crashes. */
  kill(): void;
}

const READY_WITHIN_MS = 60_000;
const RESTART_AFTER_MS = 250;

/** Starts the process and waits until it is ready; fails with one sentence naming the part. */
export async function startPart(options: PartOptions): Promise<Part> {
  const logFile = `${options.directory}/log/${options.name}.log`;
  mkdirSync(dirname(logFile), { recursive: true });
  const saidBefore = existsSync(logFile) ? readFileSync(logFile, "utf8").length : 0;
  let child: ChildProcess;
  let stopping = false;
  let up = false;
  let exited: Promise<void>;

  const launch = () => {
    const log = openSync(logFile, "a", 0o600);
    child = spawn(options.command[0], options.command.slice(1), {
      env: { ...baseEnvironment(), NO_COLOR: "1", ...options.env },
      stdio: ["pipe", options.echo ? "pipe" : log, log],
    });
    closeSync(log);
    child.stdout?.on("data", (chunk: Uint8Array) => {
      appendFileSync(logFile, chunk);
      Deno.stdout.writeSync(chunk);
    });
    child.on("error", (error) => appendFileSync(logFile, `${error.message}\n`));
    if (child.pid) rememberProcess(options.directory, options.name, child.pid);
    exited = new Promise((resolve) => {
      child.once("exit", resolve);
      child.once("error", resolve);
    });
    exited.then(async () => {
      if (stopping || !up) return;
      console.error(`${options.name} ended by itself and is started again (log: ${logFile})`);
      await new Promise((resolve) => setTimeout(resolve, RESTART_AFTER_MS));
      if (!stopping) launch();
    });
  };

  launch();
  const deadline = Date.now() + READY_WITHIN_MS;
  let dead = false;
  exited!.then(() => dead = true);
  while (!(await options.ready().catch(() => false))) {
    if (dead || Date.now() > deadline) {
      stopping = true;
      child!.kill("SIGKILL");
      throw new Error(
        `${options.name} did not start: ${lastWords(logFile, saidBefore)} (log: ${logFile})`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  up = true;

  return {
    name: options.name,
    kill: () => void child.kill("SIGKILL"),
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(options.stopSignal ?? "SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(force);
    },
  };
}

/** What every part may see of our own environment; the rest is given to it by name. */
export function baseEnvironment(): Record<string, string> {
  const kept = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "DENO_DIR"];
  const entries = kept.map((name) => [name, Deno.env.get(name)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => !!entry[1]));
}

/** The command that runs one of our own TypeScript files as a child. */
export function denoCommand(file: URL, deno = Deno.execPath()): string[] {
  return [deno, "run", "-A", "--no-prompt", "--node-modules-dir=manual", fileURLToPath(file)];
}

export const answersReady = (url: string) => async () => {
  const answer = await fetch(`${url}/ready`);
  await answer.body?.cancel();
  return answer.ok;
};

/** A child calls this last: it leaves when its parent does, because its standard input then closes. */
export async function leaveWithParent(): Promise<never> {
  await inputClosed();
  Deno.exit(0);
}

/** For the stack itself, when it was started by run.mjs; else it never comes. */
export function whenParentLeaves(): Promise<void> {
  return Deno.env.has("PARENT_LIFELINE") ? inputClosed() : new Promise(() => {});
}

async function inputClosed(): Promise<void> {
  const buffer = new Uint8Array(64);
  while ((await Deno.stdin.read(buffer)) !== null);
}

function lastWords(logFile: string, from: number): string {
  const lines = readFileSync(logFile, "utf8").slice(from).trim().split("\n");
  return lines.slice(-3).join(" / ") || "it said nothing";
}
