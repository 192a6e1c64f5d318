// Draws over tickets made by a fixed rule, so that a case of any size is one short line: the same rule
// stands in test/verifier/verify.py, which shares no code with shared/draw.ts.
import {
  drawPositions,
  hashHolder,
  hashLeaf,
  hashSeed,
  MerkleTree,
  uuidToBytes,
} from "../../shared/draw.ts";
import { decodeHex, encodeHex } from "../../shared/hex.ts";
import { sha256 } from "../../shared/sha256.ts";

export interface DrawCase {
  raffle_id: string;
  label: string;
  count: number;
  /** Ticket numbers are 1, 1 + step, 1 + 2 * step ... */
  step: number;
  round: number;
  randomness: string;
  places: number;
}

export interface DrawResult {
  ticket_root: string;
  seed: string;
  drawn: number[];
}

export const numberAt = ({ step }: DrawCase, position: number): number => 1 + position * step;

/** The ticket's holder: the salt and the user's id are the halves of a hash. */
export function makeHolder({ label }: DrawCase, ticketNum: number): Uint8Array {
  const digest = sha256(new TextEncoder().encode(`${label}/${ticketNum}`));
  return hashHolder(digest.subarray(0, 16), digest.subarray(16));
}

export function* makeLeaves(draw: DrawCase): Generator<Uint8Array> {
  const raffleId = uuidToBytes(draw.raffle_id);
  for (let position = 0; position < draw.count; position++) {
    const ticketNum = numberAt(draw, position);
    yield hashLeaf(raffleId, ticketNum, makeHolder(draw, ticketNum));
  }
}

export function solve(draw: DrawCase): DrawResult {
  const tree = new MerkleTree();
  for (const leaf of makeLeaves(draw)) tree.add(leaf);
  const input = {
    raffleId: uuidToBytes(draw.raffle_id),
    ticketRoot: tree.root(),
    round: draw.round,
    randomness: decodeHex(draw.randomness),
  };
  const drawn: number[] = [];
  const places = Math.min(draw.places, draw.count);
  for (const position of drawPositions(input, draw.count)) {
    if (drawn.push(numberAt(draw, position)) === places) break;
  }
  return {
    ticket_root: encodeHex(input.ticketRoot),
    seed: encodeHex(hashSeed(input)),
    drawn,
  };
}

const golden = (count: number, step: number, places: number): DrawCase => ({
  raffle_id: "6f1d3c52-9a0b-4e77-8c15-2b4d5e6f7081",
  label: "golden",
  count,
  step,
  round: 1000,
  randomness: "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
  places,
});

/** What `python3 test/verifier/verify.py --batch` answers to these cases. */
export const GOLDEN: { draw: DrawCase; result: DrawResult }[] = [
  {
    draw: golden(0, 1, 3),
    result: {
      "ticket_root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "seed": "3ce1416accf51b46f2dd12d900950956e46c39a538e179873089d6367dbc18ea",
      "drawn": [],
    },
  },
  {
    draw: golden(1, 1, 1),
    result: {
      "ticket_root": "9cb2dc0231308b28ddbfe22ae6a95f9a8fb91e3c963b230efb37bdd7b5efac49",
      "seed": "38933bca79f8571f0222a7d24871e21baaa8a99cedfd0e2ecb9e983a9b285edf",
      "drawn": [1],
    },
  },
  {
    draw: golden(2, 1, 2),
    result: {
      "ticket_root": "9c109d94cf37c139c21759858fb85b74a47626d08d078fc99a895ac0cff7ccfd",
      "seed": "e8fc7fd44b2cb63caa47e192e5b986fa0227166abc3c0a8fd76288ac4eb04e4f",
      "drawn": [2, 1],
    },
  },
  {
    draw: golden(3, 1, 3),
    result: {
      "ticket_root": "37eba76b06dd9dd94769c2dcb1e695776d915c0f3e44eae6f50b0780068c022a",
      "seed": "a791d0fb27af1b79e807315a8eef488e2ec484ce4c65a76d4353b0be3056c3c1",
      "drawn": [2, 3, 1],
    },
  },
  {
    draw: golden(10, 1, 10),
    result: {
      "ticket_root": "b4b6fb59aa69d58aef373034042981dc229e5a236c0c79de4596d195a110ceab",
      "seed": "87526a5c99b7481638f2cd024140d7ae9328d541b8ddcb68b1728c52f050ff0f",
      "drawn": [1, 7, 4, 2, 5, 9, 8, 10, 3, 6],
    },
  },
  {
    draw: golden(10, 7, 10),
    result: {
      "ticket_root": "10b042cbb9bd0546dd8ba1e37e927db36a266aaadfcb2574344c2e0cac229a5c",
      "seed": "9e6d44f4775898f178832e601dd5eec72c8f4cd3426814fa467b3e4ae04f0c01",
      "drawn": [43, 1, 57, 50, 8, 29, 15, 22, 64, 36],
    },
  },
  {
    draw: golden(1000, 1, 10),
    result: {
      "ticket_root": "7e45a325370b3e20b6c06a3d51d095b707a63f7b1e56ec456c625737f564c162",
      "seed": "ce560c20d28a50c1dc7e423d270b7c28ae3c74d3a3e14c3b709e59d3d34a63ff",
      "drawn": [10, 109, 907, 63, 421, 815, 638, 759, 878, 302],
    },
  },
  {
    draw: golden(100000, 1, 10),
    result: {
      "ticket_root": "47d43233c1c26d4257094dca422b9fd55fd078ea5e8a4e62518353363bdb85ad",
      "seed": "5b3e202c145584ddc823200799c3a698f07f407a5843e366697713c0eb7ccb6e",
      "drawn": [17754, 42966, 58117, 1749, 69228, 75009, 1739, 9089, 87454, 36676],
    },
  },
  {
    draw: golden(1000000, 1, 10),
    result: {
      "ticket_root": "83d76150be5a389a645a912d75e957ee94c8e6aa1c7b1ee73dc98593451c8467",
      "seed": "872eafb3150f185291dd6875cf9e3fe484ee1a9b49f6d0ad9ea7d35b650035f2",
      "drawn": [51952, 943650, 799595, 468946, 745649, 607607, 745963, 706225, 146737, 978177],
    },
  },
];
