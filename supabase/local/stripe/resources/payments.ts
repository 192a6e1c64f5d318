import type Stripe from "stripe";
import { buildCharge, captureCharge } from "./charges.ts";
import { openDispute } from "./disputes.ts";
import { declined, refused, type StripeFailure } from "../errors.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { keepMethod, refuseForeignMethod, useMethod } from "./payment-methods.ts";
import type { Caller } from "../simulator.ts";
import { change } from "../state.ts";
import { declineOf } from "./test-cards.ts";

type Intent = Stripe.PaymentIntent;

export interface IntentPlan {
  amount: number;
  currency: string;
  customer?: string | null;
  description?: string | null;
  metadata?: Stripe.Metadata;
  captureMethod?: Intent["capture_method"];
  confirmationMethod?: Intent["confirmation_method"];
  automatic?: Intent["automatic_payment_methods"];
  allowedTypes?: Intent["allowed_payment_method_types"];
  receiptEmail?: string | null;
  transferGroup?: string | null;
  setupFutureUsage?: Intent["setup_future_usage"];
  statementDescriptorSuffix?: string | null;
}

export function createIntent(caller: Caller, plan: IntentPlan): Intent {
  const { sim } = caller;
  const id = newId("pi");
  const intent: Intent = {
    id,
    object: "payment_intent",
    allowed_payment_method_types: plan.allowedTypes ?? null,
    amount: plan.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: plan.automatic ?? null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: plan.captureMethod ?? "automatic_async",
    client_secret: `${id}_${newId("secret", 25)}`,
    confirmation_method: plan.confirmationMethod ?? "automatic",
    created: sim.seconds(),
    currency: plan.currency,
    customer: plan.customer ?? null,
    customer_account: null,
    description: plan.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: plan.metadata ?? {},
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {
      card: {
        installments: null,
        mandate_options: null,
        network: null,
        request_three_d_secure: "automatic",
      },
    },
    payment_method_types: ["card"],
    payment_record: null,
    processing: null,
    receipt_email: plan.receiptEmail ?? null,
    review: null,
    setup_future_usage: plan.setupFutureUsage ?? null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: plan.statementDescriptorSuffix ?? null,
    status: "requires_payment_method",
    transfer_data: null,
    transfer_group: plan.transferGroup ?? null,
  };
  sim.state.paymentIntents.add(caller.account, intent);
  emit(caller, "payment_intent.created", intent);
  return intent;
}

export function unexpectedState(intent: Intent, verb: string): StripeFailure {
  const message = `You cannot ${verb} this PaymentIntent because it has a status of ` +
    `${intent.status}.`;
  const payment_intent = structuredClone(intent);
  return refused(message, { code: "payment_intent_unexpected_state", payment_intent });
}

/** Remembers which card; the intent then only waits to be confirmed. */
export function attachMethod(caller: Caller, intent: Intent, id: string): void {
  const method = useMethod(caller, id);
  refuseForeignMethod(method, intent.customer as string | null);
  intent.payment_method = method.id;
  if (intent.status === "requires_payment_method") intent.status = "requires_confirmation";
}

export interface ConfirmOptions {
  offSession?: boolean;
  errorOnRequiresAction?: boolean;
  returnUrl?: string;
  /** The customer has already shown who they are: on a page, or by /_control. */
  authenticated?: boolean;
}

/** Tries to take the money. A refusal is thrown, after it has been written down. */
export function confirmIntent(caller: Caller, intent: Intent, options: ConfirmOptions = {}): void {
  const { sim } = caller;
  if (intent.status !== "requires_confirmation" && !options.authenticated) {
    throw unexpectedState(intent, "confirm");
  }
  const card = sim.state.cards.get(intent.payment_method as string);
  const fault = sim.faults.take("decline", null);
  if (fault) throw decline(caller, intent, fault.code ?? "generic_decline");
  const proven = options.authenticated || sim.state.authenticated.has(intent.id);
  if (card?.authenticate && !proven) {
    if (options.offSession || options.errorOnRequiresAction) {
      throw decline(caller, intent, "authentication_required");
    }
    requireAction(caller, intent, options.returnUrl);
    return;
  }
  if (card?.decline) throw decline(caller, intent, card.decline);
  succeed(caller, intent);
}

