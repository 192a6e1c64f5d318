import { beforeAll, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser, testDatabase } from "../support/database.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await testDatabase()));

test("a failure carries its code, its status and its context, and nothing of what was done stays", async () => {
  await db.sql`create table app.scratch (n integer)`;
  const failing = db.sql.begin(async (sql) => {
    await sql`insert into app.scratch values (1)`;
    await sql`select app.fail('rate_limited', '{"retry_after": 3}')`;
  });
  await expect(failing).rejects.toMatchObject({
    code: "PT429",
    message: "rate_limited",
    detail: '{"retry_after": 3}',
  });
  expect(await db.sql`select from app.scratch`).toHaveLength(0);
});

test("a code that is not in the table is a mistake of ours, not an answer", async () => {
  expect(await codeOf(db.sql`select app.fail('no_such_code')`)).toBe("P0001");
});

test("what a later migration forgets to protect is closed all the same", async () => {
  await db.sql.unsafe(`
    create table public.forgotten (secret text);
    insert into public.forgotten values ('x');
    create sequence public.forgotten_sequence;
    create function public.forgotten_function() returns text language sql as 'select 1::text';
    create function app.forgotten_function() returns text language sql as 'select 1::text';
  `);
  const user = await createUser(db);
  const actors = [{ role: "anon" as const }, { role: "authenticated" as const, id: user.id }, {
    role: "service_role" as const,
  }];
  for (const actor of actors) {
    for (
      const statement of [
        "table public.forgotten",
        "select nextval('public.forgotten_sequence')",
        "select public.forgotten_function()",
        "select app.forgotten_function()",
      ]
    ) {
      expect(await codeOf(actAs(db, actor, (sql) => sql.unsafe(statement)))).toBe("42501");
    }
  }
});

test("a setting stays within its range and is read by name", async () => {
  const [{ value }] = await db.sql`select app.setting('idempotency_retention_hours') as value`;
  expect(value).toBe(72);
  expect(
    await codeOf(
      db.sql`update app.settings set value = 1 where name = 'idempotency_retention_hours'`,
    ),
  ).toBe("23514");
  expect(await codeOf(db.sql`select app.setting('no_such_setting')`)).toBe("P0002");
});

test("the clock goes on within a transaction: a deadline holds for who had to wait", async () => {
  const [{ passed }] = await db.sql.begin(async (sql) => {
    await sql`select pg_sleep(0.01)`;
    return await sql`select app.clock() > now() as passed`;
  });
  expect(passed).toBe(true);
});

test("our own functions have two minutes, whoever is waiting has seconds", async () => {
  const limits = await db.sql`select rolname, setting from pg_roles, unnest(rolconfig) as setting
    where setting like 'statement_timeout=%' order by rolname`;
  expect(Object.fromEntries(limits.map(({ rolname, setting }) => [rolname, setting.split("=")[1]])))
    .toMatchObject({ anon: "3s", authenticated: "8s", service_role: "120s" });
});
