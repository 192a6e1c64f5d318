import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";

/** What a drand node publishes about its chain, as the v1 API spells it. */
export interface ChainInfo {
  public_key: string;
  period: number;
  genesis_time: number;
  hash: string;
  groupHash: string;
  schemeID: string;
  metadata: { beaconID: string };
}

/** The v2 API renamed the same facts. */
export interface ChainInfoV2 {
  public_key: string;
  period: number;
  genesis_time: number;
  genesis_seed: string;
  chain_hash: string;
  scheme: string;
  beacon_id: string;
}

/**
 * The chain hash, byte for byte as drand computes it (Info.Hash). The scheme is not part of it,
 * and the beacon id only when it is not "default", because older chains had none.
 */
export function computeChainHash(info: Omit<ChainInfo, "hash" | "schemeID">): string {
  const times = Buffer.alloc(12);
  times.writeUInt32BE(info.period, 0);
  times.writeBigInt64BE(BigInt(info.genesis_time), 4);
  const hash = createHash("sha256")
    .update(times)
    .update(Buffer.from(info.public_key, "hex"))
    .update(Buffer.from(info.groupHash, "hex"));
  const beaconId = info.metadata.beaconID;
  if (beaconId !== "" && beaconId !== "default") hash.update(beaconId);
  return hash.digest("hex");
}

export function toInfoV2(info: ChainInfo): ChainInfoV2 {
  return {
    public_key: info.public_key,
    period: info.period,
    genesis_time: info.genesis_time,
    genesis_seed: info.groupHash,
    chain_hash: info.hash,
    scheme: info.schemeID,
    beacon_id: info.metadata.beaconID,
  };
}

/** The newest round published at this time; 0 before the genesis. Round 1 is the genesis itself. */
export function roundAt(info: ChainInfo, milliseconds: number): number {
  const elapsed = milliseconds - info.genesis_time * 1000;
  return elapsed < 0 ? 0 : Math.floor(elapsed / (info.period * 1000)) + 1;
}

/** The unix time, in seconds, at which a round is published. */
export function timeOfRound(info: ChainInfo, round: number): number {
  return info.genesis_time + (round - 1) * info.period;
}
