import type Stripe from "stripe";
import { captureCharge } from "./charges.ts";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { badParameter, refused } from "../errors.ts";
import { emit } from "./events.ts";
import type { Form } from "../forms.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import {
  checkChargeable,
  readBoolean,
  readChoice,
  readInteger,
  readMetadata,
  readString,
  requireCurrency,
  requireInteger,
} from "../params.ts";
import {
  allowedTypes,
  automaticMethods,
  refuseMethodTypes,
  refuseWithoutReturnUrl,
} from "./payment-method-choice.ts";
import { useMethod } from "./payment-methods.ts";
import { attachMethod, confirmIntent, createIntent, unexpectedState } from "./payments.ts";
import type { Caller } from "../simulator.ts";
import { change } from "../state.ts";

type Intent = Stripe.PaymentIntent;

/** Bound to the package: what it no longer sends is not accepted here either. */
const CREATE = [
  "allowed_payment_method_types",
  "amount",
  "automatic_payment_methods",
  "capture_method",
  "confirm",
  "confirmation_method",
  "currency",
  "customer",
  "description",
  "error_on_requires_action",
  "metadata",
  "off_session",
  "payment_method",
  "receipt_email",
  "return_url",
  "setup_future_usage",
  "statement_descriptor_suffix",
  "transfer_group",
] as const satisfies readonly (keyof Stripe.PaymentIntentCreateParams)[];
const CONFIRM = [
  "error_on_requires_action",
  "off_session",
  "payment_method",
  "receipt_email",
  "return_url",
] as const satisfies readonly (keyof Stripe.PaymentIntentConfirmParams)[];
const UPDATE = [
  "amount",
  "currency",
  "customer",
  "description",
  "metadata",
  "payment_method",
] as const satisfies readonly (keyof Stripe.PaymentIntentUpdateParams)[];
const REASONS = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"] as const;

function customerOf({ sim, account, params }: Call): string | null {
  const customer = readString(params, "customer");
  return customer ? sim.state.customers.get(account, customer, "customer").id : null;
}

function create(call: Call): Intent {
  const { params } = call;
  refuseMethodTypes(params);
  const amount = requireInteger(params, "amount", "", 1);
  const currency = requireCurrency(params);
  const confirm = readBoolean(params, "confirm") ?? false;
  const method = readString(params, "payment_method");
  if (!confirm && (params.off_session !== undefined || params.error_on_requires_action)) {
    const param = params.off_session !== undefined ? "off_session" : "error_on_requires_action";
    throw badParameter(`You can only set ${param} when confirm is true.`, param);
  }
  const plan = {
    amount,
    currency,
    allowedTypes: allowedTypes(params),
    automatic: automaticMethods(params),
    captureMethod: readChoice(params, "capture_method", ["automatic", "automatic_async", "manual"]),
    confirmationMethod: readChoice(params, "confirmation_method", ["automatic", "manual"]),
    description: readString(params, "description"),
    metadata: readMetadata(params),
    receiptEmail: readString(params, "receipt_email"),
    setupFutureUsage: readChoice(params, "setup_future_usage", ["off_session", "on_session"]),
    statementDescriptorSuffix: readString(params, "statement_descriptor_suffix"),
    transferGroup: readString(params, "transfer_group"),
  };
  const options = confirmOptions(params);
  checkChargeable(amount, currency);
  const customer = customerOf(call);
  if (confirm) refuseWithoutReturnUrl(plan.automatic, options.returnUrl);
  const methodId = method && useMethod(call, method).id;
  const intent = createIntent(call, { ...plan, customer });
  if (methodId) attachMethod(call, intent, methodId);
  if (confirm) confirmIntent(call, intent, options);
  return intent;
}

function confirmOptions(params: Form) {
  return {
    errorOnRequiresAction: readBoolean(params, "error_on_requires_action"),
    offSession: readBoolean(params, "off_session"),
    returnUrl: readString(params, "return_url"),
  };
}

function confirm(call: Call, { id }: Record<string, string>): Intent {
  const { sim, params, account } = call;
  const intent = sim.state.paymentIntents.get(account, id);
  refuseMethodTypes(params);
  const options = confirmOptions(params);
  const method = readString(params, "payment_method");
  if (!["requires_payment_method", "requires_confirmation"].includes(intent.status)) {
    throw unexpectedState(intent, "confirm");
  }
  refuseWithoutReturnUrl(intent.automatic_payment_methods, options.returnUrl);
  if (method) attachMethod(call, intent, method);
  if (!intent.payment_method) {
    const message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
    const payment_intent = structuredClone(intent);
    throw refused(message, { code: "payment_intent_unexpected_state", payment_intent });
  }
  confirmIntent(call, intent, options);
  return intent;
}

