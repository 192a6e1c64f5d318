// The table of guards is what the code says, and some of them are taken away to see.
import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { root } from "../../supabase/local/root.ts";
import { dice } from "../support/crowd.ts";
import { isLong, scaled, seed } from "../support/scale.ts";
import type { Guard } from "./guard.ts";
import { editsOf } from "./guard.ts";
import { guards } from "./guards/index.ts";
import { isCaught, readRows } from "./results.ts";
import { makeCopy, removeCopy, tryGuard } from "./run.ts";

const read = (file: string) => readFileSync(`${root}${file}`, "utf8");
const faultsOf = (check: (guard: Guard) => boolean) =>
  guards.filter((guard) => !check(guard)).map(({ name }) => name);

describe("every guard of the table", () => {
  test("has a name of its own", () => {
    expect(new Set(guards.map(({ name }) => name)).size).toBe(guards.length);
  });

  test("stands once in its file, and is changed", () => {
    const stands = ({ file, ...guard }: Guard) =>
      editsOf({ file, ...guard }).every(({ from, to }) =>
        from !== to && read(file).split(from).length === 2
      );
    expect(faultsOf(stands)).toEqual([]);
  });

  test("names a test that is there", () => {
    const isThere = ({ test, noticed }: Guard) =>
      existsSync(`${root}${test}`) && read(test).includes(noticed);
    expect(faultsOf(isThere)).toEqual([]);
  });

  test("was caught when `npm run mutate` last ran", () => {
    const rows = readRows();
    const wasCaught = ({ name, file }: Guard) => {
      const row = rows.get(name);
      return row !== undefined && row.includes(file) && isCaught(row);
    };
    expect(faultsOf(wasCaught)).toEqual([]);
    expect([...rows.keys()].filter((name) => !guards.some((guard) => guard.name === name)))
      .toEqual(["guard", "---"]);
  });
});

/** A race may be won by luck where the lock is gone: a few of these would sometimes say so for nothing. */
const isCertain = ({ test }: Guard) => !/concurrency|properties/.test(test);
const some = dice(seed).some(isLong ? [...guards] : guards.filter(isCertain), scaled(3, 12));

describe(`a guard that is taken away turns a test red (SEED=${seed})`, () => {
  let copy: string | undefined;
  afterAll(() => void (copy && removeCopy(copy)));

  test.each(some)("$name", async (guard) => {
    copy ??= makeCopy();
    const verdict = await tryGuard(copy, guard);
    expect(verdict.outcome, "output" in verdict ? verdict.output : guard.test).toBe("red");
  }, 600_000);
});
