// A whole stack in one folder: a Postgres server of its own, its database, and all that stands on it.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readJson, writeJson } from "./files.ts";
import type { Keys } from "./keys.ts";
import { readKeys } from "./keys.ts";
import { birthOf, endOrphans, isSameProcess } from "./orphans.ts";
import { freePort } from "./ports.ts";
import { createRoles, migrate, prepareDatabase, seed } from "./postgres/database.ts";
import type { PostgresServer } from "./postgres/server.ts";
import { startPostgres } from "./postgres/server.ts";
import type { Services } from "./services.ts";
import { startServices } from "./services.ts";

export interface StackOptions {
  directory: string;
  port: number;
  reset?: boolean;
  watch?: boolean;
  environment?: Record<string, string>;
  progress?: (step: string) => void;
}

/** What stack.json says: all that a client, a test or an operator needs to reach the stack. */
export interface StackDescription {
  api_url: string;
  db_url: string;
  publishable_key: string;
  secret_key: string;
  jwt_secret: string;
  stripe_url: string;
  stripe_webhook_secret: string;
  novu_url: string;
  drand_url: string;
  admin_secret: string;
  scheduler_secret: string;
  pid: number;
  born: string | null;
}

export interface Stack {
  description: StackDescription;
  services: Services;
  server: PostgresServer;
  stop(): Promise<void>;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, progress = () => {} } = options;
  mkdirSync(directory, { recursive: true });
  if (await endOrphans(directory) > 0) progress("Ended what an earlier stack left running");

  // Data without this mark are the remains of a first start that did not finish.
  const finished = `${directory}/initialised`;
  const fresh = options.reset === true || !existsSync(finished);
  if (fresh) {
    [finished, `${directory}/postgres`].forEach((path) =>
      rmSync(path, { recursive: true, force: true })
    );
  }

  const keys = readKeys(directory);
  progress(fresh ? "Making a new database" : "Starting Postgres on the data of last time");
  const server = await startPostgres({
    directory,
    port: freePort(),
    password: keys.database_password,
  });
  try {
    await createRoles(server, keys.database_password);
    await prepareDatabase(server, "postgres");
    progress("Applying migrations");
    const databaseUrl = server.url("postgres", "postgres");
    await migrate(databaseUrl).catch((error: Error) => {
      if (!error.message.includes("Remote migration versions not found")) throw error;
      throw new Error(
        "The data were made by migrations that are not here any more: npm start -- --reset starts empty.",
      );
    });
    if (fresh) await seed(databaseUrl);
    writeFileSync(finished, "");

    progress("Starting Auth, data API, functions and the simulated Stripe, drand and Novu");
    const services = await startServices({ ...options, server, database: "postgres", keys });
    const description = describe(services, keys, databaseUrl);
    const file = `${directory}/stack.json`;
    writeJson(file, description);
    const stop = async () => {
      rmSync(file, { force: true });
      await services.stop();
      await server.stop();
      rmSync(`${directory}/processes.json`, { force: true });
    };
    return { description, services, server, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The stack that runs in this folder now, if one does. */
export function runningStack(directory: string): StackDescription | null {
  const description = readJson<StackDescription>(`${directory}/stack.json`);
  return description && isSameProcess(description) ? description : null;
}

function describe(services: Services, keys: Keys, databaseUrl: string): StackDescription {
  return {
    api_url: services.apiUrl,
    db_url: databaseUrl,
    publishable_key: keys.publishable_key,
    secret_key: keys.secret_key,
    jwt_secret: keys.jwt_secret,
    stripe_url: services.stripeUrl,
    stripe_webhook_secret: keys.stripe_webhook_secret,
    novu_url: services.novuUrl,
    drand_url: services.drandUrl,
    admin_secret: keys.admin_secret,
    scheduler_secret: keys.scheduler_secret,
    pid: Deno.pid,
    born: birthOf(Deno.pid),
  };
}
