// What is published and what was said: every draw made again from its proof, and every message counted.
import {
  DRAW_ALGORITHM,
  drawPositions,
  hashLeaf,
  MerkleTree,
  uuidToBytes,
} from "../../shared/draw.ts";
import { findChain, inspectBeacon } from "../../shared/drand.ts";
import { decodeHex, encodeHex } from "../../shared/hex.ts";
import type { TestStack } from "../support/stack.ts";
import type { Journal } from "./journal.ts";
import type { World } from "./people.ts";

interface Proof {
  algorithm: string;
  raffle_id: string;
  state: string;
  winners_count: number;
  ticket_count: number;
  ticket_root: string;
  beacon: { chain_hash: string; round: number; signature?: string; randomness?: string };
  winners: { place: number; ticket_num: number }[];
  tickets: { ticket_num: number; holder: string }[];
}

/** What is wrong with the draws, made again by shared/draw.ts from what anyone can read. */
export async function verifyDraws({ stack, journal }: World): Promise<string[]> {
  const drawn = await stack.sql`select id from public.raffles where state in ('DRAWN', 'SETTLED')`;
  const faults: string[] = [];
  for (const { id } of drawn) {
    const fault = await verifyDraw(journal, id);
    if (fault) faults.push(`the draw of ${id}: ${fault}`);
  }
  return faults;
}

async function verifyDraw(journal: Journal, id: string): Promise<string> {
  const { status, answer } = await journal.send({ name: "anybody" }, `GET /verify-draw/${id}`);
  if (status !== 200) return JSON.stringify(answer);
  const { beacon, tickets, winners, ...seal } = answer as Proof;
  const tree = new MerkleTree();
  const raffleId = uuidToBytes(id);
  for (const { ticket_num, holder } of tickets) {
    tree.add(hashLeaf(raffleId, ticket_num, decodeHex(holder)));
  }
  if (seal.algorithm !== DRAW_ALGORITHM || tickets.length !== seal.ticket_count) {
    return "incomplete";
  }
  if (encodeHex(tree.root()) !== seal.ticket_root) return "another root";
  const { round, signature, randomness } = beacon;
  const { flaw } = await inspectBeacon(findChain(beacon.chain_hash)!, round, {
    round,
    signature,
    randomness,
  });
  if (flaw) return `the beacon is ${flaw}`;
  const input = { raffleId, ticketRoot: tree.root(), round, randomness: decodeHex(randomness!) };
  const positions = drawPositions(input, tickets.length);
  for (const [index, { place, ticket_num }] of winners.entries()) {
    const expected = tickets[positions.next().value!].ticket_num;
    if (place !== index + 1 || ticket_num !== expected) return `place ${place} is ${expected}'s`;
  }
  const places = Math.min(seal.winners_count, tickets.length);
  return winners.length < places ? `${winners.length} winners of ${places}` : "";
}

interface Message {
  transactionId: string;
  workflow: string;
  request: { to: { subscriberId: string }; payload: Record<string, string> };
}

const ABOUT: Record<string, string> = {
  "won": "raffle_id",
  "not-won": "raffle_id",
  "raffle-cancelled": "raffle_id",
  "purchase-confirmed": "purchase_id",
  "purchase-refunded": "purchase_id",
  "topup-completed": "topup_id",
};

/** What Novu took in. It forgets the oldest, so this is read after each round. */
export class Mail {
  #messages = new Map<string, Message>();

  constructor(private stack: TestStack) {}

  async read(): Promise<void> {
    const answer = await fetch(`${this.stack.services.novuUrl}/_local/novu?limit=10000`);
    for (const message of (await answer.json()).items as Message[]) {
      this.#messages.set(message.transactionId, message);
    }
  }

  get count() {
    return this.#messages.size;
  }

  /** Who was not told, or told twice, or told what is not so. */
  async compare(): Promise<string[]> {
    const counts = new Map<string, number>();
    const count = (line: string, by: number) => counts.set(line, (counts.get(line) ?? 0) + by);
    for (const { workflow, request } of this.#messages.values()) {
      const about = ABOUT[workflow];
      if (about) count(`${workflow} ${request.to.subscriberId} ${request.payload[about]}`, -1);
    }
    for (const { line } of await this.#expected()) count(line, 1);
    return [...counts].filter(([, difference]) => difference !== 0)
      .map(([line, by]) =>
        `${line}: ${by > 0 ? "was not told" : `was told ${-by} times too often`}`
      );
  }

  #expected() {
    return this.stack.sql<{ line: string }[]>`
      with holders as (
        select distinct raffle_id, user_id from public.purchases
        where confirmed_at is not null and status in ('CONFIRMED', 'REFUNDED')
      ), lucky as (
        select distinct w.raffle_id, t.user_id from public.winners w join public.tickets t using (raffle_id, ticket_num)
      )
      select concat_ws(' ', case when l.user_id is null then 'not-won' else 'won' end, h.user_id, h.raffle_id) as line
      from holders h join public.raffles r on r.id = h.raffle_id and r.state = 'SETTLED' left join lucky l using (raffle_id, user_id)
      union all select concat_ws(' ', 'raffle-cancelled', h.user_id, h.raffle_id)
      from holders h join public.raffles r on r.id = h.raffle_id and r.state = 'CANCELLED'
      union all select concat_ws(' ', 'purchase-confirmed', user_id, id) from public.purchases where confirmed_at is not null
      union all select concat_ws(' ', 'purchase-refunded', user_id, id) from public.purchases where status = 'REFUNDED'
      union all select concat_ws(' ', 'topup-completed', user_id, id) from public.wallet_topups where status = 'COMPLETED'`;
  }
}
