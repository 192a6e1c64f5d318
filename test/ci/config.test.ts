import { readdirSync, readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { contracts } from "../../functions/health/contracts.ts";
import { VERSION } from "../../shared/version.ts";
import { root } from "../../supabase/local/root.ts";

const read = (file: string) => readFileSync(`${root}${file}`, "utf8");
const packageJson = JSON.parse(read("package.json"));
const versions: Record<string, string> = {
  ...packageJson.devDependencies,
  ...packageJson.dependencies,
};
const imports: [string, string][] = Object.entries(JSON.parse(read("deno.json")).imports);
const folders = readdirSync(`${root}functions`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();

describe("every folder of functions/", () => {
  test("has an index.ts that serves", () => {
    for (const name of folders) {
      expect.soft(read(`functions/${name}/index.ts`), name).toContain("Deno.serve(app.fetch);");
    }
  });

  test("is deployed by supabase/config.toml, from its place, and nothing else is", () => {
    const expected = folders.map((name) => [name, {
      entrypoint: `../functions/${name}/index.ts`,
      import_map: "../deno.json",
      verify_jwt: false,
    }]);
    expect(parse(read("supabase/config.toml")).functions).toEqual(Object.fromEntries(expected));
  });

  test("has its contract in the API's description", () => {
    expect(contracts.map(({ name }) => name).sort()).toEqual(folders);
  });
});

describe("versions", () => {
  test("package.json pins exact ones", () => {
    for (const [name, version] of Object.entries(versions)) {
      expect.soft(version, name).toMatch(/^(npm:[a-z]+@)?\d+\.\d+\.\d+(-[a-z0-9.]+)?$/);
    }
  });

  test("deno.json pins the same ones", () => {
    for (const [name, target] of imports) {
      const [, packageName, version] = target.match(/^npm:\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)\/?$/) ??
        [];
      expect.soft(packageName, name).toBe(name.replace(/\/$/, ""));
      expect.soft(version, name).toBe(versions[packageName]);
    }
  });

  test("deno.json has every package that the functions may use", () => {
    const mapped = imports.map(([name]) => name.replace(/\/$/, ""));
    for (const name of Object.keys(packageJson.dependencies)) expect.soft(mapped).toContain(name);
  });

  test("shared/version.ts is the one of package.json", () => {
    expect(VERSION).toBe(packageJson.version);
  });
});
