// One run of reconcile: what it has learnt from Stripe, and what it could not do.
import type Stripe from "stripe";
import type { Rpc } from "../../shared/database.ts";
import { ApiError } from "../../shared/errors.ts";
import { readFailure } from "../../shared/stripe.ts";

export interface Run {
  system: Rpc;
  days: number;
  /** Seconds since 1970. */
  since: number;
  /** What Stripe has listed. */
  listed: Fact[];
  /** The ids of what Stripe denies. */
  denied: string[];
  /** Connected accounts that nobody can be asked about any more. */
  gone: Set<string>;
  /** What fails must not hide the rest: it comes out at the end. */
  attempt: (work: () => Promise<void>) => Promise<void>;
}

/** What an object of Stripe's says of money: whose it is, how much, and how it stands. */
export interface Fact {
  id: string;
  cents: number;
  currency: string;
  owner: string | null;
  status: string | null;
}

type Money =
  | Stripe.PaymentIntent
  | Stripe.Refund
  | Stripe.Dispute
  | Stripe.Payout
  | Stripe.Transfer;

export function factOf(object: Money): Fact {
  const { id, amount, metadata } = object;
  const fact = { id, cents: amount, currency: object.currency.toUpperCase() };
  switch (object.object) {
    case "payment_intent": {
      const owner = metadata?.topup_id ?? metadata?.purchase_id ?? null;
      return { ...fact, cents: object.amount_received, owner, status: object.status };
    }
    case "refund":
    case "dispute":
      return { ...fact, owner: object.payment_intent as string | null, status: object.status };
    case "payout":
      return { ...fact, owner: metadata?.withdrawal_id ?? null, status: object.status };
    case "transfer":
      return {
        ...fact,
        owner: metadata?.withdrawal_id ?? null,
        status: object.reversed ? "reversed" : "sent",
      };
  }
}

/** Tells the operators that Stripe has no such thing, or not as we have it. */
export async function deny(run: Run, object: string, id: string, fact: Fact | null) {
  await run.system("report_denial", { object, id, fact: fact as never });
  run.denied.push(id);
}

/** Asks a connected account; one that was closed or let go of ends nothing, and the operators are told. */
export async function unlessGone(run: Run, account: string, work: () => Promise<void>) {
  try {
    await work();
  } catch (error) {
    if (!isGone(error)) throw error;
    if (run.gone.has(account)) return;
    run.gone.add(account);
    await deny(run, "account", account, null);
  }
}

const isGone = (error: unknown) =>
  error instanceof ApiError && error.code === "payment_provider_unavailable" &&
  readFailure(error.cause).code === "account_invalid";

/** Does the work for so many at a time. */
export async function inGroups<T>(size: number, items: T[], work: (item: T) => Promise<void>) {
  for (let at = 0; at < items.length; at += size) {
    await Promise.all(items.slice(at, at + size).map(work));
  }
}
