import type Stripe from "stripe";
import { noSuch } from "./errors.ts";
import type { TestCard } from "./resources/test-cards.ts";

/** Objects of one kind. Each belongs to one account and is invisible to the others. */
export class Collection<T extends { id: string }> {
  #rows = new Map<string, { account: string; value: T }>();

  constructor(readonly kind: string) {}

  add(account: string, value: T): T {
    this.#rows.set(value.id, { account, value });
    return value;
  }

  remove(id: string): void {
    this.#rows.delete(id);
  }

  find(account: string, id: string): T | undefined {
    const row = this.#rows.get(id);
    return row?.account === account ? row.value : undefined;
  }

  /** For the control API, which stands above accounts. */
  owner(id: string): string | undefined {
    return this.#rows.get(id)?.account;
  }

  /** `param` is given when the id came in a parameter; then its absence is a 400. */
  get(account: string, id: string, param?: string): T {
    const found = this.find(account, id);
    if (found) return found;
    throw noSuch(this.kind, id, param ?? "id", param === undefined ? 404 : 400);
  }

  /** Newest first, the order of Stripe's lists. */
  all(account?: string): T[] {
    const rows = [...this.#rows.values()].reverse();
    return rows.filter((row) => account === undefined || row.account === account)
      .map((row) => row.value);
  }
}

/** What a checkout session keeps for the payment intent that it makes when somebody pays. */
export interface SessionPlan {
  description: string | null;
  metadata: Stripe.Metadata;
  captureMethod: "automatic_async" | "automatic" | "manual";
  receiptEmail: string | null;
  transferGroup: string | null;
  setupFutureUsage?: "off_session" | "on_session";
}

export interface Endpoint {
  value: Stripe.WebhookEndpoint;
  secret: string;
  /** Whose events: `own` the platform's, `connect` the connected accounts', `all` both. */
  scope: "own" | "connect" | "all";
}

export class State {
  accounts = new Collection<Stripe.Account>("account");
  balanceTransactions = new Collection<Stripe.BalanceTransaction>("balance transaction");
  charges = new Collection<Stripe.Charge>("charge");
  customers = new Collection<Stripe.Customer>("customer");
  disputes = new Collection<Stripe.Dispute>("dispute");
  events = new Collection<Stripe.Event>("event");
  paymentIntents = new Collection<Stripe.PaymentIntent>("payment_intent");
  paymentMethods = new Collection<Stripe.PaymentMethod>("PaymentMethod");
  payouts = new Collection<Stripe.Payout>("payout");
  refunds = new Collection<Stripe.Refund>("refund");
  sessions = new Collection<Stripe.Checkout.Session>("checkout.session");
  transfers = new Collection<Stripe.Transfer>("transfer");
  transferReversals = new Collection<Stripe.TransferReversal>("transfer reversal");

  /** By payment method: how the card behaves. */
  cards = new Map<string, TestCard>();
  /** Payment intents whose customer has shown who they are. */
  authenticated = new Set<string>();
  /** By checkout session. */
  lineItems = new Map<string, Stripe.LineItem[]>();
  plans = new Map<string, SessionPlan>();
  /** No open session expires before; spares every request a look at all of them. */
  nextExpiry = Infinity;
  /** By account: the failure that its bank account has in store for payouts. */
  bankFailures = new Map<string, string>();
  /** By account link token. */
  onboarding = new Map<string, { account: string; returnUrl: string | null; expires: number }>();
  endpoints = new Map<string, Endpoint>();
}

/** Sets what the patch says and returns what it replaced: an event's `previous_attributes`. */
export function change<T extends object>(object: T, patch: Partial<T>): Partial<T> {
  const previous: Partial<T> = {};
  for (const key of Object.keys(patch) as (keyof T)[]) {
    if (object[key] === patch[key]) continue;
    previous[key] = structuredClone(object[key]);
    object[key] = patch[key] as T[keyof T];
  }
  return previous;
}
