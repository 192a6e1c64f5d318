// Acting through the database as each person, on real rows: whose rows are seen, added, changed and
// deleted is exactly what access-matrix.ts says.
import { beforeAll, describe, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import type { Reach } from "./access-matrix.ts";
import { tables } from "./access-matrix.ts";
import type { Cast, Member } from "./cast.ts";
import { actors, cast, codeAs, everyOwner, promised, reach } from "./cast.ts";

let db: TestDatabase;
let people: Cast;
beforeAll(async () => {
  db = await testDatabase();
  people = await cast(db);
});

const lineOf = (table: string, member: Member) => tables[table].rows[member.line];

describe.each(Object.keys(tables))("%s", (table) => {
  test("there are rows of more than one person to try it on", async () => {
    expect(new Set(await everyOwner(db, table)).size).toBeGreaterThan(2);
  });

  test.each(actors)("%s sees the rows that are written down and no others", async (who) => {
    const member = people[who];
    const expected = await promised(db, member, table, lineOf(table, member).select);
    expect(await reach(db, member, table, "select")).toEqual(expected);
  });

  test.each(actors)("%s deletes the rows that are written down and no others", async (who) => {
    const member = people[who];
    const expected = await promised(db, member, table, lineOf(table, member).delete);
    expect(await reach(db, member, table, "delete")).toEqual(expected);
  });

  test.each(actors)(
    "%s changes the columns and rows that are written down and no others",
    async (who) => {
      const member = people[who];
      const granted = columnsOf(tables[table].granted[member.actor.role] ?? "", "update");
      for (const column of await readColumns(table)) {
        const open = granted === "all" || granted.includes(column);
        const rows: Reach = open ? lineOf(table, member).update ?? "none" : "refused";
        const found = await reach(db, member, table, "update", column);
        expect(found, `column ${column}`).toEqual(await promised(db, member, table, rows));
      }
    },
  );

  test.each(actors)("%s adds the rows that are written down and no others", async (who) => {
    const member = people[who];
    const own = member.id ?? people.user.id!;
    const allowed = lineOf(table, member).insert ?? "refused";
    const granted = columnsOf(tables[table].granted[member.actor.role] ?? "", "insert");
    for (const owner of new Set([own, people["other user"].id!])) {
      const sample = tables[table].sample(owner) ?? { [tables[table].owner]: owner };
      const row = Object.fromEntries(
        Object.entries(sample).filter(([name]) =>
          granted === "all" || granted.length === 0 || granted.includes(name)
        ),
      );
      const code = await codeAs(
        db,
        member.actor,
        (sql) => sql`insert into ${sql(table)} ${sql(row)}`,
      );
      const permitted = allowed === "all" || allowed === "own" && owner === member.id;
      // The row is there already, so being permitted shows in the unique key that stops it.
      expect(code === "42501" ? "refused" : "permitted", `a row of ${owner}`)
        .toBe(permitted ? "permitted" : "refused");
    }
  });
});

test("the API roles are members of no other role and have no powers of their own", async () => {
  const memberships = await db.superuser`
    select r.rolname, m.rolname as of from pg_auth_members am
    join pg_roles r on r.oid = am.member join pg_roles m on m.oid = am.roleid
    where r.rolname in ('anon', 'authenticated', 'service_role')`;
  expect(memberships).toEqual([]);
  const [powers] = await db.superuser`
    select bool_or(rolsuper or rolcreaterole or rolcreatedb or rolreplication) as some,
      bool_or(rolbypassrls) filter (where rolname <> 'service_role') as bypass
    from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'authenticator')`;
  expect(powers).toEqual({ some: false, bypass: false });
});

/** The columns that a right like "select, update(a, b)" covers. */
function columnsOf(rights: string, verb: string): string[] | "all" {
  const match = new RegExp(`(?:^|, )${verb}(?:\\(([^)]*)\\))?(?:,|$)`).exec(rights);
  if (!match) return [];
  return match[1] === undefined ? "all" : match[1].split(", ");
}

async function readColumns(table: string): Promise<string[]> {
  const rows = await db.superuser`
    select attname from pg_attribute
    where attrelid = ${table}::regclass and attnum > 0 and not attisdropped order by attnum`;
  return rows.map((row) => row.attname);
}
