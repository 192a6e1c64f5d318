// The schema as text: what the migrations made, read from the catalogue. `npm run schema` writes it to
// test/schema.sql, so that the net effect of a migration is one diff. Platform objects are left out.
import { writeFileSync } from "node:fs";
import type postgres from "postgres";
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { root } from "../../supabase/local/root.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";

export const schemaFile = `${root}test/schema.sql`;

const HEAD = `-- What the migrations make: schemas public and app, and what they leave elsewhere.
-- Written by npm run schema and compared by a test. To be read, not to be run.
`;

/** Statements that belong to one object; an object's statements stay together. */
interface Line {
  object: string;
  line: string;
}

export function dumpSchema(url: string): Promise<string> {
  return withDatabase(
    url,
    (sql) =>
      sql.begin("isolation level repeatable read read only", async (transaction) => {
        // With nothing on the path every name is printed with its schema.
        await transaction`set local search_path = ''`;
        const parts: string[] = [HEAD];
        for (const [title, queries] of Object.entries(sections)) {
          const blocks = new Map<string, string[]>();
          for (const query of queries) {
            for (const { object, line } of await transaction.unsafe<Line[]>(query)) {
              blocks.set(object, [...blocks.get(object) ?? [], line]);
            }
          }
          const texts = [...blocks.entries()].sort(([a], [b]) => a < b ? -1 : 1)
            .map(([, lines]) => lines.join("\n"));
          if (texts.length > 0) parts.push(heading(title), ...texts.map((text) => `${text}\n`));
        }
        return parts.join("\n");
      }),
  ) as Promise<string>;
}

const heading = (title: string) => `\n-- ${title} ${"-".repeat(96 - title.length)}\n`;

const ours = "n.nspname in ('public', 'app')";
const name = (object: string) => `format('%I.%I', n.nspname, ${object})`;
const signature =
  "format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))";
const unlessPostgres = (owner: string, what: string) => `
  case when pg_catalog.pg_get_userbyid(${owner}) <> 'postgres'
    then format(E'\\n-- owner of ${what}: %I', pg_catalog.pg_get_userbyid(${owner})) else '' end`;

/** What is granted to others than the owner; an object without a list has the default one. */
function grants(kind: string, list: string, owner: string, on: string, from: string): string {
  return `
    select ${on} as object, format('grant %s on %s to %s%s;',
        string_agg(lower(a.privilege_type), ', ' order by a.privilege_type), ${on}, grantee.name,
        case when a.is_grantable then ' with grant option' else '' end) as line
    from ${from}
    cross join lateral pg_catalog.aclexplode(coalesce(${list}, pg_catalog.acldefault('${kind}', ${owner}))) a
    cross join lateral (select case when a.grantee = 0 then 'public'
      else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end as name) grantee
    where ${ours} and a.grantee <> ${owner}
      -- Postgres 17 and later have it, hosted projects on 15 do not.
      and a.privilege_type <> 'MAINTAIN'
    group by 1, grantee.name, a.is_grantable
    order by 1, grantee.name collate "C", a.is_grantable`;
}

const comments = (catalogue: string, kind: string, object: string, on: string, from: string) => `
  select ${object} as object, format('comment on ${kind} %s is %L;', ${on}, d.description) as line
  from ${from}
  join pg_catalog.pg_description d on d.objoid = x.oid and d.objsubid = 0
    and d.classoid = 'pg_catalog.${catalogue}'::regclass
  where ${ours} order by 1, 2 collate "C"`;

const relations = "pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace";
const routines = "pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace";
const onRelation = (catalogue: string, key: string) =>
  `pg_catalog.${catalogue} x join pg_catalog.pg_class c on c.oid = x.${key}
   join pg_catalog.pg_namespace n on n.oid = c.relnamespace`;

