// What the database says about itself: every object of ours, and what each API role may really do
// with it, by whatever way it came to that (its own grant, PUBLIC, a role it is a member of).
import type postgres from "postgres";
import { roles } from "./access-matrix.ts";

const apiRoles: string[] = [...roles];

export type Grants = Record<string, Record<string, string>>;

/** Tables and views (kinds rvmpf) of public and app: for each the rights of each role, as in "select, update(a, b)". */
export async function readTableGrants(sql: postgres.Sql): Promise<Grants> {
  const rows = await sql`
    select c.oid::regclass::text as bare, n.nspname || '.' || c.relname as name, r.role,
      coalesce(string_agg(right_, ', ' order by right_) filter (where right_ is not null), '') as rights
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join unnest(${apiRoles}::text[]) as r(role)
    cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger', 'maintain']) as v(verb)
    cross join lateral (select case
      when has_table_privilege(r.role, c.oid, v.verb) then v.verb
      when v.verb in ('select', 'insert', 'update', 'references') then (
        select v.verb || '(' || string_agg(attname, ', ' order by attname) || ')'
        from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped
          and has_column_privilege(r.role, c.oid, attnum, v.verb))
      end as right_) as x
    where n.nspname in ('public', 'app') and c.relkind in ('r', 'v', 'm', 'p', 'f')
    group by c.oid, n.nspname, c.relname, r.role`;
  return byRole(rows);
}

export async function readSequenceGrants(sql: postgres.Sql): Promise<Grants> {
  const rows = await sql`
    select n.nspname || '.' || c.relname as name, r.role,
      coalesce(string_agg(v.verb, ', ' order by v.verb)
        filter (where has_sequence_privilege(r.role, c.oid, v.verb)), '') as rights
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join unnest(${apiRoles}::text[]) as r(role)
    cross join unnest(array['usage', 'select', 'update']) as v(verb)
    where n.nspname in ('public', 'app') and c.relkind = 'S'
    group by n.nspname, c.relname, r.role`;
  return byRole(rows);
}

export interface FunctionFacts {
  name: string;
  schema: string;
  types: string[];
  isTrigger: boolean;
  executableBy: string[];
  byPublic: boolean;
  isDefiner: boolean;
  settings: string[];
}

/** Every function and procedure of public and app, named as in "app.setting(text)". */
export async function readFunctions(sql: postgres.Sql): Promise<FunctionFacts[]> {
  return await sql<FunctionFacts[]>`
    select n.nspname || '.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')' as name,
      n.nspname as schema,
      array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a(t, i) order by i) as types,
      p.prorettype = 'trigger'::regtype as "isTrigger",
      array(select r from unnest(${apiRoles}::text[]) as r
        where has_function_privilege(r, p.oid, 'execute') order by r) as "executableBy",
      exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
        where grantee = 0) as "byPublic",
      p.prosecdef as "isDefiner",
      coalesce(p.proconfig, '{}') as settings
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'app') order by 1`;
}

function byRole(rows: postgres.RowList<postgres.Row[]>): Grants {
  const grants: Grants = {};
  for (const { name, role, rights } of rows) {
    grants[name] ??= {};
    if (rights) grants[name][role] = rights;
  }
  return grants;
}
