// `npm run verify -- <address or file> [--root <hex>]`: makes a draw again from its published proof alone, and
// says in plain words what it checked; with the root that somebody was told before the draw, also that it is it. Needs no account, and of this project only shared/draw.ts and shared/drand.ts.
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  DRAW_ALGORITHM,
  drawPositions,
  hashLeaf,
  hashSeed,
  MerkleTree,
  uuidToBytes,
} from "../../shared/draw.ts";
import { findChain, firstRoundFrom, inspectBeacon, timeOfRound } from "../../shared/drand.ts";
import { decodeHex, encodeHex } from "../../shared/hex.ts";

const NOTICE_MS = 60_000;
const LATE_MS = 15 * 60_000;

interface Beacon {
  chain_hash: string;
  round: number;
  signature?: string;
  randomness?: string;
}

interface Seal {
  algorithm: string;
  raffle_id: string;
  state: string;
  winners_count: number;
  ticket_count: number;
  ticket_root: string;
  sealed_at: string;
  beacon: Beacon | null;
  /** Where a lottery decides: the official draws it looks to. */
  lottery?: { draw_date: string; winning_number: string | null }[];
  winners: { place: number; ticket_num: number }[];
}

class Wrong extends Error {}
/** Says nothing about the draw. */
class Unread extends Error {}

function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Wrong(otherwise);
}

const say = (line: string) => console.log(line);

/** The lines of a proof: what was sealed, then each ticket. A proof in one piece is given line by line too. */
async function* readLines(source: string): AsyncGenerator<unknown> {
  if (/^https?:/.test(source)) {
    const answer = await fetch(`${source}${source.includes("?") ? "&" : "?"}format=ndjson`)
      .catch((error) => {
        throw new Unread(`${source} cannot be reached: ${error.message}`);
      });
    if (!answer.ok) {
      const said = (await answer.text()).slice(0, 300);
      throw new Unread(`${source} answers ${answer.status}: ${said}`);
    }
    let rest = "";
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line) yield JSON.parse(line);
    }
    demand(rest.trim() === "", "the proof breaks off");
    return;
  }
  if (!existsSync(source)) throw new Unread(`there is no file ${source}`);
  const text = readFileSync(source, "utf8");
  try {
    const { tickets, ...seal } = JSON.parse(text);
    yield seal;
    yield* tickets;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    for (const line of text.split("\n")) if (line) yield JSON.parse(line);
  }
}

/** Makes the tree again; returns the tickets' numbers. */
async function checkTickets(seal: Seal, tickets: AsyncGenerator<unknown>): Promise<number[]> {
  const tree = new MerkleTree();
  const numbers: number[] = [];
  const raffleId = uuidToBytes(seal.raffle_id);
  for await (const ticket of tickets) {
    const { ticket_num, holder } = ticket as { ticket_num: number; holder: string };
    demand(ticket_num > (numbers.at(-1) ?? -1), `ticket ${ticket_num} is not in ascending order`);
    numbers.push(ticket_num);
    tree.add(hashLeaf(raffleId, ticket_num, decodeHex(holder)));
  }
  demand(
    numbers.length === seal.ticket_count,
    `there are ${numbers.length} tickets, not ${seal.ticket_count}`,
  );
  const root = encodeHex(tree.root());
  demand(
    root === seal.ticket_root,
    `the tickets have the root ${root}, not the one that was sealed`,
  );
  say(`ok    the ${numbers.length} tickets are those that were sealed, with the root ${root}`);
  return numbers;
}

function checkRound({ sealed_at }: Seal, beacon: Beacon) {
  const chain = findChain(beacon.chain_hash);
  demand(chain !== undefined, `the chain ${beacon.chain_hash} is not one that we know`);
  const round = firstRoundFrom(chain, Math.ceil(toMs(sealed_at)) + NOTICE_MS);
  demand(
    round === beacon.round,
    `sealed at ${sealed_at}, the round must be ${round}, not ${beacon.round}`,
  );
  say(
    `ok    round ${round} of ${chain.name} is the first that came out a minute after the sealing`,
  );
  if (chain.foreseeable) {
    say("note  that chain is for development: anybody can know its rounds beforehand");
  }
  return chain;
}

/** With its microseconds, which Date drops: rounded up, nothing comes out too early. */
function toMs(time: string): number {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? "";
  const beyond = Number(`0.${fraction.slice(3) || "0"}`);
  return Date.parse(time) + (beyond > 0 ? 1 : 0);
}

