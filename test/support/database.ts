// A database of a test file's own, cloned from the template, and ways to act in it as somebody.
import postgres from "postgres";
import { inject } from "vitest";
import { readKeys } from "../../supabase/local/keys.ts";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { connectionUrl, SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { cleanUpLater } from "./cleanup.ts";

export const keys = readKeys(inject("directory"));

export const urlOf = (role: string, database: string) =>
  connectionUrl(inject("postgresPort"), keys.database_password, role, database);

export interface TestDatabase {
  name: string;
  /** As postgres, the role that owns the product's objects. */
  sql: postgres.Sql;
  /** As the superuser, which nobody is on hosted Supabase: for looking and for breaking things. */
  superuser: postgres.Sql;
}

/** Clones the template; the database goes away after the file. */
export async function testDatabase(from = inject("template")): Promise<TestDatabase> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
  await asSuperuser(async (sql) => {
    await sql.unsafe(`create database ${name} template ${from} owner postgres`);
    await sql.unsafe(`alter database ${name} set pgrst.db_schemas = 'public'`);
    // What is granted on a database itself does not come along.
    await sql.unsafe(`revoke temporary on database ${name} from public`);
  });
  const connect = (role: string) =>
    postgres(urlOf(role, name), { max: 30, onnotice: () => {}, idle_timeout: 20 });
  const database = { name, sql: connect("postgres"), superuser: connect(SUPERUSER) };
  cleanUpLater(async () => {
    await Promise.all([database.sql.end({ timeout: 5 }), database.superuser.end({ timeout: 5 })]);
    await asSuperuser((sql) => sql.unsafe(`drop database ${name} with (force)`));
  });
  return database;
}

export const asSuperuser = <T>(work: (sql: postgres.Sql) => Promise<T>) =>
  withDatabase(urlOf(SUPERUSER, "postgres"), work);

export type Actor =
  | { role: "anon" | "service_role" }
  | { role: "authenticated"; id: string };

/** Runs the work in one transaction, with the role and the claims that PostgREST would set. */
export function actAs<T>(
  { sql }: TestDatabase,
  actor: Actor,
  work: (sql: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  const claims = "id" in actor
    ? { role: actor.role, sub: actor.id, aud: "authenticated" }
    : { role: actor.role };
  return sql.begin(async (transaction) => {
    await transaction`select set_config('role', ${actor.role}, true),
      set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
    return await work(transaction);
  }) as Promise<T>;
}

/** A user who has signed up and confirmed the address, without Auth being asked. */
export async function createUser(
  { sql }: TestDatabase,
  options: { roles?: ("operator" | "admin")[]; confirmed?: boolean } = {},
): Promise<{ id: string; email: string }> {
  const id = crypto.randomUUID();
  const email = `${id.slice(0, 8)}@example.test`;
  await sql`insert into auth.users (id, aud, role, email, email_confirmed_at, raw_user_meta_data)
    values (${id}, 'authenticated', 'authenticated', ${email},
      ${options.confirmed === false ? null : new Date()}, '{}')`;
  for (const role of options.roles ?? []) {
    await sql`insert into public.user_roles (user_id, role) values (${id}, ${role})`;
  }
  return { id, email };
}

/** The code a failing statement raised, for asserting on codes and never on prose. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code?.startsWith("PT") ? message : code ?? message;
  }
  return "none";
}
