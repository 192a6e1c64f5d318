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
    testTimeout: 60_000,
    hookTimeout: 120_000,
    silent: "passed-only",
  },
});
