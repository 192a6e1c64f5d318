import type Stripe from "stripe";
import { readLines } from "./checkout-lines.ts";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { badParameter, refused } from "../errors.ts";
import { emit } from "./events.ts";
import type { Form } from "../forms.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import {
  checkChargeable,
  missing,
  readChoice,
  readForm,
  readInteger,
  readMetadata,
  readString,
  readStrings,
  refuseUnknown,
} from "../params.ts";
import { cancelIntent } from "./payment-intents.ts";
import type { Caller, Simulator } from "../simulator.ts";
import { change, type SessionPlan } from "../state.ts";

type Session = Stripe.Checkout.Session;

const CREATE = [
  "allowed_payment_method_types",
  "cancel_url",
  "client_reference_id",
  "customer",
  "customer_creation",
  "customer_email",
  "expires_at",
  "line_items",
  "locale",
  "metadata",
  "mode",
  "payment_intent_data",
  "submit_type",
  "success_url",
  "ui_mode",
] as const satisfies readonly (keyof Stripe.Checkout.SessionCreateParams)[];

function readPlan(params: Form): SessionPlan {
  const at = "payment_intent_data";
  const data = readForm(params, at) ?? {};
  refuseUnknown(
    data,
    [
      "capture_method",
      "description",
      "metadata",
      "receipt_email",
      "setup_future_usage",
      "transfer_group",
    ],
    at,
  );
  const captures = ["automatic", "automatic_async", "manual"] as const;
  return {
    captureMethod: readChoice(data, "capture_method", captures, at) ?? "automatic_async",
    description: readString(data, "description", at) ?? null,
    metadata: readMetadata(data, {}, at),
    receiptEmail: readString(data, "receipt_email", at) ?? null,
    transferGroup: readString(data, "transfer_group", at) ?? null,
    setupFutureUsage: readChoice(data, "setup_future_usage", ["off_session", "on_session"], at),
  };
}

function readUrl(params: Form, key: string): string | null {
  const url = readString(params, key);
  if (url === undefined) return null;
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw badParameter("Invalid URL: An explicit scheme (such as https) must be provided.", key);
}

function readExpiry(sim: Simulator, params: Form): number {
  const now = sim.seconds();
  const expires = readInteger(params, "expires_at") ?? now + 86_400;
  if (expires < now + 1800 || expires > now + 86_400) {
    const message = "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours " +
      "from Checkout Session creation.";
    throw badParameter(message, "expires_at");
  }
  return expires;
}

function create(call: Call): Session {
  const { sim, account, params } = call;
  const mode = readChoice(params, "mode", ["payment", "setup", "subscription"]);
  if (!mode) throw missing("mode");
  if (mode !== "payment") throw badParameter("Only mode=payment is simulated.", "mode");
  const ui = readChoice(params, "ui_mode", ["hosted_page"]);
  const lines = readLines(sim, params);
  const plan = readPlan(params);
  const success_url = readUrl(params, "success_url");
  if (!success_url) throw missing("success_url");
  const cancel_url = readUrl(params, "cancel_url");
  const expires_at = readExpiry(sim, params);
  const customerId = readString(params, "customer");
  const email = readString(params, "customer_email") ?? null;
  if (customerId && email) {
    const message = "You may only specify one of these parameters: customer, customer_email.";
    throw badParameter(message, "customer");
  }
  const allowed = readStrings(params, "allowed_payment_method_types");
  const creation = readChoice(params, "customer_creation", ["always", "if_required"]);
  const metadata = readMetadata(params);
  const currency = lines[0].currency;
  const total = lines.reduce((sum, line) => sum + line.amount_total, 0);
  checkChargeable(total, currency, "line_items");
  const customer = customerId
    ? sim.state.customers.get(account, customerId, "customer")
    : undefined;

  const id = newId("cs_test", 58);
  const session: Session = {
    id,
    object: "checkout.session",
    adaptive_pricing: null,
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: allowed.length > 0 ? allowed : null,
    amount_subtotal: total,
    amount_total: total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url,
    client_reference_id: readString(params, "client_reference_id") ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: sim.seconds(),
    currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: customer?.id ?? null,
    customer_account: null,
    customer_creation: customer ? null : creation ?? "if_required",
    customer_details: customer || email ? details(customer?.email ?? email) : null,
    customer_email: email,
    discounts: [],
    expires_at,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    locale: null,
    managed_payments: null,
    metadata,
    mode: "payment",
    origin_context: null,
    // Stripe makes the intent when somebody first tries to pay, not before.
    payment_intent: null,
    payment_link: null,
    payment_method_collection: "if_required",
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ["card"],
    payment_status: "unpaid",
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: "open",
    submit_type: null,
    subscription: null,
    success_url,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: ui ?? "hosted_page",
    url: `${call.origin}/c/pay/${id}`,
    wallet_options: null,
  };
  sim.state.lineItems.set(id, lines);
  sim.state.plans.set(id, plan);
  sim.state.nextExpiry = Math.min(sim.state.nextExpiry, expires_at);
  return sim.state.sessions.add(account, session);
}

