// A Postgres server of its own in a temporary folder, for checks that run outside the tests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeys } from "../../supabase/local/keys.ts";
import { freePort } from "../../supabase/local/ports.ts";
import { createRoles, migrate, prepareDatabase } from "../../supabase/local/postgres/database.ts";
import { startPostgres } from "../../supabase/local/postgres/server.ts";

/** Gives the work a database with every migration and nothing else, and takes the server away after. */
export async function withFreshDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "rafflebase-"));
  try {
    const { database_password: password } = readKeys(directory);
    const server = await startPostgres({ directory, port: freePort(), password });
    try {
      await createRoles(server, password);
      await prepareDatabase(server, "postgres");
      const url = server.url("postgres", "postgres");
      await migrate(url);
      return await work(url);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
