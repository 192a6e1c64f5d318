import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: fileURLToPath(new URL("..", import.meta.url)),
    include: ["test/**/*.test.ts"],
    // npm's Postgres has no pg_cron; one that may have it is named by POSTGRES_BIN.
    exclude: [
      ...configDefaults.exclude,
      ...(Deno.env.has("POSTGRES_BIN") ? [] : ["test/pg-cron/**"]),
    ],
    globalSetup: "test/support/global-setup.ts",
    // Two cores: more files at once than that only make each other late.
    maxWorkers: 2,
    // Of others' noise, not of ours: the longest take half a minute on a quiet machine.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000 } },
    silent: "passed-only",
  },
});
