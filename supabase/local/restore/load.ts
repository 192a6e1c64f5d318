// Loads a dump's rows into a database that has our schema and nobody in it. Takes dump.ts's files, and
// those of `supabase db dump --data-only --use-copy` or `pg_dump --data-only`.
import postgres from "postgres";
import { readFileSync } from "node:fs";
import { TABLES } from "./dump.ts";

export interface Loaded {
  /** How many rows each table has got. */
  rows: Map<string, number>;
  /** The last migration that the dump's database had, if the dump says so. */
  head: string | null;
}

type Table = { full_name: string; columns: string };
type Lines = AsyncGenerator<string, void>;

const CHUNK = 1 << 16;
const unquote = (text: string) => text.replaceAll('"', "");

export async function load(file: string, url: string): Promise<Loaded> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await sql.begin((transaction) => loadIn(transaction, file)) as Loaded;
  } finally {
    await sql.end();
  }
}

async function loadIn(sql: postgres.TransactionSql, file: string): Promise<Loaded> {
  const [{ people }] = await sql`select count(*)::int as people from auth.users`;
  if (people > 0) {
    throw new Error("There are people in this database already: nothing is loaded into it.");
  }
  const tables = new Map((await sql.unsafe<Table[]>(TABLES)).map((one) => [one.full_name, one]));
  // Rows are taken as they are: what triggers and foreign keys demand, they have fulfilled already.
  await sql`set local session_replication_role = replica`;
  // What the migrations put in is in the dump too, as it was when that was made.
  const ours = [...tables.keys()].filter((name) => !name.startsWith("auth."));
  await sql.unsafe(`truncate ${ours.join(", ")}`);

  const loaded: Loaded = { rows: new Map(), head: null };
  const lines = readLines(file);
  for await (const line of lines) {
    const copy = /^COPY (\S+) \((.+)\) FROM stdin;$/.exec(line);
    if (copy) await takeTable(sql, tables, copy, lines, loaded);
    else if (line.startsWith("INSERT INTO")) {
      throw new Error(
        "The dump has INSERTs: make it with --use-copy (pg_dump: without --inserts).",
      );
    }
    const sequence = /^SELECT pg_catalog\.setval\('([^']+)', (\d+), (true|false)\);$/.exec(line);
    if (sequence && /^(public|app)\./.test(unquote(sequence[1]))) {
      await sql`select setval(${sequence[1]}::regclass, ${sequence[2]}::bigint, ${
        sequence[3] === "true"
      })`;
    }
  }
  await sql.unsafe(readFileSync(new URL("after.sql", import.meta.url), "utf8"));
  return loaded;
}

async function takeTable(
  sql: postgres.TransactionSql,
  tables: Map<string, Table>,
  [, quoted, list]: string[],
  lines: Lines,
  loaded: Loaded,
): Promise<void> {
  const name = unquote(quoted);
  const given = unquote(list).split(", ");
  if (name === "supabase_migrations.schema_migrations") {
    const at = given.indexOf("version");
    for await (const line of rowsOf(lines)) {
      const version = line.split("\t")[at];
      if (version > (loaded.head ?? "")) loaded.head = version;
    }
    return;
  }
  const table = tables.get(name);
  const known = unquote(table?.columns ?? "").split(", ");
  const kept = given.flatMap((column, at) => known.includes(column) ? [at] : []);
  // Auth's tables differ between its versions; ours must not.
  if (table && kept.length < given.length && !name.startsWith("auth.")) {
    const strange = given.filter((column) => !known.includes(column));
    throw new Error(
      `The dump's ${name} has columns that this version does not: ${strange.join(", ")}`,
    );
  }
  const count = table ? await copyRows(sql, name, given, kept, lines) : await drain(rowsOf(lines));
  if (table) loaded.rows.set(name, count);
}

async function copyRows(
  sql: postgres.TransactionSql,
  name: string,
  given: string[],
  kept: number[],
  lines: Lines,
): Promise<number> {
  const columns = kept.map((at) => `"${given[at]}"`).join(", ");
  const target = await sql.unsafe(`copy ${name} (${columns}) from stdin`).writable();
  const write = (text: string) =>
    new Promise<void>((resolve, reject) =>
      target.write(text, (error) => error ? reject(error) : resolve())
    );
  const done = new Promise<void>((resolve, reject) =>
    target.on("finish", resolve).on("error", reject)
  );
  let [count, chunk] = [0, ""];
  for await (const line of rowsOf(lines)) {
    // In this format a tab within a value is written \t, so that every tab is between two.
    const fields = kept.length === given.length ? null : line.split("\t");
    chunk += `${fields ? kept.map((at) => fields[at]).join("\t") : line}\n`;
    count++;
    if (chunk.length < CHUNK) continue;
    await write(chunk);
    chunk = "";
  }
  target.end(chunk);
  await done;
  return count;
}

async function* rowsOf(lines: Lines): Lines {
  for (
    let next = await lines.next();
    !next.done && next.value !== "\\.";
    next = await lines.next()
  ) {
    yield next.value;
  }
}

async function drain(lines: Lines): Promise<number> {
  let count = 0;
  for await (const _ of lines) count++;
  return count;
}

/** Only \n ends a line: values may have whatever else Unicode calls one. */
async function* readLines(file: string): Lines {
  let rest = "";
  const source = await Deno.open(file);
  const reader = source.readable.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
}
