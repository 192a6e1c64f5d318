// What customers, banks and Stripe's staff do about money, all the way from our endpoint to Stripe's side of it.
import { expect } from "vitest";
import { signUpWithdrawer, stripeClient, topUp, withdraw } from "./payments.ts";
import type { TestStack } from "./stack.ts";
import { signUp } from "./stack.ts";
import { control } from "./stripe.ts";

/** A top-up by Checkout or by PaymentIntent, and what its customer and Stripe then do. */
export async function topUpThen(
  stack: TestStack,
  method: "checkout" | "payment_intent",
  acts: string[],
): Promise<string> {
  const stripe = stripeClient(stack);
  const person = await signUp(stack);
  const { status, body } = await topUp(stack, person, { amount_cents: 1_000, method });
  expect(status, JSON.stringify(body)).toBe(201);
  const [{ made }] = await stack.sql`
    select provider_txn_id as made from public.wallet_topups where id = ${body.topup.id}`;
  const intent = async () =>
    method === "payment_intent"
      ? made
      : (await stripe.checkout.sessions.retrieve(made)).payment_intent as string;
  let refund = "";
  let dispute = "";
  const acting: Record<string, () => Promise<unknown>> = {
    pay: () =>
      method === "checkout"
        ? control(stack, `POST /sessions/${made}/pay`, {})
        : control(stack, `POST /payment_intents/${made}/succeed`),
    "pay later": () => control(stack, `POST /sessions/${made}/pay`, { later: true }),
    settle: async () => control(stack, `POST /payment_intents/${await intent()}/succeed`),
    fail: async () => control(stack, `POST /payment_intents/${await intent()}/fail`, {}),
    expire: () => control(stack, `POST /sessions/${made}/expire`),
    cancel: () => stripe.paymentIntents.cancel(made),
    refund: async () => ({ id: refund } = await stripe.refunds.create({
      payment_intent: await intent(),
    })),
    "refund a part": async () =>
      await stripe.refunds.create({ payment_intent: await intent(), amount: 300 }),
    "fail the refund": () => control(stack, `POST /refunds/${refund}/fail`),
    dispute: async () => {
      ({ id: dispute } = await control(stack, `POST /charges/${await intent()}/dispute`, {}));
    },
    inquire: async () =>
      await control(stack, `POST /charges/${await intent()}/dispute`, { inquiry: true }),
    win: () => control(stack, `POST /disputes/${dispute}/win`),
    lose: () => control(stack, `POST /disputes/${dispute}/lose`),
  };
  for (const act of acts) await acting[act]();
  return body.topup.id;
}

/** A withdrawal, and what the bank then does. */
export async function withdrawThen(stack: TestStack, acts: string[]): Promise<string> {
  const person = await signUpWithdrawer(stack, 2_000);
  const { body } = await withdraw(stack, person, 1_500);
  const { data: [payout] } = await stripeClient(stack).payouts.list({}, {
    stripeAccount: person.account,
  });
  for (const act of acts) await control(stack, `POST /payouts/${payout.id}/${act}`);
  return body.withdrawal.id;
}
