import type Stripe from "stripe";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { newId } from "../ids.ts";
import type { Caller } from "../simulator.ts";
import { noSuch, refused } from "../errors.ts";
import { emit } from "./events.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { requireString } from "../params.ts";
import { change } from "../state.ts";
import { type TestCard, testCard } from "./test-cards.ts";

/** `pm_card_...` becomes a new payment method each time; any other id has to exist. */
export function useMethod(caller: Caller, id: string): Stripe.PaymentMethod {
  const { sim, account } = caller;
  const known = sim.state.paymentMethods.find(account, id);
  if (known) return known;
  const card = testCard(id);
  if (!card) throw noSuch("PaymentMethod", id, "payment_method", 400);
  const method = sim.state.paymentMethods.add(account, build(caller, card));
  sim.state.cards.set(method.id, card);
  return method;
}

function build({ sim }: Caller, card: TestCard): Stripe.PaymentMethod {
  return {
    id: newId("pm"),
    object: "payment_method",
    allow_redisplay: "unspecified",
    billing_details: {
      address: {
        city: null,
        country: null,
        line1: null,
        line2: null,
        postal_code: null,
        state: null,
      },
      email: null,
      name: null,
      phone: null,
      tax_id: null,
    },
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
      country: "US",
      display_brand: card.brand,
      exp_month: 12,
      exp_year: 2034,
      fingerprint: `simulated${card.last4}`,
      funding: card.funding,
      generated_from: null,
      last4: card.last4,
      networks: { available: [card.brand], preferred: null },
      regulated_status: "unregulated",
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: sim.seconds(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: "card",
  };
}

/** A card that its owner wanted kept can be charged again; nobody else can charge it. */
export function keepMethod(caller: Caller, methodId: string, customer: string): void {
  const method = caller.sim.state.paymentMethods.get(caller.account, methodId);
  if (method.customer === customer) return;
  change(method, { customer });
  emit(caller, "payment_method.attached", method);
}

export function refuseForeignMethod(method: Stripe.PaymentMethod, customer: string | null): void {
  if (!method.customer || method.customer === customer) return;
  const message = customer
    ? `The customer does not have a payment method with the ID ${method.id}. The payment method ` +
      "must be attached to the customer."
    : "The provided PaymentMethod is attached to a customer; to use it, specify the customer too.";
  throw refused(message, { param: "payment_method" });
}

function detach(call: Call, { id }: Record<string, string>): Stripe.PaymentMethod {
  const method = call.sim.state.paymentMethods.get(call.account, id);
  if (!method.customer) {
    throw refused("The payment method you provided is not attached to a customer.");
  }
  const previous = change(method, { customer: null });
  emit(call, "payment_method.detached", method, previous);
  return method;
}

export const paymentMethods: EndpointDefinition[] = [
  {
    method: "GET",
    path: "/v1/payment_methods",
    accepts: [...LIST_PARAMETERS, "customer", "type"],
    run(call) {
      const { sim, account, params } = call;
      const customer = sim.state.customers.get(account, requireString(params, "customer")).id;
      const rows = sim.state.paymentMethods.all(account)
        .filter((method) => method.customer === customer);
      return listOf(call, "payment_method", rows);
    },
  },
  { method: "POST", path: "/v1/payment_methods/:id/detach", run: detach },
  {
    method: "GET",
    path: "/v1/payment_methods/:id",
    run(call, { id }) {
      if (testCard(id)) return useMethod(call, id);
      return call.sim.state.paymentMethods.get(call.account, id);
    },
  },
];
