// The draw protocol in TypeScript: against constants that Python computed, and exhaustively where words
// are small enough to try them all.
import { describe, expect, test } from "vitest";
import {
  DRAW_ALGORITHM,
  drawPositions,
  hashHolder,
  hashLeaf,
  hashSeed,
  MerkleTree,
  rank,
  uniform,
  uuidToBytes,
  type Words,
  wordsOf,
} from "../../shared/draw.ts";
import { decodeHex, encodeHex } from "../../shared/hex.ts";
import { sha256 } from "../../shared/sha256.ts";
import { GOLDEN, solve } from "../support/draw-cases.ts";
import { scaled } from "../support/scale.ts";

const text = (value: string) => new TextEncoder().encode(value);
const bytes = (length: number, value = 0) => new Uint8Array(length).fill(value);
const RAFFLE_ID = uuidToBytes("6f1d3c52-9a0b-4e77-8c15-2b4d5e6f7081");

/** Each draw's own randomness from a counter, so that the same draws are made on every machine. */
const counted = (counter: number, label: string) =>
  hashSeed({
    raffleId: RAFFLE_ID,
    ticketRoot: sha256(text(label)),
    round: counter + 1,
    randomness: sha256(text(`${label} ${counter}`)),
  });

describe("what Python computed from the same tickets comes out", () => {
  const largest = scaled(100_000, 1_000_000);
  test.each(GOLDEN.filter(({ draw }) => draw.count <= largest))(
    "$draw.count tickets, numbered in steps of $draw.step",
    ({ draw, result }) => expect(solve(draw)).toEqual(result),
  );
});

describe("bytes", () => {
  test("a uuid is its 16 bytes, however it is written", () => {
    const expected = "6f1d3c529a0b4e778c152b4d5e6f7081";
    expect(encodeHex(uuidToBytes("6f1d3c52-9a0b-4e77-8c15-2b4d5e6f7081"))).toBe(expected);
    expect(encodeHex(uuidToBytes("6F1D3C52-9A0B-4E77-8C15-2B4D5E6F7081"))).toBe(expected);
  });

  test.each([
    "",
    "6f1d3c529a0b4e778c152b4d5e6f7081",
    "6f1d3c52-9a0b-4e77-8c15-2b4d5e6f708",
    "6f1d3c52-9a0b-4e77-8c15-2b4d5e6f70811",
    "6f1d3c52-9a0b-4e77-8c15-2b4d5e6f708g",
    "{6f1d3c52-9a0b-4e77-8c15-2b4d5e6f7081}",
    "6f1d3c529a0b-4e77-8c15-2b4d5e6f7081----",
  ])("%s is not a uuid", (uuid) => expect(() => uuidToBytes(uuid)).toThrow("not a uuid"));

  test("hexadecimal goes to bytes and back", () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(decodeHex(encodeHex(all))).toEqual(all);
    expect(decodeHex("")).toEqual(new Uint8Array());
  });

  test.each(["0", "0g", "0x00", "AB", "00 ", "00\n", "é0"])("%j is not hexadecimal", (hex) => {
    expect(() => decodeHex(hex)).toThrow("not hexadecimal");
  });

  test("each hash is over exactly the bytes that the protocol names", () => {
    const [salt, user] = [bytes(16, 1), bytes(16, 2)];
    expect(hashHolder(salt, user)).toEqual(sha256(decodeHex("01".repeat(16) + "02".repeat(16))));
    const leaf = "00" + encodeHex(RAFFLE_ID) + "01020304" + "03".repeat(32);
    expect(hashLeaf(RAFFLE_ID, 0x01020304, bytes(32, 3))).toEqual(sha256(decodeHex(leaf)));
    const input = { raffleId: RAFFLE_ID, ticketRoot: bytes(32, 4), randomness: bytes(32, 5) };
    const seedInput = encodeHex(text(DRAW_ALGORITHM)) + encodeHex(RAFFLE_ID) + "04".repeat(32) +
      "001fffffffffffff" + "05".repeat(32);
    expect(hashSeed({ ...input, round: Number.MAX_SAFE_INTEGER }))
      .toEqual(sha256(decodeHex(seedInput)));
  });

  test("a part of another length is refused: it would be hashed as somebody else's bytes", () => {
    const draw = { raffleId: RAFFLE_ID, ticketRoot: bytes(32), round: 1, randomness: bytes(32) };
    const wrong: [string, () => unknown][] = [
      ["the salt", () => hashHolder(bytes(15), bytes(16))],
      ["the user's id", () => hashHolder(bytes(16), bytes(17))],
      ["the raffle's id", () => hashLeaf(bytes(15), 1, bytes(32))],
      ["the holder", () => hashLeaf(RAFFLE_ID, 1, bytes(31))],
      ["a leaf", () => new MerkleTree().add(bytes(33))],
      ["the raffle's id", () => hashSeed({ ...draw, raffleId: bytes(17) })],
      ["the root", () => hashSeed({ ...draw, ticketRoot: bytes(31) })],
      ["the randomness", () => hashSeed({ ...draw, randomness: bytes(48) })],
      ["the seed", () => wordsOf(bytes(31))],
    ];
    for (const [name, call] of wrong) expect(call, name).toThrow(`${name} must have`);
  });

  test.each([-1, 0.5, 2 ** 32, NaN])("%d is no ticket number", (ticketNum) => {
    expect(() => hashLeaf(RAFFLE_ID, ticketNum, bytes(32))).toThrow(RangeError);
  });

  test.each([-1, 0.5, 2 ** 53, NaN])("%d is no round", (round) => {
    const draw = { raffleId: RAFFLE_ID, ticketRoot: bytes(32), round, randomness: bytes(32) };
    expect(() => hashSeed(draw)).toThrow(RangeError);
  });
});

