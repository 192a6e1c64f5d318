// How everybody spends a round: each does some things one after another, all of them side by side. What
// somebody does next follows from the seed and from what that person was answered, never from the time.
import { sleep } from "../support/crowd.ts";
import type { Random } from "../support/stripe-histories.ts";
import * as banking from "./banking.ts";
import * as buying from "./buying.ts";
import type { Clock } from "./clock.ts";
import { passTime, tick } from "./clock.ts";
import { misuse, repeat } from "./orders.ts";
import { actOutside } from "./outside.ts";
import type { Player, Staff, World } from "./people.ts";
import * as staff from "./staff.ts";

type Acts<Actor> = readonly (readonly [weight: number, act: (actor: Actor) => Promise<void>])[];

const PLAYER: Acts<Player> = [
  [24, buying.buyByWallet],
  [16, buying.buyByCard],
  [6, buying.boost],
  [5, buying.retry],
  [10, buying.redeem],
  [4, buying.payLate],
  [5, buying.followPurchase],
  [3, buying.claimPrize],
  [12, banking.topUp],
  [3, banking.payTopupLate],
  [3, banking.followTopup],
  [8, banking.withdraw],
  [4, banking.refundToCard],
  [1, banking.setLimit],
  [3, banking.readOwn],
  [1, banking.signIn],
  [7, repeat],
  [2, misuse],
];

const OPERATOR: Acts<Staff> = [
  [10, staff.openRaffle],
  [3, staff.duplicateRaffle],
  [4, staff.cancelRaffle],
  [2, staff.changeTerms],
  [4, staff.sendPrize],
  [2, staff.resolveAlert],
];

function choose<Actor>(random: Random, acts: Acts<Actor>) {
  const all = acts.reduce((sum, [weight]) => sum + weight, 0);
  let at = random.between(1, all);
  return acts.find(([weight]) => (at -= weight) <= 0)![1];
}

async function play(player: Player, most: number): Promise<void> {
  await buying.look(player);
  for (let acts = player.random.between(1, most); acts > 0; acts--) {
    await choose(player.random, PLAYER)(player);
  }
}

async function work(operator: Staff, { players }: World): Promise<void> {
  for (let acts = operator.random.between(2, 5); acts > 0; acts--) {
    await choose(operator.random, OPERATOR)(operator);
    if (operator.random.chance(0.2)) await staff.suspendWallet(operator, players);
    if (operator.random.chance(0.3)) await staff.reinstateWallet(operator, players);
  }
}

/** How long a round is for those who are not asked by anybody: clocks, time, and the world outside. */
const PAUSES_MS = [20, 400] as const;

async function nowAndThen(random: Random, times: number, act: () => Promise<unknown>) {
  for (; times > 0; times--) {
    await act();
    await sleep(random.between(...PAUSES_MS));
  }
}

export interface Round {
  world: World;
  clocks: Clock[];
  random: Random;
  /** How many players act at the same time, and how many things each of them does at the most. */
  atOnce: number;
  acts: number;
}

export async function live({ world, clocks, random, atOnce, acts }: Round): Promise<void> {
  const queue = random.shuffle(world.players);
  const crowd = Array.from({ length: atOnce }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await play(next, acts);
  });
  const ticking = clocks.map(async (clock, number) => {
    // A clock may stand still for a whole round.
    const ticks = clock.random.chance(0.2) ? 0 : clock.random.between(2, 3 + acts);
    await nowAndThen(clock.random, ticks, () => number === 0 ? passTime(clock) : tick(clock));
  });
  await Promise.all([
    ...crowd,
    ...ticking,
    ...world.operators.map((operator) => work(operator, world)),
    nowAndThen(random, 3, () => staff.adjustWallet(world)),
    nowAndThen(random, acts, () => actOutside(world.stack, random)),
  ]);
}
