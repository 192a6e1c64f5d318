// `npm start`: starts the stack, says what there is, and stops everything when it is asked to.
import { rmSync } from "node:fs";
import { chosenEnvironment } from "./environment.ts";
import { leaveFolder, sweepFolders, takeFolder } from "./owner.ts";
import { freePort, isTaken } from "./ports.ts";
import { root } from "./root.ts";
import type { StackDescription } from "./stack.ts";
import { runningStack, startStack } from "./stack.ts";
import { whenParentLeaves } from "./process.ts";

const home = `${root}supabase/.local`;

try {
  await main();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}

async function main(): Promise<void> {
  const reset = readArguments(Deno.args);
  const wanted = readPort();
  refuseTakenPort(wanted);
  await sweepFolders(home, "passing-");
  const { port, directory, passing } = choosePlace(wanted);
  const asked = stopAsked();
  try {
    const stack = await startStack({
      directory,
      port,
      reset,
      watch: true,
      environment: chosenEnvironment(),
      progress: (step) => console.log(`  ${step} ...`),
    });
    console.log(welcome(stack.description, `${directory}/stack.json`, passing));
    await asked;
    console.log("\nStopping ...");
    await stack.stop();
  } finally {
    leaveFolder(directory);
    if (passing) rmSync(directory, { recursive: true });
  }
  Deno.exit(0);
}

/** Listens from the beginning: what is asked during the start is done when everything has a handle. */
function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => resolve();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, stop);
    }
    whenParentLeaves().then(stop);
  });
}

function readArguments(args: string[]): boolean {
  const unknown = args.find((one) => one !== "--reset");
  if (unknown) throw new Error(`npm start does not know "${unknown}"; it knows --reset.`);
  return args.includes("--reset");
}

function readPort(): number {
  const given = Deno.env.get("PORT") ?? "54321";
  const port = Number(given);
  if (given.trim() !== "" && Number.isInteger(port) && port >= 0 && port < 65536) return port;
  throw new Error(
    `PORT is "${given}", which is not a port: use a number from 1 to 65535, or 0 for a free one.`,
  );
}

function refuseTakenPort(wanted: number): void {
  if (wanted === 0 || !isTaken(wanted)) return;
  const holder = runningStack(home)?.api_url.endsWith(`:${wanted}`)
    ? " by another Rafflebase stack"
    : "";
  throw new Error(
    `Port ${wanted} is in use${holder}. Stop what holds it, or choose another: PORT=0 npm start`,
  );
}

/** A second stack of the same checkout gets a folder of its own; the first keeps supabase/.local. */
function choosePlace(wanted: number): { port: number; directory: string; passing: boolean } {
  const port = wanted || freePort();
  if (takeFolder(home)) return { port, directory: home, passing: false };
  // Nobody can ask for a port that was picked again: such a stack's data go with it.
  const passing = wanted === 0;
  const directory = `${home}/${passing ? "passing" : "stack"}-${port}`;
  if (takeFolder(directory)) return { port, directory, passing };
  throw new Error(`Another stack is using ${directory}.`);
}

function welcome(stack: StackDescription, file: string, passing: boolean): string {
  const data = passing
    ? "this one's data go with it, as another stack has the folder"
    : "the data stay for the next start";
  const rows = [
    ["API", stack.api_url],
    ["functions", `${stack.api_url}/functions/v1/<name>`],
    ["API docs", `${stack.api_url}/functions/v1/health/docs`],
    ["database", stack.db_url],
    ["publishable key", stack.publishable_key],
    ["secret key", stack.secret_key],
    ["admin secret", stack.admin_secret],
    ["mail sent", `${stack.api_url}/_local/mail`],
    ["Novu messages", `${stack.api_url}/_local/novu`],
    ["Stripe (simulated)", stack.stripe_url],
    ["drand (simulated)", stack.drand_url],
    ["all of this as JSON", file],
  ];
  return `
Rafflebase is ready.

${rows.map(([name, value]) => `  ${name.padEnd(20)} ${value}`).join("\n")}

Everyone in the demo (admin@, operator@, operator2@, ana@, ben@example.com) has the password
rafflebase-demo.
Try it:

  curl ${stack.api_url}/functions/v1/health

Edited functions are live at once. Ctrl-C stops everything; ${data}.`;
}
