// What we were told in Stripe's name and Stripe knows nothing of: whoever has our secret key can say so.
import type Stripe from "stripe";
import { find } from "../../shared/stripe.ts";
import type { Fact, Run } from "./run.ts";
import { deny, factOf, inGroups, unlessGone } from "./run.ts";

interface Told extends Omit<Fact, "status"> {
  object: "payment_intent" | "charge" | "refund" | "dispute" | "payout" | "transfer";
  /** The connected account it is in, if it is not in ours. */
  account: string | null;
  /** As it may stand; null: anyhow. */
  statuses: string[] | null;
}

const ASKED_AT_ONCE = 10;

/** Asks Stripe for all that our books of the last days rest on, but for what it has just listed. */
export async function reportDenied(run: Run): Promise<void> {
  const { system, days, listed, gone, attempt } = run;
  const claims = await system("told_by_stripe", { days, listed: listed as never });
  const questions = (claims as unknown as Told[]).filter(({ account }) => !gone.has(account ?? ""));
  const ask = async (told: Told) => {
    const fact = await find((stripe) => factAtStripe(stripe, told));
    if (!fact || !bearsOut(fact, told)) await deny(run, told.object, told.id, fact);
  };
  await inGroups(ASKED_AT_ONCE, questions, (told) =>
    attempt(() => {
      const { account } = told;
      return account ? unlessGone(run, account, () => ask(told)) : ask(told);
    }));
}

const bearsOut = (fact: Fact, { object, cents, currency, owner, statuses }: Told) =>
  (object === "charge" ? fact.cents >= cents : fact.cents === cents) &&
  fact.currency === currency && fact.owner === owner &&
  (statuses === null || statuses.includes(fact.status!));

async function factAtStripe(stripe: Stripe, told: Told): Promise<Fact> {
  const { object, id, account, currency, owner } = told;
  switch (object) {
    case "payment_intent":
      return factOf(await stripe.paymentIntents.retrieve(id));
    case "charge":
      return { id, cents: await refundedOf(stripe, id), currency, owner, status: null };
    case "refund":
      return factOf(await stripe.refunds.retrieve(id));
    case "dispute":
      return factOf(await stripe.disputes.retrieve(id));
    case "payout":
      return factOf(await stripe.payouts.retrieve(id, {}, { stripeAccount: account! }));
    case "transfer":
      return factOf(await stripe.transfers.retrieve(id));
  }
}

/** All refunds of a payment, whatever became of them: its charge has counted each of them once. */
async function refundedOf(stripe: Stripe, payment_intent: string): Promise<number> {
  let cents = 0;
  for await (const { amount } of stripe.refunds.list({ payment_intent, limit: 100 })) {
    cents += amount;
  }
  return cents;
}
