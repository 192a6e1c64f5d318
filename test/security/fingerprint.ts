// All that is stored, as a hash for each table: what is the same before and after was not written to.
import type { TestDatabase } from "../support/database.ts";

export async function fingerprint(
  { superuser }: TestDatabase,
  except: string[] = [],
): Promise<Record<string, string>> {
  const tables = await superuser`
    select n.nspname || '.' || quote_ident(c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname in ('public', 'app', 'auth') order by 1`;
  const counted = tables.map((row) => row.name as string).filter((name) => !except.includes(name));
  // One statement, and so one moment.
  const [hashes] = await superuser.unsafe(
    `select ${
      counted.map((name) =>
        `(select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '')
          from ${name} t) as "${name}"`
      ).join(",\n")
    }`,
  );
  return hashes;
}
