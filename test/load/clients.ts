// The clients, in a process of their own: the gateway runs in the one that measures. LOAD says what to do;
// what became of it is printed.
import type { Keys } from "../../supabase/local/keys.ts";
import type { Answer } from "./connection.ts";
import { Connection } from "./connection.ts";
import type { Bought, Open, Step } from "./player.ts";
import { codeOf, isRefusal, Player } from "./player.ts";

export interface Load {
  apiUrl: string;
  keys: Keys;
  seed: number;
  /** People of the world: those from `first` on. */
  first: number;
  clients: number;
  seconds: number;
  moneyBurst: number;
  /** Each client waits so long on average between two requests, if no rate is given. */
  thinkMs?: number;
  /** So many requests a second, whether or not those before have been answered. */
  rate?: number;
}

export interface Outcome {
  /** Milliseconds of each request by endpoint: answered, or refused with 429 or 503. */
  answered: Record<string, number[]>;
  refused: Record<string, number[]>;
  /** How often each answer came. */
  answers: Record<string, number>;
  wrong: string[];
  bought: Bought[];
  open: Open[];
  closed: number[];
  /** No client was free to send it. */
  unsent: number;
  seconds: number;
}

const load: Load = JSON.parse(Deno.env.get("LOAD")!);
const { apiUrl, keys, seed, clients, seconds, thinkMs = 0, rate } = load;
const players = Array.from(
  { length: clients },
  (_, index) => new Player(load.first + index, keys, seed, load.moneyBurst),
);
const outcome: Outcome = {
  answered: {},
  refused: {},
  answers: {},
  wrong: [],
  bought: [],
  open: [],
  closed: [],
  unsent: 0,
  seconds: 0,
};
const connections = new Map<Player, Connection>();
const began = performance.now();
const elapsed = () => performance.now() - began;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const until = seconds * 1000;
const CUT_EVERY = 20;

/** Sends the step; a patient client that is told to try again does so, with the same key. */
async function act(player: Player, step: Step, patient: boolean): Promise<void> {
  for (let attempt = 1;; attempt++) {
    const answer = await exchange(player, step);
    if (!answer) return step.lose();
    note(step.endpoint, answer);
    if (answer.status !== 503) return complain(step, step.take(answer));
    const wait = Number(answer.header("retry-after"));
    if (codeOf(answer) !== "try_again" || !(wait > 0)) complain(step, `503 ${answer.text}`);
    if (!patient || attempt === 30) return step.lose();
    await sleep(wait * 1000 * (1 + Math.random()));
  }
}

async function exchange(player: Player, step: Step): Promise<Answer | null> {
  const sent = performance.now();
  try {
    const connection = connections.get(player) ?? await Connection.open(apiUrl);
    connections.set(player, connection);
    const answer = await connection.exchange(step.request);
    const kind = isRefusal(answer) ? outcome.refused : outcome.answered;
    (kind[step.endpoint] ??= []).push(performance.now() - sent);
    return answer;
  } catch (error) {
    complain(step, String(error));
    connections.get(player)?.close();
    connections.delete(player);
    return null;
  }
}

let purchases = 0;

/** In a flood some leave before they are answered: nobody knows what became of what they have sent. */
async function leaves(player: Player, step: Step): Promise<boolean> {
  const isPurchase = step.endpoint.startsWith("POST purchase");
  if (!isPurchase || ++purchases % CUT_EVERY > 0) return false;
  const connection = connections.get(player) ?? await Connection.open(apiUrl);
  connections.delete(player);
  await connection.send(step.request);
  connection.close();
  step.lose();
  player.open.at(-1)!.left = true;
  return true;
}

function note(endpoint: string, answer: Answer): void {
  const name = `${endpoint}: ${answer.status} ${answer.status > 399 ? codeOf(answer) : ""}`.trim();
  outcome.answers[name] = (outcome.answers[name] ?? 0) + 1;
}

function complain(step: Step, complaint: string | undefined): void {
  if (complaint) outcome.wrong.push(`${step.endpoint}: ${complaint}`);
}

async function live(player: Player): Promise<void> {
  await sleep(Math.random() * thinkMs);
  while (elapsed() < until) {
    await act(player, player.next(), true);
    await sleep(Math.min(thinkMs * (0.5 + Math.random()), until - elapsed()));
  }
}

async function rushThrough(player: Player): Promise<void> {
  const step = player.next();
  if (!await leaves(player, step)) await act(player, step, false);
}

async function flood(rate: number): Promise<void> {
  const idle = [...players];
  const under = new Set<Promise<void>>();
  for (let sent = 0; elapsed() < until;) {
    for (; sent < elapsed() / 1000 * rate; sent++) {
      const player = idle.shift();
      if (!player) {
        outcome.unsent++;
        continue;
      }
      const acted = rushThrough(player).then(() => {
        idle.push(player);
        under.delete(acted);
      });
      under.add(acted);
    }
    await sleep(2);
  }
  await Promise.all(under);
}

await (rate ? flood(rate) : Promise.all(players.map(live)));
outcome.seconds = elapsed() / 1000;
for (const player of players) {
  outcome.bought.push(...player.bought);
  outcome.open.push(...player.open);
  outcome.closed.push(...player.closed);
}
outcome.closed = [...new Set(outcome.closed)];
console.log(JSON.stringify(outcome));
Deno.exit(0);
