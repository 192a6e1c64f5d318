// Stripe's objects and events as its API sends them, with the fields that we read, for tests that want
// histories of their own.

export type StripeObject = { id: string; object: string } & Record<string, unknown>;
type Fields = Record<string, unknown>;

export interface StripeEvent {
  id: string;
  object: "event";
  type: string;
  created: number;
  livemode: boolean;
  account?: string;
  data: { object: StripeObject };
}

/** What an object of Stripe's is about: a top-up, a withdrawal, or a charge of some payment. */
export interface Money {
  id: string;
  amount_cents: number;
  currency?: string;
}

export const stripeId = (prefix: string) =>
  `${prefix}_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;

const seconds = () => Math.floor(Date.now() / 1000);
const common = ({ amount_cents, currency = "EUR" }: Money) => ({
  amount: amount_cents,
  currency: currency.toLowerCase(),
  created: seconds(),
  livemode: false,
});

/** The object is copied: an event shows it as it was. */
export const event = (
  type: string,
  object: StripeObject,
  options: Partial<StripeEvent> = {},
): StripeEvent => ({
  id: stripeId("evt"),
  object: "event",
  type,
  created: seconds(),
  livemode: false,
  data: { object: structuredClone(object) },
  ...options,
});

/** The Checkout session of a top-up: open, unless told otherwise. */
export function session(topup: Money, fields: Fields = {}): StripeObject {
  const { amount, ...rest } = common(topup);
  return {
    id: stripeId("cs_test"),
    object: "checkout.session",
    amount_total: amount,
    amount_subtotal: amount,
    ...rest,
    client_reference_id: topup.id,
    metadata: { topup_id: topup.id },
    mode: "payment",
    payment_intent: null,
    payment_status: "unpaid",
    status: "open",
    url: "https://checkout.stripe.com/c/pay/test",
    ...fields,
  };
}

/** The PaymentIntent of a top-up. */
export const intent = (topup: Money, fields: Fields = {}): StripeObject => ({
  id: stripeId("pi"),
  object: "payment_intent",
  ...common(topup),
  amount_received: fields.status === "succeeded" ? topup.amount_cents : 0,
  cancellation_reason: null,
  last_payment_error: null,
  metadata: { topup_id: topup.id },
  status: "requires_payment_method",
  ...fields,
});

export const declined = (code = "insufficient_funds") => ({
  status: "requires_payment_method",
  last_payment_error: { type: "card_error", code: "card_declined", decline_code: code },
});

/** The charge of a payment; `amount_refunded` says how much of it was sent back. */
export const charge = (topup: Money, intentId: string, fields: Fields = {}): StripeObject => ({
  id: stripeId("ch"),
  object: "charge",
  ...common(topup),
  amount_captured: topup.amount_cents,
  amount_refunded: 0,
  captured: true,
  metadata: { topup_id: topup.id },
  paid: true,
  payment_intent: intentId,
  status: "succeeded",
  ...fields,
});

/** Of a charge; refunds say nothing of their mode. */
export function refund(of: StripeObject, amount: number, fields: Fields = {}): StripeObject {
  const { currency, payment_intent } = of;
  return {
    id: stripeId("re"),
    object: "refund",
    amount,
    charge: of.id,
    created: seconds(),
    currency,
    metadata: {},
    payment_intent,
    reason: null,
    status: "succeeded",
    ...fields,
  };
}

export function dispute(of: StripeObject, amount: number, fields: Fields = {}): StripeObject {
  const { currency, livemode, payment_intent } = of;
  return {
    id: stripeId("du"),
    object: "dispute",
    amount,
    charge: of.id,
    created: seconds(),
    currency,
    livemode,
    metadata: {},
    payment_intent,
    reason: "fraudulent",
    status: "needs_response",
    ...fields,
  };
}

export const transfer = (
  withdrawal: Money,
  destination: string,
  fields: Fields = {},
): StripeObject => ({
  id: stripeId("tr"),
  object: "transfer",
  ...common(withdrawal),
  amount_reversed: fields.reversed ? withdrawal.amount_cents : 0,
  destination,
  metadata: { withdrawal_id: withdrawal.id },
  reversed: false,
  transfer_group: withdrawal.id,
  ...fields,
});

/** From a connected account: its events carry that account. */
export const payout = (withdrawal: Money, fields: Fields = {}): StripeObject => ({
  id: stripeId("po"),
  object: "payout",
  ...common(withdrawal),
  destination: "ba_test",
  failure_code: fields.status === "failed" ? "account_closed" : null,
  metadata: { withdrawal_id: withdrawal.id },
  status: "pending",
  ...fields,
});
