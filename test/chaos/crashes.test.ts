// Kills with signal 9 at random moments, of each part there is. What was answered must be there afterwards, and
// what was not must come out by asking again under the same key. SEED=... repeats the operations.
import { beforeAll, describe, expect, test } from "vitest";
import { seeded } from "../../supabase/local/random.ts";
import { balanceAtStripe } from "../support/payments.ts";
import { cleanUp } from "../support/cleanup.ts";
import { isLong, scaled, seed } from "../support/scale.ts";
import { randomOf } from "../support/stripe-histories.ts";
import {
  expectBooksOfStripe,
  expectClockGoesOn,
  expectEverybodyTold,
  expectSoundDisk,
} from "./books.ts";
import { expectDurableServer, expectNoSwitchTouched, expectNothingUnlogged } from "./durability.ts";
import { expectPromisesKept } from "./promises.ts";
import type { Plan, Round } from "./round.ts";
import { playRound, WRITES } from "./round.ts";
import type { CrashStack, Victim } from "./stack.ts";
import { crashStack, expectHealth, expectLogIn } from "./stack.ts";

let stack: CrashStack;
let opening: number;
/** How many rounds this stack has been through. */
let rounds = 0;
/** How often Stripe was answered 5xx, by any stack. */
let toBringAgain = 0;
beforeAll(begin);

async function begin(): Promise<void> {
  stack = await crashStack();
  opening = await balanceAtStripe(stack);
  rounds = 0;
}

async function expectAllWell(): Promise<void> {
  await expectHealth(stack);
  await expectClockGoesOn(stack);
  toBringAgain += await expectBooksOfStripe(stack, opening);
  await expectSoundDisk(stack);
  await expectLogIn(stack);
}

test("what is committed is on the disk: Postgres is not told to be quick instead", async () => {
  await expectDurableServer(stack);
  await expectNothingUnlogged(stack);
  expectNoSwitchTouched();
});

const KILLS = scaled(50, 1_000);
const OTHERS = scaled(5, 15);
const IN_A_ROUND = 6;
/** Recovering takes the time it takes. */
const timeout = scaled(10, 60) * 60_000;
/** After so many rounds it is looked at who was told what. */
const IN_A_PART = 10;
/** After so many a new stack takes over: the more rows there are, the longer it takes to look at all of them. */
const ON_ONE_STACK = 25;

/** Plays rounds in which this is killed: by turns while something is written, and after some requests. */
async function survive(victim: Victim | "connections", times: number): Promise<void> {
  const random = randomOf(seeded(seed));
  const writes = random.shuffle(WRITES);
  const began = performance.now();
  let [strikes, doubts, done, longest] = [0, 0, 0, 0];
  let [played, since]: [Round[], Date] = [[], new Date()];
  for (let at = 0; strikes < times; at++) {
    const number = random.between(0, 2 ** 31);
    const plan: Plan = {
      strikes: Array.from({ length: IN_A_ROUND }, () => ({
        afterRequests: random.between(1, 15),
        wait: random.between(0, 15),
      })),
      writing: at % 2 === 0 ? writes[at / 2 % writes.length] : undefined,
    };
    const round = await playRound(stack, number, victim, plan);
    strikes += round.strikes;
    rounds++;
    await expectPromisesKept(stack, round);
    played.push(round);
    const doubtful = round.traffic.told.filter((told) => told.doubts > 0);
    doubts += doubtful.length;
    done += doubtful.filter(({ answer }) => answer.replayed).length;
    longest = Math.max(longest, round.backAfter);
    const isWornOut = rounds >= ON_ONE_STACK;
    if (played.length === IN_A_PART || strikes >= times || isWornOut) {
      await expectEverybodyTold(stack, played, since);
      [played, since] = [[], new Date()];
    }
    if (!isWornOut) continue;
    await expectAllWell();
    await cleanUp();
    await begin();
  }
  // Else nothing was tried.
  expect(doubts).toBeGreaterThan(0);
  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1);
  const said = [
    `${victim}: ${strikes} times, one in ${seconds((performance.now() - began) / strikes)} s`,
    `${doubts} requests in doubt, of which ${done} had been done`,
    `back within ${seconds(longest)} s\n`,
  ].join("; ");
  // vitest keeps what passing tests say to itself.
  if (isLong) Deno.stderr.writeSync(new TextEncoder().encode(said));
}

describe(`nothing that was answered is lost, nothing is done twice, and all goes on (SEED=${seed})`, () => {
  test(`when Postgres is killed ${KILLS} times`, { timeout }, () => survive("Postgres", KILLS));
  test(
    `when the functions process is killed ${OTHERS} times`,
    { timeout },
    () => survive("the functions process", OTHERS),
  );
  test(`when PostgREST is killed ${OTHERS} times`, { timeout }, () => survive("PostgREST", OTHERS));
  test(
    `when clients are cut off in ${OTHERS} rounds`,
    { timeout },
    () => survive("connections", OTHERS),
  );
});

test(
  "after all that the clock goes on, Stripe, the books and the disk agree, and people can log in",
  { timeout },
  async () => {
    await expectAllWell();
    // In a few rounds it might be none.
    if (isLong) expect(toBringAgain).toBeGreaterThan(0);
  },
);
