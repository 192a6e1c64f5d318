import { expect, test } from "vitest";
import { createBeacon } from "../../supabase/local/drand/beacon.ts";
import { computeChainHash, roundAt, timeOfRound } from "../../supabase/local/drand/chain.ts";
import { Clock } from "../../supabase/local/drand/clock.ts";
import { QUICKNET } from "./quicknet.ts";

test("the chain hash is computed as drand computes it: quicknet and the default chain come out", () => {
  expect(computeChainHash(QUICKNET)).toBe(QUICKNET.hash);
  // The oldest chain, whose id "default" is not hashed.
  const oldest = {
    public_key:
      "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31",
    period: 30,
    genesis_time: 1595431050,
    groupHash: "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a",
    metadata: { beaconID: "default" },
  };
  expect(computeChainHash(oldest)).toBe(
    "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
  );
});

test("the development chain is the same on every machine and every day", () => {
  expect(createBeacon().info).toEqual({
    public_key:
      "81464c3bb0dd714f8beda1d7644429432f1ff0008628cbed66440dfcc61b2fd212fd9fde3d8ae07c9b132ab791b5e78017a18d855421449bc4a2b2483f51580c7e2462fe000bd42bfe85d8ff97ec2e5982a362fe1fb73777cbf867266d730273",
    period: 3,
    genesis_time: 1700000000,
    hash: "5499b42b8900d4986ad0a58a96a9987ec486ce1aa686c47bad3cafbb4da34c19",
    groupHash: "fece44844300d6ae6907b7b46ef8ca8d3ed1bb239132edb75acaa887f5480bf1",
    schemeID: "bls-unchained-g1-rfc9380",
    metadata: { beaconID: "rafflebase-local" },
  });
});

test("a chain of another key, id, genesis or period has another hash", () => {
  const hashes = [
    {},
    { secretKey: "11".repeat(32) },
    { beaconId: "another" },
    { genesisTime: 1 },
    { period: 1 },
  ].map((options) => createBeacon(options).info.hash);
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("settings that make no chain are refused by name", () => {
  expect(() => createBeacon({ secretKey: "secret" })).toThrow("secretKey");
  expect(() => createBeacon({ secretKey: "ff".repeat(32) })).toThrow("secretKey");
  expect(() => createBeacon({ secretKey: "00".repeat(32) })).toThrow("secretKey");
  expect(() => createBeacon({ period: 0.5 })).toThrow("period");
  expect(() => createBeacon({ genesisTime: 0.5 })).toThrow("genesisTime");
  expect(() => createBeacon({ beaconId: "a/b" })).toThrow("beaconId");
});

test("round 1 is the genesis, and a round begins exactly at its time", () => {
  const genesis = QUICKNET.genesis_time * 1000;
  expect(roundAt(QUICKNET, genesis - 1)).toBe(0);
  expect(roundAt(QUICKNET, genesis)).toBe(1);
  expect(roundAt(QUICKNET, genesis + 2999)).toBe(1);
  expect(roundAt(QUICKNET, genesis + 3000)).toBe(2);
  for (const round of [1, 2, 1000, 23_456_789]) {
    expect(roundAt(QUICKNET, timeOfRound(QUICKNET, round) * 1000)).toBe(round);
    expect(roundAt(QUICKNET, timeOfRound(QUICKNET, round) * 1000 - 1)).toBe(round - 1);
  }
});

test("a frozen clock stands still, and runs on from there when it is let go", () => {
  let real = 1000;
  const clock = new Clock(() => real);
  clock.freeze();
  real = 5000;
  expect(clock.now()).toBe(1000);
  clock.moveTo(90_000);
  expect(clock.now()).toBe(90_000);
  clock.resume();
  real = 5250;
  expect(clock.now()).toBe(90_250);
  clock.reset();
  expect(clock.now()).toBe(5250);
});