const types = `
  select ${name("t.typname")} as object, case t.typtype
    when 'e' then format('create type %I.%I as enum (%s);', n.nspname, t.typname,
      (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
       from pg_catalog.pg_enum e where e.enumtypid = t.oid))
    when 'd' then format('create domain %I.%I as %s%s%s;', n.nspname, t.typname,
      pg_catalog.format_type(t.typbasetype, t.typtypmod),
      case when t.typnotnull then ' not null' else '' end || coalesce(' default ' || t.typdefault, ''),
      (select string_agg(format(' constraint %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), '' order by k.conname)
       from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contype = 'c'))
    else format('create type %I.%I as (%s);', n.nspname, t.typname,
      (select string_agg(format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
       from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped))
    end || ${unlessPostgres("t.typowner", "the type")} as line
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join pg_catalog.pg_class c on c.oid = t.typrelid
  where ${ours} and (t.typtype in ('e', 'd') or c.relkind = 'c') order by 1`;

const tables = `
  select ${name("c.relname")} as object, format(E'create %stable %I.%I (\\n  %s\\n)%s%s;%s',
    case c.relpersistence when 'u' then 'unlogged ' else '' end, n.nspname, c.relname,
    concat_ws(E',\\n  ', columns.list, constraints.list),
    coalesce(' partition by ' || pg_catalog.pg_get_partkeydef(c.oid), '') ||
      coalesce(' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid), ''),
    ' with (' || array_to_string(c.reloptions, ', ') || ')',
    ${unlessPostgres("c.relowner", "the table")}) as line
  from ${relations}
  cross join lateral (
    select string_agg(format('%I %s%s%s%s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation::text else '' end,
      case when a.attnotnull then ' not null' else '' end,
      case when a.attidentity <> '' then format(' generated %s as identity', case a.attidentity when 'a' then 'always' else 'by default' end)
        when a.attgenerated = 's' then format(' generated always as (%s) stored', pg_catalog.pg_get_expr(d.adbin, d.adrelid))
        else coalesce(' default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') end
      ), E',\\n  ' order by a.attnum) as list
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) columns
  cross join lateral (
    select string_agg(format('constraint %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), E',\\n  '
      order by position(k.contype in 'pufcx'), k.conname) as list
    from pg_catalog.pg_constraint k
    where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c', 'x')) constraints
  where ${ours} and c.relkind in ('r', 'p') order by 1`;

const rowSecurity = `
  select ${
  name("c.relname")
} as object, format('alter table %I.%I %s row level security;', n.nspname, c.relname, flag) as line
  from ${relations}
  cross join lateral (values ('enable', c.relrowsecurity), ('force', c.relforcerowsecurity)) as f (flag, holds)
  where ${ours} and c.relkind in ('r', 'p') and holds order by 1, 2`;

const indexes = `
  select ${
  name("c.relname")
} as object, pg_catalog.pg_get_indexdef(x.indexrelid) || case when x.indisvalid then ';' else '; -- invalid' end as line
  from ${onRelation("pg_index", "indrelid")}
  where ${ours} and not exists (select from pg_catalog.pg_constraint k
    where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))
  order by 1, 2 collate "C"`;

const policies = `
  select ${
  name("c.relname")
} as object, format('create policy %I on %I.%I%s for %s to %s%s%s;', x.polname, n.nspname, c.relname,
    case when x.polpermissive then '' else ' as restrictive' end,
    case x.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
    case when x.polroles = '{0}' then 'public' else (select string_agg(quote_ident(r.rolname), ', ' order by r.rolname)
      from pg_catalog.pg_roles r where r.oid = any (x.polroles)) end,
    E'\\n  using (' || pg_catalog.pg_get_expr(x.polqual, x.polrelid) || ')',
    E'\\n  with check (' || pg_catalog.pg_get_expr(x.polwithcheck, x.polrelid) || ')') as line
  from ${onRelation("pg_policy", "polrelid")}
  where ${ours} order by 1, x.polname`;

/** Of any table that runs a function of ours, such as auth.users. */
const triggers = `
  select ${name("c.relname")} as object, pg_catalog.pg_get_triggerdef(x.oid) ||
    case x.tgenabled when 'O' then ';' else '; -- fires: ' || x.tgenabled end as line
  from ${onRelation("pg_trigger", "tgrelid")}
  join ${routines.replace(" n ", " f ").replace("n.oid", "f.oid")} on p.oid = x.tgfoid
  where not x.tgisinternal and (${ours} or f.nspname in ('public', 'app')) order by 1, x.tgname`;
