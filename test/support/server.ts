// A Postgres of a test file's own, for tests that kill it or that need another one: the rest share one.
import postgres from "postgres";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { expect, inject } from "vitest";
import { freePort } from "../../supabase/local/ports.ts";
import { createRoles, migrate, prepareDatabase } from "../../supabase/local/postgres/database.ts";
import type { PostgresAddress } from "../../supabase/local/postgres/server.ts";
import { canConnect, startPostgres, SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { cleanUpLater } from "./cleanup.ts";
import type { TestDatabase } from "./database.ts";
import { keys } from "./database.ts";

export interface OwnServer extends TestDatabase {
  server: PostgresAddress;
  directory: string;
  url(role: string): string;
  /** Ends all of Postgres at one stroke; comes back when it has recovered from its log and answers. */
  crash(): Promise<void>;
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
  const database = {
    name,
    server,
    directory,
    url,
    sql: connect("postgres"),
    superuser: connect(SUPERUSER),
    async crash() {
      killPostgres(directory);
      const isBack = () => canConnect(url("postgres"));
      await expect.poll(isBack, { interval: 20, timeout: 60_000 }).toBe(true);
    },
  };
  cleanUpLater(async () => {
    await Promise.all([database.sql.end({ timeout: 5 }), database.superuser.end({ timeout: 5 })]);
  });
  return database;
}

/**
 * As a power cut ends it: nobody is asked to leave, and no process outlives another by as much as a commit.
 * What was handed to the kernel survives this, unlike a power cut: that it is on the disk is fsync's to say.
 */
function killPostgres(directory: string): void {
  const file = `${directory}/postgres/postmaster.pid`;
  const postmaster = Number(readFileSync(file, "utf8").split("\n")[0]);
  // So that it gives birth to nobody meanwhile. It stops only when the birth it is at is over: a child that was
  // missed would wait for the dead for ever, and no Postgres starts while it lives.
  Deno.kill(postmaster, "SIGSTOP");
  while (isRunning(postmaster));
  for (const child of childrenOf(postmaster)) {
    try {
      Deno.kill(child, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it has just ended by itself
    }
  }
  Deno.kill(postmaster, "SIGKILL");
}

const isRunning = (pid: number) => /^[RSDI]/.test(run("ps", "-o", "state=", "-p", `${pid}`));

const run = (command: string, ...args: string[]) =>
  new TextDecoder().decode(new Deno.Command(command, { args }).outputSync().stdout);

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  const list = existsSync(file) ? readFileSync(file, "utf8") : run("pgrep", "-P", `${pid}`);
  return list.trim().split(/\s+/).filter(Boolean).map(Number);
}
