// What people do in a round: drawn from the seed before anything happens, so that no answer changes it.
import { expect } from "vitest";
import { sleep } from "../support/crowd.ts";
import type { Withdrawer } from "../support/payments.ts";
import { control } from "../support/stripe.ts";
import type { Random } from "../support/stripe-histories.ts";
import type { Told, Traffic } from "./traffic.ts";

export interface Bought {
  id: string;
  raffle_id: string;
  amount_cents: number;
  payment_method: "wallet" | "card";
  tickets: { id: number; ticket_num: number }[];
}

/** Somebody's life in a round, as far as they have been told of it. */
export interface Life {
  person: Withdrawer;
  opening: number;
  bought: Bought[];
  topups: { id: string; amount_cents: number }[];
  withdrawals: { id: string; amount_cents: number }[];
}

export type Step =
  & { wait: number; twice: boolean }
  & (
    | { act: "buy"; quantity: number; payment_method: "wallet" | "card"; redeem: boolean }
    | { act: "top up"; amount_cents: number; payment_method?: "pm_card_visa" }
    | { act: "withdraw"; amount_cents: number }
  );

export function drawSteps(random: Random, count: number): Step[] {
  return Array.from({ length: count }, (): Step => {
    const when = { wait: random.between(0, 20), twice: random.chance(0.2) };
    const act = random.pick("buy", "buy", "buy", "buy", "top up", "top up", "withdraw");
    const amount_cents = random.between(100, 5_000);
    if (act === "withdraw") return { ...when, act, amount_cents };
    if (act === "top up") {
      return { ...when, act, amount_cents, ...random.pick({}, { payment_method: "pm_card_visa" }) };
    }
    const quantity = random.between(1, 3);
    const payment_method = random.pick("wallet", "wallet", "card");
    return { ...when, act, quantity, payment_method, redeem: random.chance(0.7) };
  });
}

export async function live(
  traffic: Traffic,
  life: Life,
  steps: Step[],
  raffle_id: string,
  cutting?: Random,
): Promise<void> {
  const { person: { token } } = life;
  const ask = async (path: string, body: object, twice: boolean, refusals?: string[]) => {
    const request = { path, body, token, key: crypto.randomUUID(), refusals };
    const told = await Promise.all(
      Array.from({ length: twice ? 2 : 1 }, () => traffic.insist(request, cutting)),
    );
    const done = told.filter(({ answer }) => answer.status === 201);
    for (const { answer } of done) expect(answer.body).toEqual(done[0].answer.body);
    return done[0]?.answer.body;
  };
  // A person has one browser: it does one thing after another.
  for (const { wait, twice, ...step } of steps) {
    await sleep(wait);
    if (step.act === "top up") {
      const { act: _, ...body } = step;
      const { topup, payment } = await ask("/topup", { method: "payment_intent", ...body }, twice);
      if (!step.payment_method) await pay(traffic, payment.payment_intent_id);
      life.topups.push(topup);
    } else if (step.act === "withdraw") {
      const { withdrawal } = await ask("/withdraw", { amount_cents: step.amount_cents }, twice);
      life.withdrawals.push(withdrawal);
    } else {
      const { act: _, ...order } = step;
      const over = ["raffle_sold_out", "raffle_not_open"];
      const answer = await ask("/purchase", { raffle_id, ...order }, twice, over);
      if (!answer) continue;
      const bought: Bought = { ...answer.purchase, tickets: answer.tickets };
      life.bought.push(bought);
      if (answer.payment) await pay(traffic, answer.payment.payment_intent_id);
      else if (!order.redeem) {
        // Sealing takes the tickets of whoever has not.
        const taken = ["raffle_not_open", "purchase_already_redeemed"];
        const redeemed = await ask("/redeem-ticket", { purchase_id: bought.id }, twice, taken);
        if (redeemed) bought.tickets = redeemed.tickets;
      }
    }
  }
}

const pay = ({ stack }: Traffic, intent: string) =>
  control(stack, `POST /payment_intents/${intent}/succeed`);

/** Whoever closes what is due, as anyone may: all of it, or one raffle, again and again. */
export async function closeRepeatedly(
  traffic: Traffic,
  raffles: (string | null)[],
  waits: number[],
  cutting?: Random,
): Promise<Told[]> {
  const told: Told[] = [];
  for (const [at, id] of raffles.entries()) {
    await sleep(waits[at]);
    told.push(await traffic.insist({ path: `/close-raffle${id ? `/${id}` : ""}` }, cutting));
  }
  return told;
}
