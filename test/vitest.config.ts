import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: fileURLToPath(new URL("..", import.meta.url)),
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/global-setup.ts",
    // Two cores: more files at once than that only make each other late.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    silent: "passed-only",
  },
});
