import { readdirSync } from "node:fs";
import { afterAll, expect, inject, test } from "vitest";
import { migrate, prepareDatabase, withDatabase } from "../../supabase/local/postgres/database.ts";
import { root } from "../../supabase/local/root.ts";
import { asSuperuser, testDatabase, urlOf } from "../support/database.ts";
import { dumpSchema } from "./schema-dump.ts";

const name = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
const url = urlOf("postgres", name);
afterAll(() => asSuperuser((sql) => sql.unsafe(`drop database if exists ${name} with (force)`)));

const chapters = readdirSync(`${root}migrations`).filter((file) => file.endsWith(".sql"))
  .map((file) => file.split("_")[0]).sort();

const history = () =>
  withDatabase(url, async (sql) => {
    const rows = await sql`
      select version from supabase_migrations.schema_migrations order by version`;
    return rows.map(({ version }) => version);
  });

test("twenty migrators at once, from an empty database, make what one makes", async () => {
  await prepareDatabase({ port: inject("postgresPort"), url: urlOf }, name);
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => migrate(url)));
  expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
  expect(await history()).toEqual(chapters);
  const single = await testDatabase();
  expect(await dumpSchema(url)).toBe(await dumpSchema(urlOf("postgres", single.name)));
}, 180_000);

test("migrating again changes nothing", async () => {
  const before = await dumpSchema(url);
  await migrate(url);
  expect(await dumpSchema(url)).toBe(before);
  expect(await history()).toEqual(chapters);
});
