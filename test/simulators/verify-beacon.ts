import { bls12_381 } from "@noble/curves/bls12-381.js";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";

export interface RoundBody {
  round: number;
  signature: string;
  randomness: string;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/**
 * What a careful client checks, written from drand's specification and sharing nothing with the
 * simulator: the round asked for, the randomness, and the signature by the pinned key.
 */
export function verifyBeacon(publicKey: string, round: number, body: RoundBody): boolean {
  if (body.round !== round) return false;
  const signature = Buffer.from(body.signature, "hex");
  if (sha256(signature).toString("hex") !== body.randomness) return false;
  return verifySignature(publicKey, round, body.signature);
}

export function verifySignature(publicKey: string, round: number, signature: string): boolean {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(round));
  const bls = bls12_381.shortSignatures;
  const message = bls.hash(
    Uint8Array.from(sha256(bytes)),
    "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_",
  );
  try {
    return bls.verify(unhex(signature), message, unhex(publicKey));
  } catch {
    return false; // Not a point of the group at all.
  }
}

const unhex = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