export function details(email: string | null): Stripe.Checkout.Session.CustomerDetails {
  return {
    address: null,
    business_name: null,
    email,
    individual_name: null,
    name: null,
    phone: null,
    tax_exempt: "none",
    tax_ids: [],
  };
}

export function expireSession(caller: Caller, session: Session): Session {
  if (session.status !== "open") {
    throw refused(
      'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session ' +
        `has a status of ${session.status}.`,
    );
  }
  const { sim, account } = caller;
  change(session, { status: "expired", url: null });
  const intent = sim.state.paymentIntents.find(account, session.payment_intent as string ?? "");
  if (intent) cancelIntent(caller, intent, "automatic");
  emit(caller, "checkout.session.expired", session);
  return session;
}

/** What the clock would have done by now. */
export function expireSessions(sim: Simulator): void {
  const { sessions } = sim.state;
  if (sim.seconds() < sim.state.nextExpiry) return;
  sim.state.nextExpiry = Infinity;
  for (const session of sessions.all()) {
    if (session.status !== "open") continue;
    if (session.expires_at > sim.seconds()) {
      sim.state.nextExpiry = Math.min(sim.state.nextExpiry, session.expires_at);
      continue;
    }
    expireSession(sim.caller(sessions.owner(session.id)!), session);
  }
}

export const checkout: EndpointDefinition[] = [
  { method: "POST", path: "/v1/checkout/sessions", accepts: CREATE, run: create },
  {
    method: "GET",
    path: "/v1/checkout/sessions",
    accepts: [...LIST_PARAMETERS, "customer", "payment_intent", "status"],
    run(call) {
      const customer = readString(call.params, "customer");
      const intent = readString(call.params, "payment_intent");
      const status = readChoice(call.params, "status", ["complete", "expired", "open"]);
      const rows = call.sim.state.sessions.all(call.account).filter((session) =>
        (!customer || session.customer === customer) &&
        (!intent || session.payment_intent === intent) &&
        (!status || session.status === status)
      );
      return listOf(call, "checkout.session", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/checkout/sessions/:id",
    run: ({ sim, account }, { id }) => sim.state.sessions.get(account, id),
  },
  {
    method: "POST",
    path: "/v1/checkout/sessions/:id",
    accepts: ["metadata"],
    run({ sim, account, params }, { id }) {
      const session = sim.state.sessions.get(account, id);
      session.metadata = readMetadata(params, session.metadata ?? {});
      return session;
    },
  },
  {
    method: "POST",
    path: "/v1/checkout/sessions/:id/expire",
    run: (call, { id }) => expireSession(call, call.sim.state.sessions.get(call.account, id)),
  },
  {
    method: "GET",
    path: "/v1/checkout/sessions/:id/line_items",
    accepts: LIST_PARAMETERS,
    run(call, { id }) {
      const session = call.sim.state.sessions.get(call.account, id);
      return listOf(call, "item", call.sim.state.lineItems.get(session.id) ?? []);
    },
  },
];
