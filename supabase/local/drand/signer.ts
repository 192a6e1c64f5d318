import { bls12_381 } from "@noble/curves/bls12-381.js";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { type ChainInfo, computeChainHash } from "./chain.ts";

/** quicknet's scheme: public key on G2, signatures on G1, hash-to-curve as in RFC 9380. */
export const SCHEME_ID = "bls-unchained-g1-rfc9380";
const DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

const bls = bls12_381.shortSignatures;
const { Fr } = bls12_381.fields;

export interface ChainSettings {
  secretKey: string;
  beaconId: string;
  genesisTime: number;
  period: number;
}

export interface Signer {
  info: ChainInfo;
  sign(round: number): string;
}

/** One key and the chain it makes. A real group has a genesis seed; here the beacon id stands for it. */
export function createSigner(settings: ChainSettings): Signer {
  const { secretKey, beaconId, genesisTime, period } = settings;
  // The library would quietly reduce a larger number to another key.
  if (!/^[0-9a-f]{64}$/.test(secretKey) || !Fr.isValidNot0(BigInt(`0x${secretKey}`))) {
    throw new Error("secretKey must be 64 hex digits, above 0 and below the order of the curve");
  }
  if (!Number.isInteger(period) || period < 1) throw new Error("period must be whole seconds");
  if (!/^[a-z0-9-]+$/.test(beaconId)) throw new Error("beaconId must be letters, digits, dashes");
  if (!Number.isInteger(genesisTime)) throw new Error("genesisTime must be whole unix seconds");

  const key = Uint8Array.from(Buffer.from(secretKey, "hex"));
  const unhashed = {
    public_key: bls.getPublicKey(key).toHex(true),
    period,
    genesis_time: genesisTime,
    groupHash: createHash("sha256").update(beaconId).digest("hex"),
    metadata: { beaconID: beaconId },
  };
  const { metadata, ...rest } = unhashed;
  const info = { ...rest, hash: computeChainHash(unhashed), schemeID: SCHEME_ID, metadata };

  return {
    info,
    sign: (round) => bls.sign(bls.hash(roundMessage(round), DST), key).toHex(true),
  };
}

function roundMessage(round: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(round));
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}

/** Randomness is nothing but the hash of the signature: whoever has one can compute the other. */
export function randomnessOf(signature: string): string {
  return createHash("sha256").update(Buffer.from(signature, "hex")).digest("hex");
}

/** Bit 0 is the highest bit of the first byte; bit 2 of a signature is the sign of its point. */
export function flipBit(hex: string, bit: number): string {
  const bytes = Buffer.from(hex, "hex");
  bytes[bit >> 3] ^= 0x80 >> (bit & 7);
  return bytes.toString("hex");
}