function requireAction(caller: Caller, intent: Intent, returnUrl: string | undefined): void {
  intent.status = "requires_action";
  intent.next_action = returnUrl
    ? {
      type: "redirect_to_url",
      redirect_to_url: {
        return_url: returnUrl,
        url: `${caller.origin}/authenticate/${intent.id}`,
      },
    }
    : {
      type: "use_stripe_sdk",
      use_stripe_sdk: {} as Stripe.PaymentIntent.NextAction.UseStripeSdk,
    };
  emit(caller, "payment_intent.requires_action", intent);
}

export function decline(caller: Caller, intent: Intent, declineCode: string): StripeFailure {
  const { sim } = caller;
  const method = useMethod(caller, intent.payment_method as string ?? "pm_card_visa");
  const { code, message } = declineOf(declineCode);
  const charge = buildCharge(caller, intent, method);
  charge.status = "failed";
  charge.paid = false;
  charge.failure_code = code;
  charge.failure_message = message;
  charge.outcome = {
    ...charge.outcome!,
    network_status: "declined_by_network",
    reason: declineCode,
    seller_message: "The bank did not return any further details with this decline.",
    type: "issuer_declined",
  };
  sim.state.charges.add(caller.account, charge);
  emit(caller, "charge.failed", charge);

  const error = { code, decline_code: declineCode, message, charge: charge.id };
  change(intent, {
    latest_charge: charge.id,
    next_action: null,
    payment_method: null,
    processing: null,
    status: "requires_payment_method",
    last_payment_error: {
      ...error,
      type: "card_error",
      payment_method: structuredClone(method),
    } as Stripe.PaymentIntent.LastPaymentError,
  });
  emit(caller, "payment_intent.payment_failed", intent);
  const payment_method = structuredClone(method);
  return declined({ ...error, payment_method, payment_intent: structuredClone(intent) });
}

/** The bank said yes: the money is taken, or held until it is captured. */
export function succeed(caller: Caller, intent: Intent): Stripe.Charge {
  const { sim } = caller;
  const method = useMethod(caller, intent.payment_method as string ?? "pm_card_visa");
  const charge = buildCharge(caller, intent, method);
  sim.state.charges.add(caller.account, charge);
  const manual = intent.capture_method === "manual";
  if (!manual) captureCharge(caller, charge, intent.amount);
  if (intent.setup_future_usage && intent.customer) {
    keepMethod(caller, method.id, intent.customer as string);
  }
  change(intent, {
    payment_method: method.id,
    latest_charge: charge.id,
    last_payment_error: null,
    next_action: null,
    processing: null,
    status: manual ? "requires_capture" : "succeeded",
    amount_capturable: manual ? intent.amount : 0,
    amount_received: manual ? 0 : intent.amount,
  });
  emit(caller, "charge.succeeded", charge);
  emit(
    caller,
    manual ? "payment_intent.amount_capturable_updated" : "payment_intent.succeeded",
    intent,
  );
  const dispute = sim.state.cards.get(method.id)?.dispute;
  if (dispute && !manual) openDispute(caller, charge, { reason: dispute });
  return charge;
}

/** The customer came back from their bank. */
export function finishAction(caller: Caller, intent: Intent, authenticated: boolean): void {
  if (intent.status !== "requires_action") throw unexpectedState(intent, "authenticate");
  if (!authenticated) {
    throw decline(caller, intent, "authentication_required");
  }
  caller.sim.state.authenticated.add(intent.id);
  if (intent.confirmation_method === "manual") {
    // The server has to ask once more; then the card will not.
    change(intent, { next_action: null, status: "requires_confirmation" });
    return;
  }
  confirmIntent(caller, intent, { authenticated: true });
}
