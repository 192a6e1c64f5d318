import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBeacon } from "../../supabase/local/drand/beacon.ts";
import { toInfoV2 } from "../../supabase/local/drand/chain.ts";
import { flipBit } from "../../supabase/local/drand/signer.ts";
import { callerOf, serve } from "./harness.ts";
import { QUICKNET, QUICKNET_ROUND_1000 } from "./quicknet.ts";
import { verifyBeacon, verifySignature } from "./verify-beacon.ts";

const GENESIS = 1_700_000_000;
/** Round 1000 has just been published, 1001 is one millisecond away from being due. */
const justBefore1001 = (GENESIS + 1000 * 3) * 1000 - 1;

describe("the verification", () => {
  test("accepts round 1000 of quicknet", () => {
    expect(verifyBeacon(QUICKNET.public_key, 1000, QUICKNET_ROUND_1000)).toBe(true);
  });

  test("refuses a signature with one flipped bit, wherever the bit is", () => {
    const { signature } = QUICKNET_ROUND_1000;
    // Bits 0 to 2 say how the point is written; the rest is sampled to stay quick.
    for (const bit of [0, 1, 2, 3, ...Array.from({ length: 34 }, (_, i) => 13 + i * 11), 383]) {
      expect(verifySignature(QUICKNET.public_key, 1000, flipBit(signature, bit)), `${bit}`)
        .toBe(false);
    }
  });

  test("refuses a good signature under another round or another key", () => {
    const { signature } = QUICKNET_ROUND_1000;
    expect(verifySignature(QUICKNET.public_key, 1001, signature)).toBe(false);
    expect(verifySignature(createBeacon().info.public_key, 1000, signature)).toBe(false);
  });
});

describe("over a real connection", () => {
  const beacon = createBeacon();
  let host: ReturnType<typeof serve>;
  beforeAll(() => void (host = serve(beacon)));
  afterAll(() => host.stop());

  test("the verification that accepts quicknet accepts the rounds of the local beacon", async () => {
    for (const round of [1, 2, 1000, 20_000_000]) {
      const answer = await fetch(`${host.url}/${beacon.info.hash}/public/${round}`);
      expect(answer.status).toBe(200);
      const body = await answer.json();
      expect(verifyBeacon(beacon.info.public_key, round, body)).toBe(true);
      expect(verifyBeacon(QUICKNET.public_key, round, body)).toBe(false);
      const signature = flipBit(body.signature, 200);
      expect(verifySignature(beacon.info.public_key, round, signature)).toBe(false);
    }
  });

  test("the newest round is verifiable too, and info tells the key and the chain", async () => {
    const info = await (await fetch(`${host.url}/${beacon.info.hash}/info`)).json();
    expect(info).toEqual(beacon.info);
    const body = await (await fetch(`${host.url}/${beacon.info.hash}/public/latest`)).json();
    expect(verifyBeacon(info.public_key, body.round, body)).toBe(true);
    expect(await (await fetch(`${host.url}/chains`)).json()).toEqual([info.hash]);
  });
});

describe("one millisecond before round 1001", () => {
  let now = justBefore1001;
  const beacon = createBeacon({ now: () => now });
  const { call } = callerOf(beacon);
  const v1 = (rest: string) => call(`/${beacon.info.hash}${rest}`);
  const v2 = (rest: string) => call(`/v2/chains/${beacon.info.hash}${rest}`);

  test("round 1001 is too early, by every path, until its time has come", async () => {
    for (const answer of [await v1("/public/1001"), await v2("/rounds/1001")]) {
      expect(answer.status).toBe(425);
      expect(await answer.text()).not.toContain("signature");
    }
    expect((await (await v1("/public/latest")).json()).round).toBe(1000);
    expect((await (await v2("/rounds/latest")).json()).round).toBe(1000);
    try {
      now += 1;
      expect((await v1("/public/1001")).status).toBe(200);
      expect((await v2("/rounds/1001")).status).toBe(200);
      expect((await v1("/public/1002")).status).toBe(425);
      expect((await (await v1("/public/latest")).json()).round).toBe(1001);
    } finally {
      now -= 1;
    }
  });

  test("the far future is too early as well", async () => {
    for (const round of ["9007199254740993", "18446744073709551615"]) {
      expect((await v1(`/public/${round}`)).status).toBe(425);
    }
  });

  test("round 0, numbers that are none, and unknown paths are errors", async () => {
    const expected: Record<string, number> = {
      "/public/0": 400,
      "/public/000": 400,
      "/public/18446744073709551616": 400,
      "/public/-1": 404,
      "/public/1.5": 404,
      "/public/1e3": 404,
      "/public/0x10": 404,
      "/public/abc": 404,
      "/public/": 404,
      "/nothing": 404,
    };
    for (const [path, status] of Object.entries(expected)) {
      expect((await v1(path)).status, path).toBe(status);
    }
    expect((await v2("/rounds/0")).status).toBe(400);
    expect((await v2("/rounds/abc")).status).toBe(404);
  });

  test("a caller who forgets the chain, or names another, gets nothing", async () => {
    for (const path of ["/info", "/public/latest", "/public/1", `/${QUICKNET.hash}/public/1`]) {
      expect((await call(path)).status, path).toBe(404);
    }
  });

  test("v2 says the same in its own words: no randomness, other names in info", async () => {
    const one = await (await v1("/public/1000")).json();
    const { round, signature } = one;
    expect(Object.keys(one).sort()).toEqual(["randomness", "round", "signature"]);
    expect(await (await v2("/rounds/1000")).json()).toEqual({ round, signature });
    expect(await (await v2("/info")).json()).toEqual(toInfoV2(beacon.info));
    const byId = `/v2/beacons/${beacon.info.metadata.beaconID}/rounds/1000`;
    expect(await (await call(byId)).json()).toEqual({ round, signature });
    expect(await (await call("/v2/chains")).json()).toEqual([beacon.info.hash]);
  });

  test("two beacons with the same settings are two relays of one chain", async () => {
    const other = callerOf(createBeacon({ now: () => now }));
    const path = `/${beacon.info.hash}/public/777`;
    expect(await (await other.call(path)).json()).toEqual(await (await call(path)).json());
  });

  test("only a published round may be kept by caches for long", async () => {
    const cache = async (path: string) => (await v1(path)).headers.get("cache-control");
    expect(await cache("/public/1000")).toContain("immutable");
    expect(await cache("/public/latest")).toContain("max-age=0");
    expect(await cache("/public/1001")).toContain("max-age=0");
  });
});

test("before its genesis a chain has no rounds", async () => {
  const beacon = createBeacon({ now: () => GENESIS * 1000 - 1 });
  const { call } = callerOf(beacon);
  expect((await call(`/${beacon.info.hash}/public/1`)).status).toBe(425);
  expect((await call(`/${beacon.info.hash}/public/latest`)).status).toBe(500);
});
