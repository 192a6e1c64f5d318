// One Postgres for the whole run, and in it the template that every test file clones.
import type { TestProject } from "vitest/node";
import { rmSync } from "node:fs";
import { endOrphansBelow, sweepFolders, takeFolder } from "../../supabase/local/owner.ts";
import { freePort } from "../../supabase/local/ports.ts";
import { readKeys } from "../../supabase/local/keys.ts";
import { createRoles, migrate, prepareDatabase } from "../../supabase/local/postgres/database.ts";
import { startPostgres } from "../../supabase/local/postgres/server.ts";
import { root } from "../../supabase/local/root.ts";

declare module "vitest" {
  interface ProvidedContext {
    directory: string;
    postgresPort: number;
    template: string;
  }
}

const TEMPLATE = "rafflebase_template";

export default async function setup(project: TestProject) {
  const home = `${root}supabase/.local`;
  await sweepFolders(home, "test-");
  const directory = `${home}/test-${crypto.randomUUID().slice(0, 8)}`;
  takeFolder(directory);
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
  project.provide("template", TEMPLATE);
  return async () => {
    const left = await endOrphansBelow(directory);
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
    if (left > 0) throw new Error(`the test files left ${left} processes running`);
  };
}