function checkWinners(seal: Seal, numbers: number[], round: number, randomness: string) {
  const { winners } = seal;
  const input = {
    raffleId: uuidToBytes(seal.raffle_id),
    ticketRoot: decodeHex(seal.ticket_root),
    round,
    randomness: decodeHex(randomness),
  };
  say(`ok    the draw's seed is ${encodeHex(hashSeed(input))}`);
  const places = Math.min(seal.winners_count, numbers.length);
  demand(winners.length >= places, `${winners.length} winners are named of ${places}`);
  const drawn = drawPositions(input, numbers.length);
  for (const [index, { place, ticket_num }] of winners.entries()) {
    const expected = numbers[drawn.next().value!];
    demand(place === index + 1, `place ${index + 1} is missing`);
    demand(
      ticket_num === expected,
      `place ${place} belongs to ticket ${expected}, not ${ticket_num}`,
    );
    say(`ok    place ${place} is ticket ${ticket_num}`);
  }
}

/** What an official lottery drew is for its own site to say; what follows from that is checked here. */
function checkLottery({ lottery, winners }: Seal, numbers: number[]) {
  const decided = (lottery ?? []).filter(({ winning_number }) => winning_number !== null).at(-1);
  if (!decided) {
    demand(winners.length === 0, "winners are named before the lottery has drawn");
    return say("note  the lottery has not drawn yet");
  }
  const number = Number(decided.winning_number);
  say(`note  NOT checked: that the lottery drew ${decided.winning_number} on ${decided.draw_date}`);
  const winner = winners.find(({ place }) => place === 1)?.ticket_num;
  const isSold = numbers.includes(number);
  demand(
    !isSold || winners.length === 0 || winner === number,
    `ticket ${number} won, not ${winner}`,
  );
  demand(isSold || winner === undefined, `nobody has the number ${number}, and ${winner} is named`);
  say(isSold ? `ok    ticket ${number} has the number` : `ok    nobody has the number ${number}`);
}

async function verify(source: string, toldRoot?: string): Promise<void> {
  const lines = readLines(source);
  const seal = (await lines.next()).value as Seal;
  demand(seal.algorithm === DRAW_ALGORITHM, `this knows ${DRAW_ALGORITHM}, not ${seal.algorithm}`);
  say(`raffle ${seal.raffle_id}`);
  const asked = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.exec(
    new URL(source, "file://").pathname,
  )?.[0];
  demand(
    !asked || asked.toLowerCase() === seal.raffle_id,
    `${asked} was asked for, and this is another raffle`,
  );
  const numbers = await checkTickets(seal, lines);
  if (toldRoot !== undefined) {
    demand(
      seal.ticket_root === toldRoot.toLowerCase(),
      `${toldRoot} was told, and this is another`,
    );
    say("ok    that root is the one that was told");
  }
  if (seal.state === "CANCELLED") {
    return say("note  it was cancelled before it was drawn: there is no draw to check");
  }
  if (!seal.beacon) return checkLottery(seal, numbers);
  const chain = checkRound(seal, seal.beacon);
  const { round, signature, randomness } = seal.beacon;
  if (randomness === undefined) {
    demand(seal.winners.length === 0, "winners are named before the round is out");
    const cameOut = timeOfRound(chain, round);
    demand(
      Date.now() < cameOut + LATE_MS,
      `its round came out at ${new Date(cameOut).toISOString()}, and it is not drawn`,
    );
    return say("note  the round is not out yet: there is no draw to check");
  }
  const { flaw } = await inspectBeacon(chain, round, { round, signature, randomness });
  demand(flaw === undefined, `the beacon is not that round's: ${flaw}`);
  say(`ok    the beacon is signed by ${chain.name}, and the randomness is its signature's`);
  checkWinners(seal, numbers, round, randomness);
}

const { positionals: [source], values: { root } } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { root: { type: "string" } },
});
if (!source) {
  console.error(
    "npm run verify -- <address of verify-draw/<raffle id>, or a file with its answer> [--root <hex>]",
  );
  Deno.exit(2);
}
try {
  await verify(source, root);
  say("All of it holds.");
} catch (error) {
  const { message } = error as Error;
  if (error instanceof Unread) {
    say(`Nothing was checked: ${message}`);
    Deno.exit(2);
  }
  say(`WRONG ${message}`);
  Deno.exit(1);
}
