// What is taken for a beacon of drand's, and what is not.
import { describe, expect, test } from "vitest";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import {
  CHAINS,
  findChain,
  firstRoundFrom,
  inspectBeacon,
  roundAt,
  timeOfRound,
  verifyBeacon,
} from "../../shared/drand.ts";
import { encodeHex } from "../../shared/hex.ts";
import { createBeacon } from "../../supabase/local/drand/beacon.ts";
import { computeChainHash } from "../../supabase/local/drand/chain.ts";
import { DEVELOPMENT_SECRET_KEY } from "../../supabase/local/drand/development-chain.ts";
import { createSigner, flipBit, randomnessOf } from "../../supabase/local/drand/signer.ts";
import { seeded } from "../../supabase/local/random.ts";
import { callerOf } from "../simulators/harness.ts";
import { QUICKNET as QUICKNET_INFO, QUICKNET_ROUND_1000 } from "../simulators/quicknet.ts";
import { scaled, seed } from "../support/scale.ts";

const [QUICKNET, DEVELOPMENT] = CHAINS;
const good = QUICKNET_ROUND_1000;
const flawOf = async (answer: unknown, chain = QUICKNET, round = 1000) =>
  (await inspectBeacon(chain, round, answer)).flaw;
/** A signature with the randomness that goes with it, so that only BLS can tell. */
const sealed = (signature: string, round = 1000) => ({
  round,
  signature,
  randomness: randomnessOf(signature),
});

describe("the chains", () => {
  test.each([
    [QUICKNET, QUICKNET_INFO],
    [DEVELOPMENT, createBeacon().info],
  ])(
    "$name is written down as its nodes tell it, and its hash is that of its key",
    (chain, info) => {
      expect(chain).toMatchObject({
        name: info.metadata.beaconID,
        hash: info.hash,
        publicKey: info.public_key,
        periodMs: info.period * 1000,
        genesisMs: info.genesis_time * 1000,
      });
      expect(info.schemeID).toBe("bls-unchained-g1-rfc9380");
      const groupHash = info.groupHash;
      const rebuilt = {
        public_key: chain.publicKey,
        period: chain.periodMs / 1000,
        genesis_time: chain.genesisMs / 1000,
        groupHash,
        metadata: { beaconID: chain.name },
      };
      expect(computeChainHash(rebuilt)).toBe(chain.hash);
    },
  );

  test("a chain is found by its hash, and only the local one is foreseeable", () => {
    for (const chain of CHAINS) expect(findChain(chain.hash)).toBe(chain);
    expect(findChain("00")).toBeUndefined();
    expect(CHAINS.filter(({ foreseeable }) => foreseeable).map(({ name }) => name))
      .toEqual(["rafflebase-local"]);
  });
});

describe("rounds and times", () => {
  test("round 1 is published at the genesis, round 1000 999 periods later", () => {
    expect(timeOfRound(QUICKNET, 1)).toBe(1_692_803_367_000);
    expect(timeOfRound(QUICKNET, 1000)).toBe(1_692_803_367_000 + 999 * 3_000);
  });

  test.each([
    // milliseconds after round 1000, the newest round then, the first from then on
    [-3_000, 999, 999],
    [-1, 999, 1000],
    [-0.001, 999, 1000],
    [0, 1000, 1000],
    [0.001, 1000, 1001],
    [1, 1000, 1001],
    [2_999, 1000, 1001],
    [3_000, 1001, 1001],
  ])("%d ms after round 1000 the newest is %d, the next %d", (after, newest, next) => {
    const time = timeOfRound(QUICKNET, 1000) + after;
    expect([roundAt(QUICKNET, time), firstRoundFrom(QUICKNET, time)]).toEqual([newest, next]);
  });

  test("before the genesis no round is out, and the first to come is round 1", () => {
    for (const before of [1, 3_000, 1e12]) {
      const time = QUICKNET.genesisMs - before;
      expect([roundAt(QUICKNET, time), firstRoundFrom(QUICKNET, time)]).toEqual([0, 1]);
    }
  });
});

