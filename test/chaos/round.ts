// A round: people do what they do, something is killed meanwhile, and everybody asks until they are answered.
import { expect } from "vitest";
import { seeded } from "../../supabase/local/random.ts";
import { sleep, withPause } from "../support/crowd.ts";
import { keys } from "../support/database.ts";
import { operatorOf } from "../support/raffles.ts";
import { tokenFor } from "../support/stack.ts";
import type { Random } from "../support/stripe-histories.ts";
import { randomOf } from "../support/stripe-histories.ts";
import { violations } from "../support/wallets.ts";
import type { Life } from "./people.ts";
import { closeRepeatedly, drawSteps, live } from "./people.ts";
import type { Raffles } from "./raffles.ts";
import { makeLives, makeRaffles, refundByAndBy } from "./raffles.ts";
import type { CrashStack, Victim } from "./stack.ts";
import { kill, someonePauses, untilHealthy } from "./stack.ts";
import { Traffic } from "./traffic.ts";

type Write = [table: string, event: "insert" | "update"];

/** When it strikes: each time so long after so many more requests, or after somebody writes such a row. */
export interface Plan {
  strikes: { afterRequests: number; wait: number }[];
  writing?: Write;
}

/** The writes that a step is made of: to seal, draw, settle, sell, answer, credit, refund, send, tell. */
export const WRITES: Write[] = [
  ["public.draws", "insert"],
  ["public.winners", "insert"],
  ["public.wallet_ledger", "insert"],
  ["public.tickets", "insert"],
  ["app.idempotency_keys", "update"],
  ["public.wallet_topups", "update"],
  ["public.purchases", "update"],
  ["app.stripe_events", "update"],
  ["public.wallet_withdrawals", "update"],
  ["public.notifications", "update"],
  ["app.raffle_lanes", "update"],
];

export interface Round {
  traffic: Traffic;
  lives: Life[];
  raffles: Raffles;
  /** Who cancels one of them. */
  operator: string;
  /** How often it struck before everybody had their answers. */
  strikes: number;
  /** The longest until everything answered again. */
  backAfter: number;
}

const PEOPLE = 4;
const STEPS = [6, 10] as const;

/** The same number, the same operations; "connections" kills nothing but those of clients. */
export async function playRound(
  stack: CrashStack,
  number: number,
  victim: Victim | "connections",
  plan: Plan,
): Promise<Round> {
  const random = randomOf(seeded(number));
  const lives = await makeLives(stack, PEOPLE);
  const raffles = await makeRaffles(stack, random, lives);
  const { id: operator } = await operatorOf(stack) as { id: string };
  const round = {
    traffic: new Traffic(stack),
    lives,
    raffles,
    operator,
    strikes: 0,
    backAfter: 0,
  };
  const crash = async () => {
    const playing = play(stack, round, random, victim === "connections");
    // Both to their ends: what comes after needs a server that is up.
    const ends = await Promise.allSettled([playing, strike(stack, round, victim, plan, playing)]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  };
  await (plan.writing ? withPause(stack, ...plan.writing, 20, crash) : crash());
  return round;
}

async function play(stack: CrashStack, round: Round, random: Random, cuts: boolean): Promise<void> {
  const { traffic, lives, raffles, operator } = round;
  // Each has dice of their own: who is quicker must not change what the others do.
  const own = () => randomOf(seeded(random.between(0, 2 ** 31)));
  const cutting = () => cuts ? own() : undefined;
  const closings = [raffles.over, raffles.sealed, null, raffles.onSale];
  const cancelling = {
    path: "/rest/v1/rpc/cancel_raffle",
    token: tokenFor(operator),
    body: { raffle_id: raffles.unwanted.raffle_id, reason: "A test", dry_run: false },
    refusals: ["raffle_not_cancellable"],
  };
  const clock = async (waits: number[]) => {
    for (const wait of waits) {
      await sleep(wait);
      for (const path of ["/send-notifications", "/reconcile/sweep"]) {
        await traffic.insist({ path, token: keys.scheduler_secret });
      }
    }
  };
  const waits = (count: number, most: number) =>
    Array.from({ length: count }, () => random.between(0, most));
  await Promise.all([
    ...lives.map((life) =>
      live(traffic, life, drawSteps(own(), random.between(...STEPS)), raffles.onSale, cutting())
    ),
    ...[1, 2].map(() =>
      closeRepeatedly(traffic, random.shuffle(closings), waits(4, 60), cutting())
    ),
    clock(waits(2, 100)),
    sleep(random.between(0, 150)).then(() => traffic.insist(cancelling)),
    sleep(random.between(0, 150)).then(() => refundByAndBy(stack, raffles.cancelled)),
  ]);
}

async function strike(
  stack: CrashStack,
  round: Round,
  victim: Victim | "connections",
  plan: Plan,
  playing: Promise<void>,
): Promise<void> {
  let isOver = false;
  const over = playing.catch(() => {}).then(() => void (isOver = true));
  if (victim === "connections") return void (round.strikes = 1);
  const someoneWrites = async () => {
    while (!isOver && !await someonePauses(stack)) await sleep(3);
  };
  for (const { afterRequests, wait } of plan.strikes) {
    const come = plan.writing ? someoneWrites() : round.traffic.afterMore(afterRequests);
    await Promise.race([come, over]);
    if (isOver && round.strikes > 0) return;
    await sleep(wait);
    const struck = performance.now();
    await kill(stack, victim);
    round.strikes++;
    // Before anybody has mended anything by asking again, or nearly so.
    expect(await violations(stack)).toEqual([]);
    await untilHealthy(stack);
    round.backAfter = Math.max(round.backAfter, performance.now() - struck);
  }
}
