import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.ts";

// The same tests with large numbers.
export default mergeConfig(
  base,
  defineConfig({
    test: { env: { TEST_SCALE: "long" }, testTimeout: 3_600_000, hookTimeout: 600_000 },
  }),
);
