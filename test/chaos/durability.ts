// What Postgres must be told, and not told, so that "committed" means "on the disk". A kill with signal 9 cannot
// show it all: what the kernel has been given survives that, and only fsync makes it survive a power cut.
import postgres from "postgres";
import { readdirSync, readFileSync } from "node:fs";
import { platform } from "node:os";
import { expect } from "vitest";
import { root } from "../../supabase/local/root.ts";
import { SUPERUSER } from "../../supabase/local/postgres/server.ts";
import type { CrashStack } from "./stack.ts";

const NEEDED = ["fsync", "synchronous_commit", "full_page_writes"];
const SWITCHES = [...NEEDED, "wal_sync_method", "zero_damaged_pages", "ignore_checksum_failure"];

export async function expectDurableServer(stack: CrashStack): Promise<void> {
  const { superuser, url } = stack;
  const shown =
    await superuser`select name, setting from pg_settings where name = any(${SWITCHES})`;
  const settings = Object.fromEntries(shown.map(({ name, setting }) => [name, setting]));
  for (const name of NEEDED) expect(`${name} ${settings[name]}`).toBe(`${name} on`);
  expect([settings.zero_damaged_pages, settings.ignore_checksum_failure]).toEqual(["off", "off"]);
  if (platform() === "linux") {
    // Elsewhere some of these leave the data in the drive's cache, as macOS's own choice does.
    const honest = ["fdatasync", "fsync", "open_datasync", "open_sync"];
    expect(honest).toContain(settings.wal_sync_method);
  }

  // PostgREST takes on what is set for the role in its token too, so no role may have another.
  const set = await superuser`
    select coalesce(r.rolname, d.datname) as by, setting from pg_db_role_setting s
      left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase,
      unnest(s.setconfig) as setting where split_part(setting, '=', 1) = any(${SWITCHES})
    union all
    select p.oid::regprocedure::text, setting from pg_proc p, unnest(p.proconfig) as setting
      where split_part(setting, '=', 1) = any(${SWITCHES})`;
  expect([...set]).toEqual([]);
  for (const role of ["authenticator", "postgres", "supabase_auth_admin", SUPERUSER]) {
    const sql = postgres(url(role), { max: 1, fetch_types: false });
    const [{ synchronous_commit }] = await sql`show synchronous_commit`;
    await sql.end();
    expect(`${role} ${synchronous_commit}`).toBe(`${role} on`);
  }
}

/** Only what may be forgotten is kept where a crash forgets it. */
export async function expectNothingUnlogged({ superuser }: CrashStack): Promise<void> {
  const unlogged = await superuser`select oid::regclass::text as name from pg_class
    where relpersistence = 'u' and relkind = 'r' order by 1`;
  expect(unlogged.map(({ name }) => name))
    .toEqual(["app.rate_buckets", "net._http_response", "net.http_request_queue"]);
}

/** Nothing of ours so much as names these switches. */
export function expectNoSwitchTouched(): void {
  const found = ["supabase", "migrations", "functions", "shared"].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|mjs|sql|toml|json)$/.test(entry.name))
      .map((entry) => `${entry.parentPath}/${entry.name}`)
      .filter((file) => !file.includes("/.local/"))
      .filter((file) => SWITCHES.some((name) => readFileSync(file, "utf8").includes(name)))
  );
  expect(found).toEqual([]);
}