/** A source of exactly these words. */
function wordsFrom(modulus: number, given: number[]): Words & { taken: () => number } {
  let taken = 0;
  return {
    modulus: BigInt(modulus),
    next: () => {
      if (taken === given.length) throw new Error("out of words");
      return BigInt(given[taken++]);
    },
    taken: () => taken,
  };
}

describe("uniform", () => {
  test.each([2, 12, 16, 256])("of all words below %d, each result has as many", (modulus) => {
    for (let m = 1; m <= modulus; m++) {
      const counts = new Array(m).fill(0);
      let refused = 0;
      for (let word = 0; word < modulus; word++) {
        // 0 always counts, so the second word is taken when the first does not.
        const words = wordsFrom(modulus, [word, 0]);
        const result = Number(uniform(words, BigInt(m)));
        if (words.taken() === 1) counts[result]++;
        else refused++;
      }
      expect(new Set(counts), `m = ${m}`).toEqual(new Set([Math.floor(modulus / m)]));
      expect(refused, `m = ${m}`).toBe(modulus % m);
    }
  });

  test("it passes over as many words as it must", () => {
    expect(uniform(wordsFrom(16, [15, 15, 15, 14]), 3n)).toBe(2n);
    expect(uniform(wordsFrom(16, [12, 15, 13, 11]), 12n)).toBe(11n);
  });

  test("at the edge of 64 bits", () => {
    const edge = (word: bigint, m: bigint) => {
      const given = [word, 7n];
      return uniform({ modulus: 2n ** 64n, next: () => given.shift()! }, m);
    };
    const last = 2n ** 64n - 1n;
    // 2^64 = 3 * 6148914691236517205 + 1: only the very last word is passed over.
    expect(edge(last, 3n)).toBe(1n);
    expect(edge(last - 1n, 3n)).toBe(2n);
    expect(edge(last, 1n)).toBe(0n);
    expect(edge(last, 2n ** 64n)).toBe(last);
    expect(edge(2n ** 63n + 1n, 2n ** 63n + 1n)).toBe(7n);
  });

  test("below nothing there is no number, nor above all words", () => {
    for (const m of [0n, -1n, 17n]) {
      expect(() => uniform(wordsFrom(16, [0]), m)).toThrow("no uniform number");
    }
  });
});

