// The tree over a raffle's tickets and the proof that one of them is in it, against the vectors that
// everyone uses for RFC 6962 and against every small change.
import { describe, expect, test } from "vitest";
import { InclusionProof, MerkleTree, verifyInclusion } from "../../shared/draw.ts";
import { decodeHex, encodeHex } from "../../shared/hex.ts";
import { sha256 } from "../../shared/sha256.ts";
import { seeded } from "../../supabase/local/random.ts";
import { scaled, seed } from "../support/scale.ts";

const leafOf = (number: number) => sha256(new TextEncoder().encode(`leaf ${number}`));

function rootOf(leaves: Uint8Array[]): Uint8Array {
  const tree = new MerkleTree();
  for (const leaf of leaves) tree.add(leaf);
  return tree.root();
}

describe("the tree of RFC 6962", () => {
  // The roots that Certificate Transparency's own tests use, over the first n of these entries.
  const entries = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
  ];
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];
  test("Certificate Transparency's vectors come out, asked after each leaf", () => {
    const tree = new MerkleTree();
    const seen = [encodeHex(tree.root())];
    for (const entry of entries) {
      tree.add(sha256(Uint8Array.of(0), decodeHex(entry)));
      seen.push(encodeHex(tree.root()));
    }
    expect(seen).toEqual(roots);
    expect(tree.count).toBe(8);
  });
});

describe("inclusion", () => {
  function prove(leaves: Uint8Array[], index: number) {
    const proof = new InclusionProof(index, leaves.length);
    for (const leaf of leaves) proof.add(leaf);
    return { index, count: leaves.length, path: proof.path() };
  }

  function flip(hash: Uint8Array, bit: number): Uint8Array {
    const flipped = hash.slice();
    flipped[bit >> 3] ^= 0x80 >> (bit & 7);
    return flipped;
  }

  test("every leaf of every tree up to 70 leaves is proved, and at no other position", () => {
    for (let count = 1; count <= 70; count++) {
      const leaves = Array.from({ length: count }, (_, i) => leafOf(i));
      const root = rootOf(leaves);
      for (let index = 0; index < count; index++) {
        const proof = prove(leaves, index);
        expect(verifyInclusion(leaves[index], proof, root), `${index} of ${count}`).toBe(true);
        for (const other of [index - 1, index + 1, index ^ 1, count - 1 - index]) {
          if (other === index) continue;
          expect(verifyInclusion(leaves[index], { ...proof, index: other }, root)).toBe(false);
        }
        const stranger = leafOf(count);
        expect(verifyInclusion(stranger, proof, root)).toBe(false);
      }
    }
  });

  test("any bit flipped, of leaf, path or root, and nothing is proved", () => {
    for (const count of [1, 2, 7, 13]) {
      const leaves = Array.from({ length: count }, (_, i) => leafOf(i));
      const root = rootOf(leaves);
      for (let index = 0; index < count; index++) {
        const proof = prove(leaves, index);
        for (let bit = 0; bit < 256; bit++) {
          expect(verifyInclusion(flip(leaves[index], bit), proof, root)).toBe(false);
          expect(verifyInclusion(leaves[index], proof, flip(root, bit))).toBe(false);
        }
        for (let bit = 0; bit < 256 * proof.path.length; bit++) {
          const path = proof.path.map((hash, level) =>
            bit >> 8 === level ? flip(hash, bit & 255) : hash
          );
          expect(verifyInclusion(leaves[index], { ...proof, path }, root)).toBe(false);
        }
      }
    }
  });

  test(`random leaves of random trees are proved, and no longer with a bit flipped (SEED=${seed})`, () => {
    const random = seeded(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    for (let round = 0; round < scaled(20, 500); round++) {
      const leaves = Array.from({ length: 2 + below(3_000) }, (_, i) => leafOf(i));
      const root = rootOf(leaves);
      const index = below(leaves.length);
      const proof = prove(leaves, index);
      expect(verifyInclusion(leaves[index], proof, root)).toBe(true);
      const level = below(proof.path.length);
      const path = proof.path.with(level, flip(proof.path[level], below(256)));
      expect(verifyInclusion(leaves[index], { ...proof, path }, root)).toBe(false);
    }
  });

  test("a path that is too long or too short, or of hashes that are none, proves nothing", () => {
    const leaves = Array.from({ length: 5 }, (_, i) => leafOf(i));
    const root = rootOf(leaves);
    const proof = prove(leaves, 3);
    const { path } = proof;
    const holds = (change: object) => verifyInclusion(leaves[3], { ...proof, ...change }, root);
    expect(holds({})).toBe(true);
    expect(holds({ path: path.slice(1) })).toBe(false);
    expect(holds({ path: path.slice(0, -1) })).toBe(false);
    expect(holds({ path: [...path, path[0]] })).toBe(false);
    expect(holds({ path: [] })).toBe(false);
    for (
      const [index, count] of [[-1, 5], [5, 5], [0.5, 5], [3, 0], [3, 5.5], [NaN, 5], [0, NaN]]
    ) {
      expect(holds({ index, count }), `${index} of ${count}`).toBe(false);
    }
    // The bytes of two hashes cut elsewhere hash to the same node.
    const [first, ...rest] = path;
    const longer = Uint8Array.of(...first, leaves[3][0]);
    expect(verifyInclusion(leaves[3].subarray(1), { ...proof, path: [longer, ...rest] }, root))
      .toBe(false);
    // A root's first bytes are no root.
    expect(verifyInclusion(leaves[3], proof, Uint8Array.of(...root, 0))).toBe(false);
    expect(verifyInclusion(leaves[3], proof, root.subarray(0, 31))).toBe(false);
  });

  test("an inner node does not pass for a leaf where the number of tickets is known", () => {
    const leaves = Array.from({ length: 4 }, (_, i) => leafOf(i));
    const node = rootOf(leaves.slice(0, 2));
    const [root, path] = [rootOf(leaves), [rootOf(leaves.slice(2))]];
    expect(verifyInclusion(node, { index: 0, count: 2, path }, root)).toBe(true);
    expect(verifyInclusion(node, { index: 0, count: 4, path }, root)).toBe(false);
  });

  test("a proof is not given before all leaves are in, nor for a leaf that is none", () => {
    const proof = new InclusionProof(0, 2);
    proof.add(leafOf(0));
    expect(() => proof.path()).toThrow("1 leaves were added, not 2");
    proof.add(leafOf(1));
    expect(proof.path()).toEqual([leafOf(1)]);
    proof.add(leafOf(2));
    expect(() => proof.path()).toThrow("3 leaves were added, not 2");
    for (const [index, count] of [[0, 0], [2, 2], [-1, 2], [0.5, 2]]) {
      expect(() => new InclusionProof(index, count)).toThrow(RangeError);
    }
  });
});
