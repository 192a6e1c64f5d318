// The raffles of a round, each before one of the steps that must not be taken by half.
import { expect } from "vitest";
import { sleep } from "../support/crowd.ts";
import { largeRaffle } from "../support/large-raffle.ts";
import { signUpWithdrawer } from "../support/payments.ts";
import { close, reachRound, seal } from "../support/draws.ts";
import { buy, raffle } from "../support/raffles.ts";
import type { Random } from "../support/stripe-histories.ts";
import type { Life } from "./people.ts";
import type { CrashStack } from "./stack.ts";
import { drand, isAway } from "./stack.ts";
import { PATIENCE_MS } from "./traffic.ts";

export interface Raffles {
  /** On sale; nearly always it is sold out, and sealed then. */
  onSale: string;
  /** Its time is over: to be sealed. */
  over: string;
  /** Sealed, and its round is out: to be drawn and settled. */
  sealed: string;
  /** To be cancelled by an operator. */
  unwanted: { raffle_id: string; people: string[] };
  /** Cancelled, its refunds not begun: to be refunded some purchases at a time. */
  cancelled: { raffle_id: string; people: string[] };
}

const OPENING = 100_000;
const TICKETS_REFUNDED = 500;

export async function makeLives(stack: CrashStack, count: number): Promise<Life[]> {
  const lives = [];
  for (let made = 0; made < count; made++) {
    const person = await signUpWithdrawer(stack, OPENING);
    await stack.sql`update public.profiles set birth_date = '1990-01-01' where id = ${person.id}`;
    lives.push({ person, opening: OPENING, bought: [], topups: [], withdrawals: [] });
  }
  return lives;
}

export async function makeRaffles(
  stack: CrashStack,
  random: Random,
  lives: Life[],
): Promise<Raffles> {
  const terms = { prize_tiers: [{ place: 1, amount_cents: 500 }] };
  const onSale = await raffle(stack, {
    ...terms,
    tickets_required: random.between(8, 20),
    numbering: random.pick("SEQUENTIAL", "RANDOM", "PICK"),
  });
  const sold = async () => {
    const raffle_id = await raffle(stack, terms);
    for (const { person, bought } of lives) {
      const redeem = random.chance(0.5);
      const quantity = random.between(1, 3);
      const { purchase, tickets } = await buy(stack, person.id, { raffle_id, quantity, redeem });
      bought.push({ ...purchase, tickets });
    }
    await close(stack, raffle_id);
    return raffle_id;
  };
  const over = await sold();
  const sealed = await sold();
  // Or the clock has been quicker.
  expect(await seal(stack, sealed)).toBeOneOf(["CLOSED", null]);
  await reachRound(stack, sealed);
  const [{ round }] = await stack.sql`select round from public.draws where raffle_id = ${sealed}`;
  await drand(stack, "clock", { to_round: Number(round) });
  const unwanted = await largeRaffle(stack, TICKETS_REFUNDED);
  const cancelled = await largeRaffle(stack, TICKETS_REFUNDED);
  return { onSale, over, sealed, unwanted, cancelled };
}

/** Cancels and refunds as the clock goes on with refunds: some at a time, until there is nothing left. */
export async function refundByAndBy(
  { hardy: sql }: CrashStack,
  { raffle_id }: { raffle_id: string },
) {
  const steps = [
    () =>
      sql`select app.stop_raffle(id, 'A test') from public.raffles
        where id = ${raffle_id} and state <> 'CANCELLED'`,
    async () => {
      while (
        Number((await sql`select app.refund_purchases(${raffle_id}, 7) as n`)[0].n) > 0
      ) await sleep(5);
    },
  ];
  for (const step of steps) await untilDone(step);
}

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  for (;;) {
    try {
      return void await work();
    } catch (error) {
      if (!isAway(error) || performance.now() - began > PATIENCE_MS) throw error;
      await sleep(30);
    }
  }
}
