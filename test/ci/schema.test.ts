import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { generateTypes } from "../../supabase/local/postgres/database.ts";
import { root } from "../../supabase/local/root.ts";
import { testDatabase, urlOf } from "../support/database.ts";
import { dumpSchema, schemaFile } from "./schema-dump.ts";

describe("what is committed is what the migrations make", () => {
  test("test/schema.sql (npm run schema writes it)", async () => {
    const { name } = await testDatabase();
    expect(await dumpSchema(urlOf("postgres", name))).toBe(readFileSync(schemaFile, "utf8"));
  });

  test("shared/database.types.ts (npm run schema writes it)", async () => {
    const { name } = await testDatabase();
    const types = readFileSync(`${root}shared/database.types.ts`, "utf8");
    expect(await generateTypes(urlOf("postgres", name))).toBe(types);
  });
});

describe("no change of the schema stays out of the dump", () => {
  const changes = [
    "create type public.mood as enum ('good', 'bad')",
    "alter type public.mood add value 'fair' before 'bad'",
    "create type public.pair as (first integer, second text)",
    "create domain app.percentage as integer check (value between 0 and 100)",
    "create table public.planted (id integer generated always as identity, mood public.mood)",
    "alter table public.planted alter mood set default 'good'",
    "alter table public.planted alter mood set not null",
    "alter table public.planted add twice integer generated always as (id * 2) stored",
    "alter table public.planted add constraint planted_key unique (id)",
    "alter table public.planted add check (id > 0)",
    "alter table public.planted set (fillfactor = 70)",
    "create index planted_mood on public.planted (mood) where id > 5",
    "comment on column public.planted.mood is 'planted'",
    "comment on constraint planted_key on public.planted is 'planted'",
    "grant select on public.planted to anon",
    "grant update (mood) on public.planted to authenticated with grant option",
    "grant usage on sequence public.planted_id_seq to anon",
    "alter table public.planted enable row level security",
    "alter table public.planted force row level security",
    "create policy planted on public.planted as restrictive for delete to anon using (id > 1)",
    "alter policy planted on public.planted using (id > 2)",
    "alter table public.planted disable row level security",
    "create view app.seen as select id from public.planted",
    "alter view app.seen set (security_invoker = true)",
    "create function app.plant() returns trigger language plpgsql as 'begin return new; end'",
    "alter function app.plant() security definer",
    "comment on function app.plant() is 'planted'",
    "revoke execute on function app.plant() from public",
    "grant execute on function app.plant() to public",
    "create trigger plant before insert on auth.users for each row execute function app.plant()",
    "alter table public.profiles disable trigger touch_updated_at",
    "alter default privileges in schema app grant select on tables to anon",
    "alter publication supabase_realtime add table public.planted",
    "alter schema app owner to authenticator",
    "select cron.schedule('planted', '* * * * *', 'select 1')",
    "update cron.job set active = false where jobname = 'planted'",
  ];

  test("each of many changes shows, one after the other", async () => {
    const database = await testDatabase();
    const dump = () => dumpSchema(urlOf("postgres", database.name));
    let before = await dump();
    for (const change of changes) {
      await database.superuser.unsafe(change);
      const after = await dump();
      expect.soft(after === before, change).toBe(false);
      before = after;
    }
  });
});
