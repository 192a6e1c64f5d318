// One Postgres for the whole run, and in it the template that every test file clones.
import type { TestProject } from "vitest/node";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { endOrphans, rememberProcess, remembersLiving } from "../../supabase/local/orphans.ts";
import { freePort } from "../../supabase/local/ports.ts";
import { readKeys } from "../../supabase/local/keys.ts";
import { createRoles, migrate, prepareDatabase } from "../../supabase/local/postgres/database.ts";
import { startPostgres } from "../../supabase/local/postgres/server.ts";
import { root } from "../../supabase/local/root.ts";

declare module "vitest" {
  interface ProvidedContext {
    directory: string;
    postgresPort: number;
  }
}

const OWNER = "vitest";
const TEMPLATE = "rafflebase_template";

export default async function setup(project: TestProject) {
  await cleanUpAfterKilledRuns();
  const directory = `${root}supabase/.local/test-${crypto.randomUUID().slice(0, 8)}`;
  Deno.mkdirSync(directory, { recursive: true });
  rememberProcess(directory, OWNER, Deno.pid);
  const keys = readKeys(directory);
  const server = await startPostgres({
    directory,
    port: freePort(),
    password: keys.database_password,
  });
  await createRoles(server, keys.database_password);
  await prepareDatabase(server, TEMPLATE);
  await migrate(server.url("postgres", TEMPLATE));
  project.provide("directory", directory);
  project.provide("postgresPort", server.port);
  return async () => {
    const left = await endProcessesOfFiles(directory);
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
    if (left > 0) throw new Error(`the test files left ${left} processes running`);
  };
}

/** A run that was killed could not stop its servers. */
async function cleanUpAfterKilledRuns() {
  const home = `${root}supabase/.local`;
  const names = existsSync(home)
    ? readdirSync(home).filter((name) => name.startsWith("test-"))
    : [];
  for (const directory of names.map((name) => `${home}/${name}`)) {
    if (remembersLiving(directory, OWNER)) continue;
    await endProcessesOfFiles(directory);
    await endOrphans(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

async function endProcessesOfFiles(directory: string): Promise<number> {
  let ended = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) ended += await endOrphans(`${directory}/${entry.name}`);
  }
  return ended;
}