function capture(call: Call, { id }: Record<string, string>): Intent {
  const { sim, params, account } = call;
  const intent = sim.state.paymentIntents.get(account, id);
  const amount = readInteger(params, "amount_to_capture", "", 1) ?? intent.amount_capturable;
  if (intent.status !== "requires_capture") throw unexpectedState(intent, "capture");
  if (amount > intent.amount_capturable) {
    const message = `The capturable amount for this PaymentIntent is ${intent.amount_capturable}`;
    throw refused(message, { code: "amount_too_large", param: "amount_to_capture" });
  }
  const charge = sim.state.charges.get(account, intent.latest_charge as string);
  captureCharge(call, charge, amount);
  change(intent, { amount_capturable: 0, amount_received: amount, status: "succeeded" });
  emit(call, "charge.captured", charge);
  emit(call, "payment_intent.succeeded", intent);
  return intent;
}

export function cancelIntent(
  caller: Caller,
  intent: Intent,
  reason: Intent["cancellation_reason"],
): Intent {
  const { sim, account } = caller;
  if (["succeeded", "canceled", "processing"].includes(intent.status)) {
    throw unexpectedState(intent, "cancel");
  }
  if (intent.status === "requires_capture") {
    const charge = sim.state.charges.get(account, intent.latest_charge as string);
    const previous = change(charge, { amount_refunded: charge.amount, refunded: true });
    emit(caller, "charge.refunded", charge, previous);
  }
  change(intent, {
    amount_capturable: 0,
    canceled_at: sim.seconds(),
    cancellation_reason: reason,
    next_action: null,
    status: "canceled",
  });
  emit(caller, "payment_intent.canceled", intent);
  return intent;
}

function cancel(call: Call, { id }: Record<string, string>): Intent {
  const { sim, params, account } = call;
  const intent = sim.state.paymentIntents.get(account, id);
  const reason = readChoice(params, "cancellation_reason", REASONS);
  if (sim.state.sessions.all(account).some((session) => session.payment_intent === id)) {
    throw refused(
      "You cannot cancel a PaymentIntent that was created by a Checkout Session: expire the " +
        "session instead.",
    );
  }
  return cancelIntent(call, intent, reason ?? null);
}

function update(call: Call, { id }: Record<string, string>): Intent {
  const { sim, params, account } = call;
  const intent = sim.state.paymentIntents.get(account, id);
  const amount = readInteger(params, "amount", "", 1) ?? intent.amount;
  const currency = params.currency === undefined ? intent.currency : requireCurrency(params);
  const metadata = readMetadata(params, intent.metadata);
  const method = readString(params, "payment_method");
  const priced = amount !== intent.amount || currency !== intent.currency;
  const open = ["requires_payment_method", "requires_confirmation", "requires_action"];
  if (priced && !open.includes(intent.status)) throw unexpectedState(intent, "update");
  checkChargeable(amount, currency);
  const customer = params.customer === undefined ? intent.customer : customerOf(call);
  const description = readString(params, "description") ?? intent.description;
  change(intent, { amount, currency, metadata, customer, description });
  if (method) attachMethod(call, intent, method);
  return intent;
}

export const paymentIntents: EndpointDefinition[] = [
  {
    method: "POST",
    path: "/v1/payment_intents",
    accepts: [...CREATE, "payment_method_types"],
    run: create,
  },
  {
    method: "GET",
    path: "/v1/payment_intents",
    accepts: [...LIST_PARAMETERS, "customer"],
    run(call) {
      const customer = readString(call.params, "customer");
      const rows = call.sim.state.paymentIntents.all(call.account)
        .filter((intent) => !customer || intent.customer === customer);
      return listOf(call, "payment_intent", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/payment_intents/:id",
    accepts: ["client_secret"],
    run: ({ sim, account }, { id }) => sim.state.paymentIntents.get(account, id),
  },
  { method: "POST", path: "/v1/payment_intents/:id", accepts: UPDATE, run: update },
  {
    method: "POST",
    path: "/v1/payment_intents/:id/confirm",
    accepts: [...CONFIRM, "payment_method_types"],
    run: confirm,
  },
  {
    method: "POST",
    path: "/v1/payment_intents/:id/capture",
    accepts: ["amount_to_capture"],
    run: capture,
  },
  {
    method: "POST",
    path: "/v1/payment_intents/:id/cancel",
    accepts: ["cancellation_reason"],
    run: cancel,
  },
];
