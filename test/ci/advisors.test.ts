// The platform's own linter. The database says which schemas the API exposes (pgrst.db_schemas), or
// its API lints would have nothing to look at.
import { expect, test } from "vitest";
import { baseEnvironment } from "../../supabase/local/process.ts";
import { root } from "../../supabase/local/root.ts";
import { testDatabase, urlOf } from "../support/database.ts";

async function advise(name: string): Promise<{ passed: boolean; said: string }> {
  const output = await new Deno.Command(`${root}node_modules/.bin/supabase`, {
    args: ["db", "advisors", `--remote=${urlOf("postgres", name)}`, "--fail-on", "warn"]
      .concat(["--workdir", root]),
    env: { ...baseEnvironment(), PGSSLMODE: "disable", DO_NOT_TRACK: "1" },
    clearEnv: true,
    stdin: "null",
  }).output();
  const said = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { passed: output.success, said: said.join("\n") };
}

test("the linter finds no error and no warning", async () => {
  const { name } = await testDatabase();
  const { passed, said } = await advise(name);
  expect(passed, said).toBe(true);
  expect(said).toContain("No issues found");
});

test.each([
  [
    "a SECURITY DEFINER function without search_path",
    "public.planted_function",
    `create function public.planted_function() returns void
       language sql security definer as 'select';
     grant execute on function public.planted_function() to anon`,
  ],
  [
    "a table without row level security",
    "public.planted_table",
    "create table public.planted_table (id integer primary key); grant select on public.planted_table to anon",
  ],
  [
    "a view that reads with its owner's rights",
    "public.planted_view",
    "create view public.planted_view as select * from public.profiles; grant select on public.planted_view to anon",
  ],
])("the linter bites: it names %s", async (_, planted, statements) => {
  const { name, sql } = await testDatabase();
  await sql.unsafe(statements);
  const { passed, said } = await advise(name);
  expect(passed, said).toBe(false);
  expect(said).toContain(planted);
});
