// The catalogue of errors stands in two places, because SQL raises and TypeScript answers.
import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { catalogue, languages } from "../../shared/errors.ts";
import { root } from "../../supabase/local/root.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";

let database: TestDatabase;
let raisedInSql: Set<string>;
let declaredInSql: Record<string, number>;

beforeAll(async () => {
  database = await testDatabase();
  raisedInSql = literals(await sources(), /\bapp\.fail\(\s*'([^']*)'/g);
  const rows = await database.sql`select code, status from app.error_codes`;
  declaredInSql = Object.fromEntries(rows.map(({ code, status }) => [code, status]));
});

/** The bodies of all functions but app.fail itself. */
async function sources(): Promise<string> {
  const rows = await database.sql`
    select coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '') as source
    from pg_proc p
    where p.pronamespace in ('app'::regnamespace, 'public'::regnamespace) and p.proname <> 'fail'`;
  return rows.map(({ source }) => source.replace(/--.*$/gm, "")).join("\n");
}

const literals = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map(([, code]) => code));

function raisedInTypeScript(): Set<string> {
  const files = ["functions", "shared"].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts")).map((file) => `${root}${folder}/${file}`)
  );
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  return literals(text, /\bnew ApiError\(\s*"([^"]*)"/g);
}

describe("SQL", () => {
  test("names the code it raises in the call, so that it can be found", async () => {
    const calls = (await sources()).match(/\bapp\.fail\((?!\s*'[a-z_]+')/g) ?? [];
    expect(calls).toEqual([]);
    expect(raisedInSql.size).toBeGreaterThan(5);
  });

  test("raises only codes that app.error_codes has", () => {
    expect([...raisedInSql].filter((code) => !(code in declaredInSql))).toEqual([]);
  });

  test("has no code in app.error_codes that nothing raises", () => {
    expect(Object.keys(declaredInSql).filter((code) => !raisedInSql.has(code))).toEqual([]);
  });

  test("gives each code the status that the catalogue gives it", () => {
    const statuses = Object.entries(catalogue).map(([code, { status }]) => [code, status]);
    expect(Object.fromEntries(statuses)).toMatchObject(declaredInSql);
  });
});

describe("the catalogue", () => {
  test("has every code that is raised, and none that is not", () => {
    const raised = new Set([...raisedInSql, ...raisedInTypeScript()]);
    expect(Object.keys(catalogue).sort()).toEqual([...raised].sort());
  });

  test("has a text in every language for every code", () => {
    expect(languages).toEqual(["en", "es", "it"]);
    for (const [code, entry] of Object.entries(catalogue)) {
      const texts = languages.map((language) => entry[language].trim());
      expect.soft(texts.every((text) => /[.!?]$/.test(text)), code).toBe(true);
      expect.soft(new Set(texts).size, `${code} is translated`).toBe(languages.length);
    }
  });
});
