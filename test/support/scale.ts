// Random tests: small numbers in `npm test`, large ones in `npm run test:long`, and a seed in the test's
// name so that SEED=... repeats the same operations.
export const isLong = Deno.env.get("TEST_SCALE") === "long";

export const scaled = (small: number, large: number): number => isLong ? large : small;

export const seed = Number(
  Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0] >>> 1,
);
