/** Stripe's test cards, under the names that its documentation gives their payment methods. */
export interface TestCard {
  brand: string;
  last4: string;
  funding: "credit" | "debit" | "prepaid";
  /** A decline code: the charge fails with it. */
  decline?: string;
  /** The customer has to authenticate before the charge is tried. */
  authenticate?: boolean;
  /** The charge succeeds and is disputed at once, for this reason. */
  dispute?: string;
  /** Refunds stay pending, or succeed and fail later. */
  refund?: "pending" | "fail";
  /** The money is available at once, whatever the settlement delay. */
  bypassPending?: boolean;
}

function card(last4: string, extra: Partial<TestCard> = {}): TestCard {
  return { brand: "visa", funding: "credit", last4, ...extra };
}

const CARDS: Record<string, TestCard> = {
  visa: card("4242"),
  visa_debit: card("5556", { funding: "debit" }),
  mastercard: card("4444", { brand: "mastercard" }),
  mastercard_debit: card("8210", { brand: "mastercard", funding: "debit" }),
  mastercard_prepaid: card("5100", { brand: "mastercard", funding: "prepaid" }),
  amex: card("8431", { brand: "amex" }),
  discover: card("9424", { brand: "discover" }),
  diners: card("3237", { brand: "diners" }),
  jcb: card("0505", { brand: "jcb" }),
  unionpay: card("0005", { brand: "unionpay" }),
  bypassPending: card("0077", { bypassPending: true }),

  chargeDeclined: card("0002", { decline: "generic_decline" }),
  chargeDeclinedInsufficientFunds: card("9995", { decline: "insufficient_funds" }),
  chargeDeclinedLostCard: card("9987", { decline: "lost_card" }),
  chargeDeclinedStolenCard: card("9979", { decline: "stolen_card" }),
  chargeDeclinedExpiredCard: card("0069", { decline: "expired_card" }),
  chargeDeclinedIncorrectCvc: card("0127", { decline: "incorrect_cvc" }),
  chargeDeclinedProcessingError: card("0119", { decline: "processing_error" }),
  chargeDeclinedVelocityLimitExceeded: card("6975", { decline: "card_velocity_exceeded" }),
  chargeDeclinedFraudulent: card("0019", { decline: "fraudulent" }),
  chargeCustomerFail: card("0341", { decline: "generic_decline" }),
  radarBlock: card("0101", { decline: "fraudulent" }),

  authenticationRequired: card("3184", { authenticate: true }),
  authenticationRequiredOnSetup: card("3155", { authenticate: true }),
  authenticationRequiredChargeDeclinedInsufficientFunds: card("8260", {
    authenticate: true,
    decline: "insufficient_funds",
  }),
  threeDSecure2Required: card("3220", { authenticate: true }),
  threeDSecureRequired: card("3063", { authenticate: true }),

  createDispute: card("0259", { dispute: "fraudulent" }),
  createDisputeProductNotReceived: card("2685", { dispute: "product_not_received" }),
  pendingRefund: card("7726", { refund: "pending" }),
  refundFail: card("5126", { refund: "fail" }),
};

const DECLINES: Record<string, { code: string; message: string }> = {
  authentication_required: {
    code: "authentication_required",
    message: "Your card was declined. This transaction requires authentication.",
  },
  card_velocity_exceeded: {
    code: "card_declined",
    message: "Your card was declined for exceeding its balance or credit limit.",
  },
  expired_card: { code: "expired_card", message: "Your card has expired." },
  incorrect_cvc: { code: "incorrect_cvc", message: "Your card's security code is incorrect." },
  insufficient_funds: { code: "card_declined", message: "Your card has insufficient funds." },
  processing_error: {
    code: "processing_error",
    message: "An error occurred while processing your card. Try again in a little bit.",
  },
};

/** `pm_card_visa_chargeDeclined` and `pm_card_chargeDeclined` are the same card. */
export function testCard(paymentMethod: string): TestCard | undefined {
  const name = paymentMethod.replace(/^pm_card_/, "");
  if (name === paymentMethod) return undefined;
  return lookUp(name) ?? lookUp(name.replace(/^visa_/, ""));
}

function lookUp(name: string): TestCard | undefined {
  return Object.hasOwn(CARDS, name) ? CARDS[name] : undefined;
}

export function testCardNames(): string[] {
  return Object.keys(CARDS).map((name) => `pm_card_${name}`);
}

export function declineOf(declineCode: string): { code: string; message: string } {
  const known = Object.hasOwn(DECLINES, declineCode) ? DECLINES[declineCode] : undefined;
  return known ?? { code: "card_declined", message: "Your card was declined." };
}
