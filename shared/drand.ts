// drand: the public randomness that draws use, who signs it, and how an answer is proved to be theirs.
import { z } from "zod";
import { decodeHex, encodeHex } from "./hex.ts";
import { sha256 } from "./sha256.ts";

// -- Chains -----------------------------------------------------------------------------------------

export interface Chain {
  name: string;
  hash: string;
  /** A point of G2; signatures are points of G1. */
  publicKey: string;
  periodMs: number;
  genesisMs: number;
  /** Whether anyone can compute rounds ahead of their time, so that it may decide nothing of worth. */
  foreseeable: boolean;
}

/** All of scheme bls-unchained-g1-rfc9380. The hash of a chain covers its key, period and genesis. */
export const CHAINS: readonly Chain[] = [
  {
    name: "quicknet",
    hash: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    publicKey:
      "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
    periodMs: 3_000,
    genesisMs: 1_692_803_367_000,
    foreseeable: false,
  },
  {
    // The beacon of the local stack, whose secret key is published on purpose.
    name: "rafflebase-local",
    hash: "5499b42b8900d4986ad0a58a96a9987ec486ce1aa686c47bad3cafbb4da34c19",
    publicKey:
      "81464c3bb0dd714f8beda1d7644429432f1ff0008628cbed66440dfcc61b2fd212fd9fde3d8ae07c9b132ab791b5e78017a18d855421449bc4a2b2483f51580c7e2462fe000bd42bfe85d8ff97ec2e5982a362fe1fb73777cbf867266d730273",
    periodMs: 3_000,
    genesisMs: 1_700_000_000_000,
    foreseeable: true,
  },
];

export const findChain = (hash: string): Chain | undefined =>
  CHAINS.find((chain) => chain.hash === hash);

// -- Rounds and their times, in unix milliseconds ---------------------------------------------------

/** Round 1 is published at the genesis. */
export const timeOfRound = (chain: Chain, round: number): number =>
  chain.genesisMs + (round - 1) * chain.periodMs;

/** The newest round published at this time; 0 before the genesis. */
export const roundAt = (chain: Chain, time: number): number =>
  Math.max(0, Math.floor((time - chain.genesisMs) / chain.periodMs) + 1);

/** The first round published at this time or later. */
export const firstRoundFrom = (chain: Chain, time: number): number =>
  Math.max(1, Math.ceil((time - chain.genesisMs) / chain.periodMs) + 1);

// -- Beacons ----------------------------------------------------------------------------------------

// The lengths matter: one round must have one signature, and so one randomness.
const Beacon = z.object({
  round: z.int().positive(),
  signature: z.string().regex(/^[0-9a-f]{96}$/),
  randomness: z.string().regex(/^[0-9a-f]{64}$/),
});

export type Beacon = z.infer<typeof Beacon>;

export type BeaconFlaw = "malformed" | "other_round" | "randomness_wrong" | "signature_wrong";

/** A beacon that was verified, or why there is none. */
type Answer<Flaw> = { beacon: Beacon; flaw?: undefined } | { beacon?: undefined; flaw: Flaw };

/** Whether an answer, whoever gave it, is the chain's beacon of the round that was asked for. */
export async function inspectBeacon(
  chain: Chain,
  round: number,
  answer: unknown,
): Promise<Answer<BeaconFlaw>> {
  const { data: beacon } = Beacon.safeParse(answer);
  if (!beacon) return { flaw: "malformed" };
  if (beacon.round !== round) return { flaw: "other_round" };
  const signature = decodeHex(beacon.signature);
  if (encodeHex(sha256(signature)) !== beacon.randomness) return { flaw: "randomness_wrong" };
  if (!await verifySignature(chain, round, signature)) return { flaw: "signature_wrong" };
  return { beacon };
}

export async function verifyBeacon(chain: Chain, round: number, answer: unknown): Promise<boolean> {
  return (await inspectBeacon(chain, round, answer)).flaw === undefined;
}

const DOMAIN = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/** Large, and needed by hardly any request: it is loaded when the first beacon comes in. */
const loadCurve = async () => (await import("@noble/curves/bls12-381.js")).bls12_381;

async function verifySignature(
  chain: Chain,
  round: number,
  signature: Uint8Array,
): Promise<boolean> {
  const { shortSignatures } = await loadCurve();
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(round));
  const message = shortSignatures.hash(sha256(number), DOMAIN);
  const key = decodeHex(chain.publicKey);
  try {
    return shortSignatures.verify(signature, message, key);
  } catch {
    return false; // Not a point of the group at all.
  }
}

// -- Relays -----------------------------------------------------------------------------------------

export type RelayFailure =
  | BeaconFlaw
  | "not_yet" // 425: by the relay's clock the round is still to come
  | "not_found"
  | "status_unexpected"
  | "too_large"
  | "timed_out"
  | "unreachable"; // or broken off

export interface IgnoredRelay {
  relay: string;
  failure: RelayFailure;
}

export type FetchedBeacon =
  | { found: true; beacon: Beacon; relay: string }
  | { found: false; ignored: IgnoredRelay[] };

export interface FetchOptions {
  /** For each relay, from the question to the last byte of its answer. */
  timeoutMs?: number;
  /** Told of every relay that failed before another one answered well. */
  onIgnored?: (ignored: IgnoredRelay) => void;
}

const TIMEOUT_MS = 5_000;

/** Asks all relays at once. None of them is trusted: the first answer that proves itself counts. */
export async function fetchBeacon(
  chain: Chain,
  round: number,
  relays: readonly string[],
  { timeoutMs = TIMEOUT_MS, onIgnored }: FetchOptions = {},
): Promise<FetchedBeacon> {
  const ignored: IgnoredRelay[] = [];
  const won = new AbortController();
  const first = new Promise<FetchedBeacon>((resolve, reject) => {
    const answers = relays.map(async (relay) => {
      const { beacon, flaw } = await askRelay(chain, round, relay, timeoutMs, won.signal);
      if (beacon) return resolve({ found: true, beacon, relay });
      if (won.signal.aborted) return; // Called off, for another was faster.
      ignored.push({ relay, failure: flaw });
      onIgnored?.({ relay, failure: flaw });
    });
    Promise.all(answers).then(() => resolve({ found: false, ignored }), reject);
  });
  return await first.finally(() => won.abort());
}

async function askRelay(
  chain: Chain,
  round: number,
  relay: string,
  timeoutMs: number,
  won: AbortSignal,
): Promise<Answer<RelayFailure>> {
  const late = AbortSignal.timeout(timeoutMs);
  let text: string | undefined;
  try {
    const url = `${relay.replace(/\/+$/, "")}/${chain.hash}/public/${round}`;
    const signal = AbortSignal.any([won, late]);
    const response = await fetch(url, { signal, redirect: "error" });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      return { flaw: FAILURE_OF_STATUS[response.status] ?? "status_unexpected" };
    }
    text = await readShortText(response.body);
  } catch {
    return { flaw: late.aborted ? "timed_out" : "unreachable" };
  }
  if (text === undefined) return { flaw: "too_large" };
  return await inspectBeacon(chain, round, parseJson(text));
}

const FAILURE_OF_STATUS: Record<number, RelayFailure> = { 404: "not_found", 425: "not_yet" };

/** Ten times what a beacon takes. */
const MAX_BYTES = 4_096;

/** The text of an answer, or nothing when it is longer than any beacon. */
async function readShortText(body: ReadableStream): Promise<string | undefined> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    if (text.length > MAX_BYTES) return void await reader.cancel();
  }
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
