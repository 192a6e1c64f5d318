// Top-ups and withdrawals as users make them, over HTTP, and what the scheduler does about them.
import Stripe from "stripe";
import { expect } from "vitest";
import { keys } from "./database.ts";
import type { Answer, Person, TestStack } from "./stack.ts";
import { call, signUp } from "./stack.ts";
import { control } from "./stripe.ts";
import { stripeId } from "./stripe-events.ts";
import { fund } from "./wallets.ts";

export interface Withdrawer extends Person {
  account: string;
}

/** A person with money, a verified identity and a connected account. */
export async function signUpWithdrawer(stack: TestStack, cents: number): Promise<Withdrawer> {
  const person = await signUp(stack);
  const { id: account } = await control(stack, "POST /accounts", { id: stripeId("acct") });
  await stack.sql`update public.profiles set kyc_status = 'VERIFIED', payout_account = ${account}
    where id = ${person.id}`;
  await fund(stack, person.id, cents);
  return { ...person, account };
}

const ask = (stack: TestStack, path: string, token: string, body: object): Promise<Answer> =>
  call(stack, "POST", path, { token, body, headers: { "idempotency-key": crypto.randomUUID() } });

export const topUp = (stack: TestStack, person: Person, body: object) =>
  ask(stack, "/topup", person.token, body);

export const withdraw = (stack: TestStack, person: Person, amount_cents: number) =>
  ask(stack, "/withdraw", person.token, { amount_cents });

/** As the clock calls: with the scheduler's secret. */
export async function runScheduled(stack: TestStack, path: string) {
  const answer = await call(stack, "POST", path, { token: keys.scheduler_secret });
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
  return answer.body;
}

/** Sweeps all that is not finished, as if its time had come. */
export async function sweepAll(stack: TestStack) {
  for (const table of ["wallet_topups", "wallet_withdrawals"]) {
    await stack.sql`update ${
      stack.sql("public." + table)
    } set check_at = now() - interval '1 minute'
      where check_at is not null`;
  }
  const swept = await runScheduled(stack, "/reconcile/sweep");
  expect(swept.failed).toEqual([]);
  return swept;
}

/** The real package, on the simulator. */
export function stripeClient({ services }: TestStack): Stripe {
  const { hostname: host, port } = new URL(services.stripeUrl);
  return new Stripe(keys.stripe_secret_key, { protocol: "http", host, port, telemetry: false });
}

/** All that Stripe keeps for the house. */
export async function balanceAtStripe(stack: TestStack): Promise<number> {
  const { available, pending } = await stripeClient(stack).balance.retrieve();
  return [...available, ...pending].filter(({ currency }) => currency === "eur")
    .reduce((sum, { amount }) => sum + amount, 0);
}