describe("a beacon", () => {
  test("quicknet's round 1000 is verified, and so is what the local beacon signs", async () => {
    expect(await inspectBeacon(QUICKNET, 1000, good)).toEqual({ beacon: good });
    expect(await verifyBeacon(QUICKNET, 1000, good)).toBe(true);
    const { call } = callerOf(createBeacon());
    for (const round of [1, 2, 255, 256, 65_536, 1_000_000]) {
      const answer = await (await call(`/${DEVELOPMENT.hash}/public/${round}`)).json();
      expect(await verifyBeacon(DEVELOPMENT, round, answer), `${round}`).toBe(true);
    }
  });

  test("what else a relay says is left out", async () => {
    const answer = { ...good, previous_signature: "00", note: "believe me" };
    expect(await inspectBeacon(QUICKNET, 1000, answer)).toEqual({ beacon: good });
  });

  test("one of another round or another chain is not it", async () => {
    expect(await flawOf(good, QUICKNET, 1001)).toBe("other_round");
    expect(await flawOf({ ...good, round: 999 })).toBe("other_round");
    expect(await flawOf({ ...good, round: 1001 }, QUICKNET, 1001)).toBe("signature_wrong");
    expect(await flawOf(good, DEVELOPMENT)).toBe("signature_wrong");
    expect(await verifyBeacon(DEVELOPMENT, 1000, good)).toBe(false);
  });

  test("randomness that is not the signature's hash is refused", async () => {
    for (const bit of [0, 100, 255]) {
      const randomness = flipBit(good.randomness, bit);
      expect(await flawOf({ ...good, randomness })).toBe("randomness_wrong");
    }
  });

  test.each([0, 1, 2, 3, 7, 8, 100, 200, 300, 376, 382, 383])(
    "with bit %d of the signature flipped it is refused, also with the randomness to match",
    async (bit) => {
      const signature = flipBit(good.signature, bit);
      expect(await flawOf({ ...good, signature })).toBe("randomness_wrong");
      expect(await flawOf(sealed(signature))).toBe("signature_wrong");
    },
  );

  test(`mutated beacons are refused (SEED=${seed})`, async () => {
    const random = seeded(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    for (let i = 0; i < scaled(200, 1_000); i++) {
      let signature = good.signature;
      for (let flips = 1 + below(3); flips > 0; flips--) signature = flipBit(signature, below(384));
      if (signature === good.signature) continue;
      expect(await verifyBeacon(QUICKNET, 1000, sealed(signature)), signature).toBe(false);
    }
  });

  test("a signature well made, by another key or of another round, is refused", async () => {
    const settings = { beaconId: "x", genesisTime: 1, period: 3 };
    const own = createSigner({ ...settings, secretKey: DEVELOPMENT_SECRET_KEY });
    const other = createSigner({ ...settings, secretKey: "11".repeat(32) });
    expect(await flawOf(sealed(own.sign(7), 7), DEVELOPMENT, 7)).toBeUndefined();
    expect(await flawOf(sealed(other.sign(7), 7), DEVELOPMENT, 7)).toBe("signature_wrong");
    expect(await flawOf(sealed(own.sign(6), 7), DEVELOPMENT, 7)).toBe("signature_wrong");
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["text", "beacon"],
    ["an array", [good]],
    ["an empty object", {}],
    ["a round as text", { ...good, round: "1000" }],
    ["a fraction of a round", { ...good, round: 1000.5 }],
    ["round 0", { ...good, round: 0 }],
    ["a number for a signature", { ...good, signature: 1 }],
    ["no randomness", { ...good, randomness: undefined }],
    ["capitals", { ...good, signature: good.signature.toUpperCase() }],
    ["a short signature", sealed(good.signature.slice(2))],
    ["a long signature", sealed(`${good.signature}00`)],
    ["no hexadecimal", { ...good, signature: `zz${good.signature.slice(2)}` }],
    ["a line feed", { ...good, randomness: `${good.randomness}\n` }],
  ])("%s is malformed", async (_, answer) => {
    expect(await flawOf(answer)).toBe("malformed");
  });
});

// Whoever could write the same signature in two ways could choose between two draws.
describe("a round has one signature, and so one randomness", () => {
  const { Point } = bls12_381.G1;
  const point = Point.fromHex(good.signature);

  test("the same point in full length is malformed", async () => {
    const full = encodeHex(point.toBytes(false));
    expect(full.length).toBe(192);
    expect(await flawOf(sealed(full))).toBe("malformed");
  });

  test("the same point with a larger x is refused", async () => {
    const { Fp } = bls12_381.fields;
    const { sign } = createSigner({
      secretKey: DEVELOPMENT_SECRET_KEY,
      beaconId: "x",
      genesisTime: 1,
      period: 3,
    });
    // About one x in five is so small that adding the field's order still fits.
    let found = 0;
    for (let round = 1; found < 3; round++) {
      const signature = sign(round);
      const x = BigInt(`0x${signature}`) & (2n ** 381n - 1n);
      if (x + Fp.ORDER >= 2n ** 381n) continue;
      found++;
      const flags = BigInt(`0x${signature}`) - x;
      const larger = (flags + x + Fp.ORDER).toString(16).padStart(96, "0");
      expect(await flawOf(sealed(signature, round), DEVELOPMENT, round)).toBeUndefined();
      expect(await flawOf(sealed(larger, round), DEVELOPMENT, round)).toBe("signature_wrong");
    }
  });

  test("no other setting of the three flags is accepted", async () => {
    const first = Number.parseInt(good.signature.slice(0, 2), 16);
    for (let flags = 0; flags < 8; flags++) {
      const byte = (flags << 5) | (first & 31);
      const signature = byte.toString(16).padStart(2, "0") + good.signature.slice(2);
      expect(await verifyBeacon(QUICKNET, 1000, sealed(signature)))
        .toBe(signature === good.signature);
    }
  });

  test("the point at infinity is no signature", async () => {
    expect(await flawOf(sealed(`c0${"00".repeat(47)}`))).toBe("signature_wrong");
    expect(await flawOf(sealed("00".repeat(48)))).toBe("signature_wrong");
  });

  test("nor is the signature plus a point outside the group", async () => {
    const { Fp } = bls12_381.fields;
    // Points of small order are where pairings are blind, so the group itself must be checked.
    let outside = Point.ZERO;
    for (let x = 1n; outside.is0(); x++) {
      const square = Fp.add(Fp.pow(x, 3n), 4n);
      try {
        const candidate = Point.fromAffine({ x, y: Fp.sqrt(square) });
        if (!candidate.isTorsionFree()) outside = smallOrder(candidate);
      } catch {
        continue; // No point has this x.
      }
    }
    expect(outside.isTorsionFree()).toBe(false);
    const { x, y } = point.add(outside).toAffine();
    const flags = 4n + y * 2n / Fp.ORDER; // compressed, and the larger y or not
    const moved = (flags << 381n | x).toString(16);
    expect(moved).toMatch(/^[0-9a-f]{96}$/);
    expect(await flawOf(sealed(moved))).toBe("signature_wrong");
  });

  /** What is left of a point when its part in the group is taken away. */
  function smallOrder(candidate: InstanceType<typeof Point>): InstanceType<typeof Point> {
    const order = bls12_381.fields.Fr.ORDER;
    let [sum, power, rest] = [Point.ZERO, candidate, order];
    for (; rest > 0n; rest >>= 1n, power = power.double()) {
      if (rest & 1n) sum = sum.add(power);
    }
    return sum;
  }
});
