// A Postgres of a test file's own, for tests that kill it or that need another one: the rest share one.
import postgres from "postgres";
import { mkdirSync, rmSync } from "node:fs";
import { inject } from "vitest";
import { freePort } from "../../supabase/local/ports.ts";
import { createRoles, migrate, prepareDatabase } from "../../supabase/local/postgres/database.ts";
import type { PostgresAddress } from "../../supabase/local/postgres/server.ts";
import { startPostgres, SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { cleanUpLater } from "./cleanup.ts";
import type { TestDatabase } from "./database.ts";
import { keys } from "./database.ts";

export interface OwnServer extends TestDatabase {
  server: PostgresAddress;
  url(role: string): string;
}

export async function ownServer(
  { name = "rafflebase", settings = [] as string[] } = {},
): Promise<OwnServer> {
  const directory = `${inject("directory")}/own-${crypto.randomUUID().slice(0, 8)}`;
  mkdirSync(directory);
  const password = keys.database_password;
  const server = await startPostgres({ directory, port: freePort(), password, settings });
  cleanUpLater(async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await createRoles(server, password);
  await prepareDatabase(server, name);
  const url = (role: string) => server.url(role, name);
  await migrate(url("postgres"));
  const connect = (role: string) =>
    postgres(url(role), { max: 10, onnotice: () => {}, idle_timeout: 20 });
  const database = { name, server, url, sql: connect("postgres"), superuser: connect(SUPERUSER) };
  cleanUpLater(async () => {
    await Promise.all([database.sql.end({ timeout: 5 }), database.superuser.end({ timeout: 5 })]);
  });
  return database;
}
