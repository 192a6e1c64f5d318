// Objects of one's own under the functions that run as their owner: whoever could speak SQL as an API role,
// which HTTP lets nobody do, must not become more than that.
import { beforeAll, describe, expect, inject, test } from "vitest";
import type postgres from "postgres";
import type { Actor, TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser, testDatabase } from "../support/database.ts";
import { buy, player, raffle, ticketsOf } from "../support/raffles.ts";
import { violations, walletOf } from "../support/wallets.ts";
import { functions } from "./access-matrix.ts";
import { readFunctions } from "./catalogue.ts";

let db: TestDatabase;
let ana: Actor & { id: string };
let actors: Actor[];
beforeAll(async () => {
  db = await testDatabase();
  ana = { role: "authenticated", id: (await player(db, 10_000)).id };
  const { id } = await createUser(db, { roles: ["admin"] });
  actors = [{ role: "anon" }, ana, { role: "authenticated", id }, { role: "service_role" }];
});

test("no API role can make a temporary object: no table, no type, no function to shadow ours", async () => {
  for (const actor of actors) {
    for (
      const statement of [
        "create temp table profiles (id pg_catalog.uuid)",
        "create temp view user_roles as select 1",
        "create temp sequence tickets_id_seq",
        "select 1 as id into temp raffles",
        "create function pg_temp.now() returns integer language sql as 'select 1'",
        "create domain pg_temp.uuid as pg_catalog.uuid",
        "create type pg_temp.text as enum ('a')",
        "create schema app_2",
        "create function public.uid() returns integer language sql as 'select 1'",
        "create table extensions.profiles ()",
      ]
    ) {
      expect(await codeOf(actAs(db, actor, (sql) => sql.unsafe(statement))), statement).toBe(
        "42501",
      );
    }
  }
});

test("that is what the migrations do, and not only our clones of what they made", async () => {
  const [{ roles }] = await db.superuser`
    select array(select rolname::text from pg_roles
      where rolname in ('anon', 'authenticated', 'service_role', 'authenticator')
        and has_database_privilege(oid, ${inject("template")}, 'temporary, create')) as roles`;
  expect(roles).toEqual([]);
});

describe("where all the same there are such objects", () => {
  /** Whatever of it is used says so. */
  const shadow = (sql: postgres.TransactionSql | postgres.Sql, schema: string) =>
    sql.unsafe(`
      create function ${schema}.tell() returns integer language plpgsql as
        $$ begin raise exception 'shadowed' using errcode = 'XX999'; end $$;
      create function ${schema}.now() returns timestamptz language sql as 'select ${schema}.tell(); select pg_catalog.now()';
      create function ${schema}.sha256(bytea) returns bytea language sql as 'select ${schema}.tell(); select $1';
      create function ${schema}.length(text) returns integer language sql as 'select ${schema}.tell()';
      create function ${schema}.gen_random_uuid() returns uuid language sql as 'select ${schema}.tell(); select null::uuid';
      create function ${schema}.same(uuid, uuid) returns boolean language sql as 'select ${schema}.tell() = 1';
      create operator ${schema}.= (leftarg = uuid, rightarg = uuid, function = ${schema}.same);
      create function ${schema}.more(bigint, bigint) returns boolean language sql as 'select ${schema}.tell() = 1';
      create operator ${schema}.>= (leftarg = bigint, rightarg = bigint, function = ${schema}.more);`);

  /** Every function that the role may call, with nothing. */
  async function callsOf({ role }: Actor): Promise<string[]> {
    const facts = await readFunctions(db.superuser);
    return facts.filter(({ name }) => functions[name]?.split(":")[0].split(" ").includes(role))
      .map(({ name, types }) =>
        `select ${name.split("(")[0]}(${types.map((type) => `null::${type}`).join(", ")})`
      );
  }

  test("on a search_path of the caller's, no function of ours looks there", async () => {
    await db.superuser.unsafe("create schema hostile");
    await shadow(db.superuser, "hostile");
    await db.superuser.unsafe(`grant usage on schema hostile to public;
      grant execute on all functions in schema hostile to public`);
    const used = actAs(db, ana, async (sql) => {
      await sql`set local search_path = hostile, pg_catalog`;
      await sql`select now()`;
    });
    expect(await codeOf(used)).toBe("XX999");
    for (const actor of actors) {
      for (const call of await callsOf(actor)) {
        const code = await codeOf(actAs(db, actor, async (sql) => {
          await sql`set local search_path = hostile, pg_catalog`;
          await sql.unsafe(call);
        }));
        expect(code, call).not.toBe("XX999");
      }
    }
  });

  test("temporary tables named as ours change nothing of who somebody is and what they have", async () => {
    await db.superuser.unsafe(`grant temporary on database ${db.name} to authenticated`);
    const raffleId = await raffle(db);
    const tables = await db.superuser`select n.nspname as schema, c.relname as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('public', 'app', 'auth') and c.relkind in ('r', 'p', 'v')`;
    const bought = await actAs(db, ana, async (sql) => {
      for (const { name } of tables) {
        await sql.unsafe(`create temp table if not exists "${name}" ()`);
      }
      await sql.unsafe(`
        drop table user_roles, wallet_accounts, settings;
        create temp table user_roles as select '${ana.id}'::pg_catalog.uuid as user_id, 'admin'::public.staff_role as role;
        create temp table wallet_accounts as select '${ana.id}'::pg_catalog.uuid as user_id, 1000000 as balance_cents;
        create temp table settings as select 'minimum_age'::pg_catalog.text as name, 0 as value`);
      const [{ account }] = await sql`select public.get_account() as account`;
      const refused = await codeOf(
        sql.savepoint((inner) => inner`select public.grant_role(${ana.id}, 'admin')`),
      );
      const [{ result }] =
        await sql`select public.begin_purchase('once', ${raffleId}, 2, null, 'ENTRY',
        'wallet', true, null) as result`;
      return { roles: account.roles, refused, status: result.answer?.purchase.status };
    });
    expect(bought).toEqual({ roles: ["player"], refused: "not_permitted", status: "CONFIRMED" });
    expect(await ticketsOf(db, raffleId)).toHaveLength(2);
    expect((await walletOf(db, ana.id)).balance).toBe(9_000);
    await buy(db, ana.id, { raffle_id: raffleId });
    expect(await violations(db)).toEqual([]);
  });
});