describe("the word stream", () => {
  test("is the hashes of the seed and a counter, four big-endian words each", () => {
    const start = sha256(text("a seed"));
    const words = wordsOf(start);
    for (let block = 0; block < 300; block++) {
      const counter = Uint8Array.of(0, 0, block >> 8, block & 255);
      const hash = encodeHex(sha256(start, counter));
      for (let word = 0; word < 4; word++) {
        expect(words.next()).toBe(BigInt(`0x${hash.slice(16 * word, 16 * word + 16)}`));
      }
    }
    expect(words.modulus).toBe(2n ** 64n);
  });
});

describe("ranking", () => {
  test("of all sequences of words, each order of four comes from as many", () => {
    // 12 is a multiple of 4, 3, 2 and 1, so no word is passed over.
    const orders = new Map<string, number>();
    for (let sequence = 0; sequence < 12 ** 3; sequence++) {
      const given = [sequence % 12, Math.floor(sequence / 12) % 12, Math.floor(sequence / 144), 0];
      const order = [...rank(wordsFrom(12, given), 4)].join("");
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(24);
    expect(new Set(orders.values())).toEqual(new Set([72]));
  });

  test("remembering only what moved is the shuffle of a whole array", () => {
    for (let count = 0; count <= 200; count++) {
      const start = counted(count, "shuffle");
      const [words, order] = [wordsOf(start), Array.from({ length: count }, (_, i) => i)];
      for (let k = 0; k < count; k++) {
        const j = k + Number(uniform(words, BigInt(count - k)));
        [order[k], order[j]] = [order[j], order[k]];
      }
      expect([...rank(wordsOf(start), count)]).toEqual(order);
    }
  });

  test("the full order names each ticket once, and its beginning is the short ranking", () => {
    const count = scaled(20_000, 1_000_000);
    const input = { raffleId: RAFFLE_ID, ticketRoot: bytes(32), round: 1, randomness: bytes(32) };
    const order = Uint32Array.from(drawPositions(input, count));
    expect(order.toSorted()).toEqual(Uint32Array.from({ length: count }, (_, i) => i));
    const places = drawPositions(input, count);
    const short = Array.from({ length: 50 }, () => places.next().value);
    expect(short).toEqual([...order.subarray(0, 50)]);
  });

  test("a thousand places among ten million take a thousand steps", () => {
    let taken = 0;
    const words = wordsOf(bytes(32));
    const witness = { ...words, next: () => (taken++, words.next()) };
    const places = rank(witness, 10_000_000);
    const drawn = new Set(Array.from({ length: 1_000 }, () => places.next().value));
    expect(drawn.size).toBe(1_000);
    expect(taken).toBeLessThan(1_010);
  });

  test("nothing is drawn from no tickets, and no senseless number of them is accepted", () => {
    expect([...rank(wordsFrom(16, []), 0)]).toEqual([]);
    for (const count of [-1, 0.5, NaN, 2 ** 33]) {
      expect(() => rank(wordsFrom(16, [0]), count).next()).toThrow(RangeError);
    }
  });
});

describe("fairness", () => {
  const chiSquare = (counts: number[], expected: number) =>
    counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);

  test("100,000 draws of 100 tickets: no position wins, comes second or third too often", () => {
    const counts = [1, 2, 3].map(() => new Array(100).fill(0));
    for (let draw = 0; draw < 100_000; draw++) {
      const places = rank(wordsOf(counted(draw, "fairness")), 100);
      for (const place of counts) place[places.next().value!]++;
    }
    for (const place of counts) {
      // 99 degrees of freedom: chance alone is outside these once in a thousand times, each side.
      expect(chiSquare(place, 1_000)).toBeGreaterThan(61.0);
      expect(chiSquare(place, 1_000)).toBeLessThan(148.3);
    }
  });

  test("60,000 draws of five tickets: no order of all five comes too often", () => {
    const orders = new Map<string, number>();
    for (let draw = 0; draw < 60_000; draw++) {
      const order = [...rank(wordsOf(counted(draw, "orders")), 5)].join("");
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(120);
    // 119 degrees of freedom, the same chance.
    expect(chiSquare([...orders.values()], 500)).toBeGreaterThan(76.9);
    expect(chiSquare([...orders.values()], 500)).toBeLessThan(172.5);
  });
});
