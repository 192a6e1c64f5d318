// The catalogue against access-matrix.ts: what exists, who is granted it, and how it is secured.
import { beforeAll, describe, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { functions, internal, roles, sequences, tables } from "./access-matrix.ts";
import type { FunctionFacts } from "./catalogue.ts";
import { readFunctions, readSequenceGrants, readTableGrants } from "./catalogue.ts";
import { actors, type Cast, cast, codeAs, needsOf } from "./cast.ts";

let db: TestDatabase;
let facts: FunctionFacts[];
beforeAll(async () => {
  db = await testDatabase();
  facts = await readFunctions(db.superuser);
});

const apiRoles: string[] = [...roles];

const expectedTables = {
  ...Object.fromEntries(Object.entries(tables).map(([name, { granted }]) => [name, granted])),
  ...internal,
};

/** What exists without an expectation, and what is expected but does not exist, by name. */
function differences(kind: string, present: string[], expected: string[]): string[] {
  return [
    ...present.filter((name) => !expected.includes(name))
      .map((name) => `${kind} ${name} is new: say in access-matrix.ts who may do what with it`),
    ...expected.filter((name) => !present.includes(name))
      .map((name) => `${kind} ${name} no longer exists: take it out of access-matrix.ts`),
  ];
}

describe("every object has an expectation, and every expectation an object", () => {
  test("tables and views", async () => {
    const present = Object.keys(await readTableGrants(db.superuser));
    expect(differences("table", present, Object.keys(expectedTables))).toEqual([]);
  });

  test("sequences", async () => {
    const present = Object.keys(await readSequenceGrants(db.superuser));
    expect(differences("sequence", present, Object.keys(sequences))).toEqual([]);
  });

  test("functions", () => {
    const present = facts.filter((fact) => fact.schema !== "app" || fact.executableBy.length > 0)
      .map((fact) => fact.name);
    expect(differences("function", present, Object.keys(functions))).toEqual([]);
  });

  test("every table that clients may read has its rows tried out", () => {
    const open = Object.keys(internal).filter((name) => name.startsWith("public."));
    expect(open, "a table or view of public belongs under tables, with its rows").toEqual([]);
  });
});

describe("nobody has more rights, or fewer, than is written down", () => {
  test.each(Object.entries(expectedTables))("to %s", async (name, granted) => {
    expect((await readTableGrants(db.superuser))[name]).toEqual(granted);
  });

  test.each(Object.entries(sequences))("to %s", async (name, granted) => {
    expect((await readSequenceGrants(db.superuser))[name]).toEqual(granted);
  });

  test.each(Object.entries(functions))("to execute %s", (name, expected) => {
    const [granted] = expected.split(":");
    const fact = facts.find((one) => one.name === name);
    expect(fact?.executableBy).toEqual(granted.split(" ").filter(Boolean).sort());
  });

  test("nobody makes or drops anything: no role has create on a schema, or owns an object", async () => {
    const created = await db.superuser`
      select r as role, nspname from unnest(${apiRoles}::text[]) as r
      cross join pg_namespace
      where has_schema_privilege(r, oid, 'create') and nspname not like 'pg_temp%'`;
    expect(created).toEqual([]);
    const owned = await db.superuser`
      select relname from pg_class where relowner::regrole::text = any(${apiRoles})
      union all select proname from pg_proc where proowner::regrole::text = any(${apiRoles})`;
    expect(owned).toEqual([]);
  });

  test("no API role reads the tables of Auth or of the clock", async () => {
    const readable = await db.superuser`
      select r as role, c.oid::regclass::text as name
      from unnest(${apiRoles}::text[]) as r
      cross join pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('auth', 'cron', 'supabase_migrations') and c.relkind in ('r', 'v', 'm', 'p')
        and (has_any_column_privilege(r, c.oid, 'select, insert, update')
          or has_table_privilege(r, c.oid, 'delete, truncate'))`;
    expect(readable).toEqual([]);
  });
});

describe("how objects are secured", () => {
  test("row level security is on for every table of public", async () => {
    const without = await db.superuser`
      select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relrowsecurity`;
    expect(without.map((row) => row.name)).toEqual([]);
  });

  test("every view of public looks with the eyes of its reader", async () => {
    const blind = await db.superuser`
      select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and (c.relkind = 'm'
        or c.relkind = 'v' and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'])`;
    expect(blind.map((row) => row.name)).toEqual([]);
  });

  test("no function is executable by PUBLIC", () => {
    expect(facts.filter((fact) => fact.byPublic).map((fact) => fact.name)).toEqual([]);
  });

  test("every function has an empty search_path", () => {
    const others = facts.filter((fact) => !fact.settings.includes('search_path=""'));
    expect(others.map((fact) => fact.name)).toEqual([]);
  });

  test("every SECURITY DEFINER function lives in app", () => {
    const outside = facts.filter((fact) => fact.isDefiner && fact.schema !== "app");
    expect(outside.map((fact) => fact.name)).toEqual([]);
  });

  test("no policy lets anon or everybody write", async () => {
    const wide = await db.superuser`
      select tablename, policyname from pg_policies
      where schemaname = 'public' and cmd <> 'SELECT' and roles && array['anon', 'public']::name[]`;
    expect(wide).toEqual([]);
  });
});

describe("a function does for each person what is written down", () => {
  let people: Cast;
  beforeAll(async () => void (people = await cast(db)));

  test.each(Object.keys(functions))("%s", async (name) => {
    const fact = facts.find((one) => one.name === name)!;
    const [granted] = functions[name].split(":");
    const needs = needsOf(functions[name]);
    const call = `select ${name.split("(")[0]}(${
      fact.types.map((type) => `null::${type}`).join(", ")
    })`;
    for (const who of actors) {
      const { actor, staff } = people[who];
      const code = await codeAs(db, actor, (sql) => sql.unsafe(call));
      const found = code === "42501" ? "refused" : code === "not_permitted" ? code : "runs";
      const mayRun = granted.split(" ").includes(actor.role);
      const wanted = !mayRun
        ? "refused"
        : needs && !staff.includes(needs)
        ? "not_permitted"
        : "runs";
      // A claim that nobody has begun is not permitted either.
      if (name.includes("grant_admin_claim") && wanted === "runs") continue;
      expect(`${who}: ${found}`, `${name} answered ${code}`).toBe(`${who}: ${wanted}`);
    }
  });
});
