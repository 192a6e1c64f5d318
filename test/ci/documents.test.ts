// What is written for people is held against the code, so that none of it grows old unnoticed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { contracts } from "../../functions/health/contracts.ts";
import type { Route } from "../../shared/contract.ts";
import { variables } from "../../shared/env.ts";
import { root } from "../../supabase/local/root.ts";

const read = (file: string) => readFileSync(`${root}${file}`, "utf8");
const readme = read("README.md");
const section = (title: string) => readme.split(/^## /m).find((part) => part.startsWith(title))!;
const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((one) => one[1]);
const cells = (line: string) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
const rows = (text: string) => text.split("\n").filter((line) => line.startsWith("|")).map(cells);

const documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
  .concat(readdirSync(`${root}docs`).map((file) => `docs/${file}`));

describe.each(documents)("%s", (file) => {
  const text = read(file);

  test("leads to files and headings that are there", () => {
    for (const target of found(text, /\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, heading] = target.split("#");
      const to = path ? join(dirname(file), path) : file;
      expect.soft(existsSync(`${root}${to}`), target).toBe(true);
      if (heading) expect.soft(headings(read(to)), target).toContain(heading);
    }
  });

  test("names npm scripts that are there", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const name of found(text, /npm run (?:-s )?([a-z][a-z-]*(?::[a-z]+)?)/g)) {
      expect.soft(scripts, name).toHaveProperty([name]);
    }
  });
});

/** As GitHub makes an anchor of a heading. */
const headings = (text: string) =>
  found(text, /^#+ (.+)$/gm).map((title) =>
    title.toLowerCase().replace(/[^\p{L}\p{N} -]/gu, "").replaceAll(" ", "-")
  );

describe("the README", () => {
  test("links each promise to a test that proves it", () => {
    const promises = rows(section("What it guarantees")).slice(2);
    expect(promises.length).toBeGreaterThan(30);
    for (const [promise, proof] of promises) {
      const tests = found(proof, /\]\((test\/[^)]+\.test\.ts)\)/g);
      expect.soft(tests, promise).not.toHaveLength(0);
    }
  });

  test("lists every endpoint, and no other", () => {
    const listed = found(section("Endpoints"), /((?:GET|POST|PUT|PATCH|DELETE) \/[a-z-]+[^`\s]*)/g);
    const promised = contracts.flatMap(({ name, routes }) =>
      Object.values(routes as Record<string, Route>).map(({ method, path }) =>
        `${method.toUpperCase()} /${name}${path === "/" ? "" : path}`
      )
    );
    expect([...new Set(listed)].sort()).toEqual(promised.sort());
  });

  test("lists every setting with its default", () => {
    const listed = rows(section("Settings")).slice(2).flatMap(([names, given]) =>
      found(names, /`([A-Z_]+)`/g).map((name) => [name, found(given, /`([^`]+)`/g)])
    );
    const settings = Object.entries(variables).map(([name, shape]) => {
      const { data } = shape.safeParse(undefined);
      return [name, (Array.isArray(data) ? data : [data]).filter(Boolean).map(String)];
    });
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(settings));
    expect(listed).toHaveLength(settings.length);
  });

  test("has the speed that was measured", () => {
    const measured = rows(read("test/bench/RESULTS.md"));
    const told = rows(section("Speed"));
    expect(told.length).toBeGreaterThan(5);
    for (const row of told) expect.soft(measured).toContainEqual(row);
  });

  test("names every folder of tests", () => {
    const folders = readdirSync(`${root}test`, { withFileTypes: true })
      .filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const listed = /^test\/([^`]+)/m.exec(section("Architecture"))![1].trim().split(/\s+/);
    expect(listed.sort()).toEqual(folders.sort());
  });
});
