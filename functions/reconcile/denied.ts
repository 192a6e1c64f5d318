// What we were told in Stripe's name and Stripe knows nothing of: whoever has our secret key can say so.
import type Stripe from "stripe";
import { find } from "../../shared/stripe.ts";
import type { Fact, Money, Run } from "./run.ts";
import { deny, factOf, inGroups } from "./run.ts";

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
    const theirs = await find((stripe) => read(stripe, told));
    const fact = theirs && factOf(theirs);
    if (!fact || !bearsOut(fact, told)) await deny(run, told.object, told.id, fact);
  };
  await inGroups(ASKED_AT_ONCE, questions, (told) => attempt(() => ask(told)));
}

const bearsOut = (fact: Fact, { object, cents, currency, owner, statuses }: Told) =>
  (object === "charge" ? fact.cents >= cents : fact.cents === cents) &&
  fact.currency === currency && fact.owner === owner &&
  (statuses === null || statuses.includes(fact.status!));

async function read(stripe: Stripe, { object, id, account }: Told): Promise<Money | null> {
  switch (object) {
    case "payment_intent":
      return stripe.paymentIntents.retrieve(id);
    case "charge": {
      const intent = await stripe.paymentIntents.retrieve(id, { expand: ["latest_charge"] });
      return intent.latest_charge as Stripe.Charge | null;
    }
    case "refund":
      return stripe.refunds.retrieve(id);
    case "dispute":
      return stripe.disputes.retrieve(id);
    case "payout":
      return stripe.payouts.retrieve(id, {}, { stripeAccount: account! });
    case "transfer":
      return stripe.transfers.retrieve(id);
  }
}
