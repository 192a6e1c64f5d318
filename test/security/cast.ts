// The people of the access matrix, with rows of each of them, and ways to see what each can do.
import type postgres from "postgres";
import type { Actor, TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser } from "../support/database.ts";
import type { ActorName, Reach, Verb } from "./access-matrix.ts";
import { actors, tables } from "./access-matrix.ts";

export { actors };

export interface Member {
  actor: Actor;
  /** Null for those who are nobody's row. */
  id: string | null;
  /** The line of the matrix that says what they may do. */
  line: "nobody" | "user" | "operator" | "admin" | "service_role";
  /** The staff roles they can act with. */
  staff: string[];
}

export type Cast = Record<ActorName, Member>;

/** Signs everybody up, and gives each of them a row in every table. */
export async function cast(db: TestDatabase): Promise<Cast> {
  const person = async (line: Member["line"], staff: ("operator" | "admin")[] = []) => {
    const { id } = await createUser(db, { roles: staff });
    const powers = staff.includes("admin") ? ["operator", "admin"] : staff;
    return { actor: { role: "authenticated", id } as Actor, id, line, staff: powers };
  };
  const suspended = await person("user", ["operator"]);
  await db.sql`update public.profiles set status = 'SUSPENDED' where id = ${suspended.id}`;
  const people: Cast = {
    "nobody": { actor: { role: "anon" }, id: null, line: "nobody", staff: [] },
    "user": await person("user"),
    "other user": await person("user"),
    "suspended": { ...suspended, staff: [] },
    "operator": await person("operator", ["operator"]),
    "admin": await person("admin", ["admin"]),
    "service_role": {
      actor: { role: "service_role" },
      id: null,
      line: "service_role",
      staff: [],
    },
  };
  await insertSamples(db, Object.values(people).flatMap(({ id }) => id ?? []));
  return people;
}

/** A row of each of them in every table. */
export async function insertSamples(db: TestDatabase, ids: string[]) {
  for (const [name, { sample, key }] of Object.entries(tables)) {
    for (const id of ids) {
      const row = sample(id);
      if (row) await insertRow(db, name, { ...row, ...key?.(id) });
    }
  }
}

/** As the superuser, and with keys that are generated otherwise. */
function insertRow(db: TestDatabase, table: string, row: Record<string, unknown>) {
  const names = Object.keys(row);
  return db.superuser.unsafe(
    `insert into ${table} (${names.join(", ")}) overriding system value
     values (${names.map((_, index) => `$${index + 1}`).join(", ")})`,
    Object.values(row) as never[],
  );
}

class Undone extends Error {}

/** Acts, looks at what came of it, and undoes it. */
export async function tryAs<T>(
  db: TestDatabase,
  actor: Actor,
  work: (sql: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  let result: { value: T } | undefined;
  await actAs(db, actor, async (sql) => {
    result = { value: await work(sql) };
    throw new Undone();
  }).catch((error) => {
    if (!(error instanceof Undone)) throw error;
  });
  return result!.value;
}

/** The code that acting raises, or "none"; nothing stays. */
export const codeAs = (
  db: TestDatabase,
  actor: Actor,
  work: (sql: postgres.TransactionSql) => Promise<unknown>,
) => codeOf(tryAs(db, actor, work));

export const needsOf = (expected: string) => expected.split(": ")[1];

/** Whose rows the statement reaches: it is tried as the person, and then counted as the owner of the table. */
export async function reach(
  db: TestDatabase,
  member: Member,
  table: string,
  verb: Exclude<Verb, "insert">,
  column?: string,
): Promise<string[] | "refused"> {
  const { owner } = tables[table];
  const statement = {
    select: `select ${owner}::text as owner from ${table}`,
    update: column && `update ${table} set "${column}" = ${await readValue(db, table, column)}`,
    delete: `delete from ${table}`,
  }[verb]!;
  const count = `select ${owner}::text as owner from ${table}`;
  const changed = `${count} where xmin::text::bigint = txid_current() % 4294967296`;
  try {
    return await tryAs(db, member.actor, async (sql) => {
      const rows = await sql.unsafe(statement);
      if (verb === "select") return owners(rows);
      await sql.unsafe("set local role none");
      if (verb === "update") return owners(await sql.unsafe(changed));
      const left = owners(await sql.unsafe(count));
      return (await everyOwner(db, table)).filter((one) => !left.includes(one));
    });
  } catch (error) {
    // 428C9: a column that nobody can set at all. 23503, 23505: allowed, and held only by other rows.
    const { code } = error as { code?: string };
    if (code === "42501" || code === "428C9") return "refused";
    if (code === "23503" || code === "23505") return await everyOwner(db, table);
    throw error;
  }
}

/** A value the column has somewhere. An update that reads nothing is bound by no policy but its own. */
async function readValue({ superuser }: TestDatabase, table: string, column: string) {
  const [{ literal }] = await superuser.unsafe(`
    select quote_nullable("${column}"::text) || '::' || pg_typeof("${column}") as literal
    from ${table} limit 1`);
  return literal;
}

export async function everyOwner(
  db: TestDatabase,
  table: string,
  condition = "",
): Promise<string[]> {
  const query = `select ${tables[table].owner}::text as owner from ${table} ${condition}`;
  return owners(await db.superuser.unsafe(query));
}

/** The rows that the matrix promises, of all that there are. */
export async function promised(
  db: TestDatabase,
  member: Member,
  table: string,
  reach: Reach = "refused",
): Promise<string[] | "refused"> {
  if (reach === "refused") return reach;
  if (reach === "none") return [];
  if (reach === "own") {
    return (await everyOwner(db, table)).filter((owner) => owner === member.id);
  }
  return await everyOwner(db, table, reach === "all" ? "" : reach);
}

const owners = (rows: Iterable<Record<string, unknown>>) =>
  [...rows].map((row) => String(row.owner)).sort();
