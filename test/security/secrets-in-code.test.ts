// No secret is in what is deployed or in what is published: canaries are planted where secrets live, and
// looked for in every bundle; what has the shape of a secret is looked for in the repository and its history.
import type { BuildResult } from "esbuild";
import { build, stop } from "esbuild";
import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { variables } from "../../shared/env.ts";
import { listFunctions } from "../../supabase/local/functions/load.ts";
import { root } from "../../supabase/local/root.ts";
import { copyCheckout } from "../support/checkout.ts";
import { keys } from "../support/database.ts";

/** Shapes of keys that somebody could use; made up so that this file does not find itself. */
const SHAPES = [
  String.raw`(sk|rk)_(live|test)_[A-Za-z0-9]{16,}`,
  String.raw`whsec_[A-Za-z0-9+/]{20,}`,
  String.raw`sb_secret_[A-Za-z0-9_-]{20,}`,
  String.raw`sbp_[a-f0-9]{20,}`,
  String.raw`eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}`,
  String.raw`BEGIN [A-Z ]*PRIVATE KEY`,
  String.raw`(AKIA|ASIA)[A-Z0-9]{16}`,
  String.raw`gh[pousr]_[A-Za-z0-9]{30,}`,
  String.raw`npm_[A-Za-z0-9]{30,}`,
  String.raw`xox[abpr]-[A-Za-z0-9-]{16,}`,
  String.raw`postgres(ql)?://[a-z_]+:[A-Za-z0-9]{6,}@`,
];
const shape = new RegExp(SHAPES.join("|"), "g");
/** A test's, of settings that are never used. */
const MADE_UP = ["sk_test_0123456789abcdef"];
const shapesIn = (text: string) =>
  (text.match(shape) ?? []).filter((one) => !MADE_UP.includes(one));

/** Of this run; in the test's answer by name, so that a failure does not print them. */
const keysIn = (text: string) =>
  Object.entries(keys).filter(([name]) => name !== "publishable_key")
    .filter(([, value]) => text.includes(value)).map(([name]) => name);

const git = async (...args: string[]) => {
  const run = await new Deno.Command("git", { args, cwd: root }).output();
  expect(run.code, new TextDecoder().decode(run.stderr)).toBe(0);
  return new TextDecoder().decode(run.stdout);
};

test("what looks like a secret is found, or the rest would say nothing", () => {
  const letters = "a1B2".repeat(10);
  const planted = [
    ...["sk_live_", "sk_test_", "rk_live_", "whsec_", "sb_secret_", "ghp_", "npm_", "xoxb-"]
      .map((prefix) => prefix + letters),
    `sbp_${"0a".repeat(20)}`,
    `eyJ${letters}.eyJ${letters}.${letters}`,
    ["-----BEGIN RSA", "PRIVATE KEY-----"].join(" "),
    `AKIA${"A1".repeat(8)}`,
    `postgres://postgres:${letters}@db.example:5432/postgres`,
  ];
  for (const one of planted) expect(shapesIn(`const key = "${one}";`), one).toHaveLength(1);
  expect(keysIn(keys.secret_key)).toEqual(["secret_key"]);
});

describe("the bundle of", () => {
  const canaryOf = (name: string) => `canary-${name.toLowerCase()}-${"x7".repeat(4)}`;
  const canaries = Object.keys(variables).map(canaryOf);
  let checkout: string;
  let bundles: BuildResult<{ metafile: true; write: false }>;
  beforeAll(async () => {
    checkout = copyCheckout();
    const settings = Object.keys(variables).map((name) => `${name}=${canaryOf(name)}\n`).join("");
    for (const file of [".env", ".env.local", "supabase/.env", "functions/.env"]) {
      writeFileSync(`${checkout}/${file}`, settings);
    }
    bundles = await build({
      absWorkingDir: checkout,
      entryPoints: listFunctions().map((name) => `functions/${name}/index.ts`),
      outdir: "bundles",
      outbase: "functions",
      bundle: true,
      platform: "node",
      format: "esm",
      write: false,
      metafile: true,
      logLevel: "error",
    });
  });
  afterAll(async () => {
    rmSync(checkout, { recursive: true, force: true });
    await stop();
  });

  test.each(listFunctions())("%s has no secret, and nothing but the product's", (name) => {
    const { text } = bundles.outputFiles.find(({ path }) => path.endsWith(`/${name}/index.js`))!;
    const { inputs } = bundles.metafile.outputs[`bundles/${name}/index.js`];
    expect(canaries.filter((canary) => text.includes(canary))).toEqual([]);
    expect(shapesIn(text)).toEqual([]);
    expect(keysIn(text)).toEqual([]);
    const foreign = Object.keys(inputs)
      .filter((path) => !/^(functions|shared)\/|(^|\/)node_modules\//.test(path));
    expect(foreign).toEqual([]);
  });
});

describe("the repository", () => {
  test("has no secret in any file, nor in any that it ever had", async () => {
    const history = await git("log", "--all", "--patch", "--no-color", "--no-ext-diff");
    const files = (await git("ls-files", "-z")).split("\0").filter(Boolean);
    expect(files).toContain("shared/env.ts");
    for (const file of files) {
      const { isFile } = Deno.lstatSync(root + file);
      const text = isFile ? new TextDecoder().decode(Deno.readFileSync(root + file)) : "";
      expect([file, shapesIn(text), keysIn(text)]).toEqual([file, [], []]);
    }
    expect([shapesIn(history), keysIn(history)]).toEqual([[], []]);
  });

  test("does not take in what holds secrets: settings, and the local stack's keys", async () => {
    for (const path of [".env", "supabase/.local/keys.json", "supabase/.local/test-1/keys.json"]) {
      expect((await git("check-ignore", path)).trim()).toBe(path);
    }
  });
});
