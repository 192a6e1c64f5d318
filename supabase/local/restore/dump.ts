// A logical dump by COPY, as `pg_dump --data-only` writes it: npm's Postgres comes without pg_dump, and
// Debian's refuses a newer server. One snapshot of all tables; the schema is in migrations/.
import postgres from "postgres";

/** All of ours, and of Auth the people with how they log in. */
export const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as full_name, (
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
    where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and (n.nspname in ('public', 'app')
    or n.nspname = 'auth' and c.relname in ('users', 'identities'))
  order by 1`;

/** What rows are numbered from. */
export const SEQUENCES = `
  select format('%I.%I', schemaname, sequencename) as full_name, last_value
  from pg_sequences where schemaname in ('public', 'app') order by 1`;

export async function dump(url: string, file: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const out = (await Deno.open(file, { write: true, create: true, truncate: true, mode: 0o600 }))
    .writable.getWriter();
  const say = (text: string) => out.write(new TextEncoder().encode(text));
  try {
    await sql.begin("isolation level repeatable read read only", async (transaction) => {
      const copy = async (table: string, columns: string) => {
        await say(`COPY ${table} (${columns}) FROM stdin;\n`);
        const rows = await transaction.unsafe(`copy ${table} (${columns}) to stdout`).readable();
        for await (const part of rows) await out.write(part);
        await say("\\.\n\n");
      };
      await copy("supabase_migrations.schema_migrations", "version");
      for (const { full_name, columns } of await transaction.unsafe(TABLES)) {
        await copy(full_name, columns);
      }
    });
    // Read after the rows, and not of their snapshot: a number may be skipped, none comes twice.
    for (const { full_name, last_value } of await sql.unsafe(SEQUENCES)) {
      const value = last_value === null ? "1, false" : `${last_value}, true`;
      await say(`SELECT pg_catalog.setval('${full_name}', ${value});\n`);
    }
  } finally {
    await out.close();
    await sql.end();
  }
}
