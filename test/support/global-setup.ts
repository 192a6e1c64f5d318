// One Postgres for the whole run, and in it the template that every test file clones.
import type { TestProject } from "vitest/node";
import { rmSync } from "node:fs";
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

const TEMPLATE = "rafflebase_template";

export default async function setup(project: TestProject) {
  const directory = `${root}supabase/.local/test-${crypto.randomUUID().slice(0, 8)}`;
  Deno.mkdirSync(directory, { recursive: true });
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
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
}
