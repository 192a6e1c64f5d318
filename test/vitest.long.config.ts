import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import type { TestSpecification } from "vitest/node";
import { BaseSequencer } from "vitest/node";
import base from "./vitest.config.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const tests = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"));
const hasLargeNumbers = (file: string) =>
  readFileSync(folder + file, "utf8").includes("support/scale.ts");

/** The longest first, so that both cores have work until the end. What is not here takes seconds. */
const LONGEST = [
  "load/",
  "chaos/",
  "concurrency/purchases",
  "properties/",
  "simulation/",
  "security/random-input",
  "concurrency/",
  "mutation/",
];

class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.includes(`/test/${name}`));
      return at < 0 ? LONGEST.length : at;
    };
    return Promise.resolve(files.toSorted((a, b) => place(a) - place(b)));
  }
}

// The tests that have large numbers, with those: the others say the same as in `npm test`.
export default defineConfig({
  test: {
    ...base.test,
    include: tests.filter(hasLargeNumbers).map((file) => `test/${file}`),
    env: { TEST_SCALE: "long" },
    sequence: { sequencer: LongestFirst },
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
  },
});
