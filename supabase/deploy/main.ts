// `npm run deploy -- --project-ref <ref>`: brings a hosted project to what this checkout is, in order, and
// checks each step. It can be repeated: what is as it should be is left alone.
import { VERSION } from "../../shared/version.ts";
import { readArguments } from "./arguments.ts";
import { CliError, isLoggedIn } from "./cli.ts";
import { database } from "./database.ts";
import { functions } from "./functions.ts";
import { health } from "./health.ts";
import { link } from "./link.ts";
import { migrations } from "./migrations.ts";
import { secrets } from "./secrets.ts";
import { readSettings } from "./settings.ts";
import type { Deployment, Step } from "./step.ts";
import { Stop } from "./stop.ts";

/** Migrations before functions: new functions never meet an old database. */
const STEPS: Step[] = [link, migrations, secrets, database, functions, health];

try {
  await main();
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  console.error(`\n${error.message}\n${error.next}`);
  Deno.exit(1);
}
Deno.exit(0);

async function main(): Promise<void> {
  const given = readArguments(Deno.args);
  const { given: settings, flaws, fromShell, unknown } = readSettings(given.settingsFile);
  const deployment = { ...given, settings };
  const verb = given.dryRun ? "This would deploy" : "Deploying";
  console.log(`${verb} Rafflebase ${VERSION} to ${given.projectRef} (${given.apiUrl})`);
  if (fromShell.length > 0) console.log(`from the shell, not the file: ${fromShell.join(", ")}`);
  if (unknown.length > 0) console.log(`means nothing, and is left out: ${unknown.join(", ")}`);
  if (given.dryRun) printPlan(deployment);
  else if (!await isLoggedIn()) {
    flaws.unshift("no log-in: supabase login, or SUPABASE_ACCESS_TOKEN");
  }
  if (flaws.length > 0) {
    throw new Stop(
      `Before it can begin:\n${flaws.map((flaw) => `  ${flaw}`).join("\n")}`,
      "Nothing was changed. docs/deploy.md says what each setting is; give them by the shell or --settings.",
    );
  }
  if (!given.dryRun) await deploy(deployment);
}

function printPlan(deployment: Deployment): void {
  for (const [i, step] of STEPS.entries()) {
    const [first, ...rest] = step.plan(deployment);
    console.log(`${heading(i, step)} ${first}`);
    rest.forEach(sayBelow);
  }
}

async function deploy(deployment: Deployment): Promise<void> {
  let hasChanged = false;
  for (const [i, step] of STEPS.entries()) {
    const outcome = await attempt(step, deployment);
    const [first, ...rest] = outcome.said;
    console.log(`${heading(i, step)} ${first}`);
    rest.forEach(sayBelow);
    hasChanged ||= outcome.changed;
  }
  console.log(hasChanged ? "\nDeployed." : "\nNothing had to be changed.");
}

async function attempt(step: Step, deployment: Deployment) {
  try {
    return await step.run(deployment);
  } catch (error) {
    if (error instanceof Stop) throw new Stop(`${step.name}: ${error.message}`, error.next);
    if (!(error instanceof CliError)) throw error;
    throw new Stop(
      `${step.name}: ${redact(error.message, deployment)}`,
      "The steps before this one are done and stay; run the same again, it goes on from here.",
    );
  }
}

/** What others said may repeat what they were given, quoted as they quote: no setting's value is ever printed. */
function redact(text: string, { settings }: Deployment): string {
  const plain = (quoted: string) => quoted.replaceAll("\\", "").replaceAll("''", "'");
  // The longest first: one may be the beginning of another.
  const entries = Object.entries(settings).sort(([, a], [, b]) => b.length - a.length);
  return entries.reduce(
    (kept, [name, value]) => kept.replaceAll(plain(value), `<${name}>`),
    plain(text),
  );
}

function heading(index: number, { name }: Step): string {
  return `${index + 1}/${STEPS.length} ${name.padEnd(11)}`;
}

function sayBelow(line: string): void {
  console.log(`                ${line}`);
}
