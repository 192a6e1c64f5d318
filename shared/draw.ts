// The draw protocol rafflebase-draw-v1 and nothing else: no network, no settings, no clock, so that
// whoever checks a draw runs the same code as whoever made it.
import { decodeHex } from "./hex.ts";
import { sha256 } from "./sha256.ts";

export const DRAW_ALGORITHM = "rafflebase-draw-v1";

const ID_BYTES = 16;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

// -- Bytes ------------------------------------------------------------------------------------------

export function uuidToBytes(uuid: string): Uint8Array {
  const text = uuid.toLowerCase();
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) throw new RangeError("not a uuid");
  return decodeHex(text.replaceAll("-", ""));
}

function u32(value: number): Uint8Array {
  requireWithin("a u32", value, 0, 2 ** 32 - 1);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function u64(value: number): Uint8Array {
  requireWithin("a u64", value, 0, Number.MAX_SAFE_INTEGER);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function requireWithin(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${name} must be a whole number from ${low} to ${high}, not ${value}`);
  }
}

/** The parts of a hash stand side by side with nothing between them: each must have its own length. */
function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${name} must have ${length} bytes`);
}

// -- Tickets ----------------------------------------------------------------------------------------

/** Who holds a ticket, told only to those who know the salt. */
export function hashHolder(salt: Uint8Array, userId: Uint8Array): Uint8Array {
  requireLength("the salt", salt, SALT_BYTES);
  requireLength("the user's id", userId, ID_BYTES);
  return sha256(salt, userId);
}

export function hashLeaf(
  raffleId: Uint8Array,
  ticketNum: number,
  holder: Uint8Array,
): Uint8Array {
  requireLength("the raffle's id", raffleId, ID_BYTES);
  requireLength("the holder", holder, HASH_BYTES);
  return sha256(LEAF, raffleId, u32(ticketNum), holder);
}

// -- The tree of RFC 6962 ---------------------------------------------------------------------------

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE, left, right);
}

/** Takes the leaves one by one, in their order, and keeps no more than one hash for each level. */
export class MerkleTree {
  #count = 0;
  /** The roots of the full subtrees so far, from the largest to the smallest. */
  #full: Uint8Array[] = [];

  get count(): number {
    return this.#count;
  }

  add(leaf: Uint8Array): void {
    requireLength("a leaf", leaf, HASH_BYTES);
    let hash = leaf;
    // Each bit set in the count is a full subtree: adding one carries, as in arithmetic.
    for (let carry = this.#count; carry % 2 === 1; carry = (carry - 1) / 2) {
      hash = hashNode(this.#full.pop()!, hash);
    }
    this.#full.push(hash);
    this.#count++;
  }

  /** The root over what was added so far; more may be added after. */
  root(): Uint8Array {
    if (this.#count === 0) return sha256();
    return this.#full.reduceRight((right, left) => hashNode(left, right));
  }
}

/** The ranges of leaves beside the way from one leaf up to the root, the nearest first. */
function listSiblings(index: number, count: number): { start: number; end: number }[] {
  const siblings = [];
  let [start, end] = [0, count];
  while (end - start > 1) {
    const middle = start + largestPowerOfTwoBelow(end - start);
    if (index < middle) {
      siblings.unshift({ start: middle, end });
      end = middle;
    } else {
      siblings.unshift({ start, end: middle });
      start = middle;
    }
  }
  return siblings;
}

function largestPowerOfTwoBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

/** The audit path of one leaf: takes all leaves in their order, like the tree, and is as small. */
export class InclusionProof {
  #siblings: { start: number; end: number; tree: MerkleTree }[];
  #added = 0;
  #count: number;

  constructor(index: number, count: number) {
    requireWithin("the leaf's position", index, 0, count - 1);
    this.#count = count;
    this.#siblings = listSiblings(index, count)
      .map((range) => ({ ...range, tree: new MerkleTree() }));
  }

  add(leaf: Uint8Array): void {
    const position = this.#added++;
    this.#siblings.find(({ start, end }) => start <= position && position < end)?.tree.add(leaf);
  }

  path(): Uint8Array[] {
    if (this.#added !== this.#count) {
      throw new RangeError(`${this.#added} leaves were added, not ${this.#count}`);
    }
    return this.#siblings.map(({ tree }) => tree.root());
  }
}

/** Whether the leaf stands at this position (from 0) among `count` leaves with this root. */
export function verifyInclusion(
  leaf: Uint8Array,
  { index, count, path }: { index: number; count: number; path: Uint8Array[] },
  root: Uint8Array,
): boolean {
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 0 || index >= count) {
    return false;
  }
  const siblings = listSiblings(index, count);
  if (path.length !== siblings.length) return false;
  if ([leaf, root, ...path].some(({ length }) => length !== HASH_BYTES)) return false;
  const computed = path.reduce(
    (hash, sibling, level) =>
      siblings[level].start > index ? hashNode(hash, sibling) : hashNode(sibling, hash),
    leaf,
  );
  return computed.every((byte, i) => byte === root[i]);
}

// -- The draw ---------------------------------------------------------------------------------------

export interface DrawInput {
  raffleId: Uint8Array;
  ticketRoot: Uint8Array;
  round: number;
  randomness: Uint8Array;
}

export function hashSeed({ raffleId, ticketRoot, round, randomness }: DrawInput): Uint8Array {
  requireLength("the raffle's id", raffleId, ID_BYTES);
  requireLength("the root", ticketRoot, HASH_BYTES);
  requireLength("the randomness", randomness, HASH_BYTES);
  const algorithm = new TextEncoder().encode(DRAW_ALGORITHM);
  return sha256(algorithm, raffleId, ticketRoot, u64(round), randomness);
}

/** Numbers below the modulus, each as likely as any other. */
export interface Words {
  modulus: bigint;
  next: () => bigint;
}

const WORD_BYTES = 8;

export function wordsOf(seed: Uint8Array): Words {
  requireLength("the seed", seed, HASH_BYTES);
  let [blocks, offset] = [0, HASH_BYTES];
  let block: Uint8Array;
  const next = () => {
    if (offset === HASH_BYTES) [block, offset] = [sha256(seed, u32(blocks++)), 0];
    const word = new DataView(block.buffer, block.byteOffset + offset).getBigUint64(0);
    offset += WORD_BYTES;
    return word;
  };
  return { modulus: 2n ** 64n, next };
}

/** A number below m, each exactly as likely: words of the incomplete last run of m are passed over. */
export function uniform(words: Words, m: bigint): bigint {
  if (m < 1n || m > words.modulus) throw new RangeError(`no uniform number below ${m}`);
  const limit = words.modulus - words.modulus % m;
  let word = words.next();
  while (word >= limit) word = words.next();
  return word % m;
}

/**
 * The positions 0 to count - 1 in drawn order, lazily: a Fisher-Yates shuffle that remembers only the
 * positions it has moved, so that the first k places cost k steps however many tickets there are.
 */
export function* rank(words: Words, count: number): Generator<number, void> {
  requireWithin("the number of tickets", count, 0, 2 ** 32);
  const moved = new Map<number, number>();
  for (let place = 0; place < count; place++) {
    const chosen = place + Number(uniform(words, BigInt(count - place)));
    const drawn = moved.get(chosen) ?? chosen;
    moved.set(chosen, moved.get(place) ?? place);
    moved.delete(place); // No later step looks back at it.
    yield drawn;
  }
}

/** The tickets' positions (in ascending number, from 0) from the first place on, for a draw of `count`. */
export function drawPositions(input: DrawInput, count: number): Generator<number, void> {
  return rank(wordsOf(hashSeed(input)), count);
}
