import type Stripe from "stripe";
import { move } from "./balance.ts";
import type { EndpointDefinition } from "../endpoint.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { readString } from "../params.ts";
import type { Caller } from "../simulator.ts";

/** One attempt at taking the money of a payment intent. */
export function buildCharge(
  { sim, origin }: Caller,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
): Stripe.Charge {
  const id = newId("ch");
  return {
    id,
    object: "charge",
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: structuredClone(method.billing_details),
    calculated_statement_descriptor: "RAFFLEBASE",
    captured: false,
    created: sim.seconds(),
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: { ...intent.metadata },
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: "approved_by_network",
      reason: null,
      risk_level: "normal",
      risk_score: 20,
      seller_message: "Payment complete.",
      type: "authorized",
    },
    paid: true,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: method.card ? cardDetails(method.card, intent.amount) : null,
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: `${origin}/receipts/${id}`,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: intent.statement_descriptor,
    statement_descriptor_suffix: intent.statement_descriptor_suffix,
    status: "succeeded",
    transfer_data: null,
    transfer_group: intent.transfer_group,
  };
}

function cardDetails(
  card: Stripe.PaymentMethod.Card,
  amount: number,
): Stripe.Charge.PaymentMethodDetails {
  return {
    type: "card",
    card: {
      amount_authorized: amount,
      authorization_code: "123456",
      brand: card.brand,
      checks: card.checks,
      country: card.country,
      electronic_commerce_indicator: null,
      exp_month: card.exp_month,
      exp_year: card.exp_year,
      fingerprint: card.fingerprint,
      funding: card.funding,
      installments: null,
      last4: card.last4,
      mandate: null,
      network: card.brand,
      network_token: { used: false },
      network_transaction_id: null,
      regulated_status: card.regulated_status as Stripe.Charge.PaymentMethodDetails.Card[
        "regulated_status"
      ],
      three_d_secure: null,
      transaction_link_id: null,
      wallet: null,
    },
  };
}

/** The captured part becomes money of the account; the rest of the authorisation is released. */
export function captureCharge(caller: Caller, charge: Stripe.Charge, amount: number): void {
  const { sim } = caller;
  const fees = sim.options.fees ?? { basisPoints: 0, fixed: 0 };
  const card = sim.state.cards.get(charge.payment_method ?? "");
  const transaction = move(caller, {
    amount,
    currency: charge.currency,
    type: "charge",
    source: charge.id,
    description: charge.description,
    fee: Math.round(amount * fees.basisPoints / 10_000) + fees.fixed,
    availableAfter: card?.bypassPending ? 0 : sim.options.fundsAvailableAfterSeconds,
  });
  charge.captured = true;
  charge.amount_captured = amount;
  charge.amount_refunded = charge.amount - amount;
  charge.balance_transaction = transaction.id;
}

export const charges: EndpointDefinition[] = [
  {
    method: "GET",
    path: "/v1/charges",
    accepts: [...LIST_PARAMETERS, "customer", "payment_intent", "transfer_group"],
    run(call) {
      const customer = readString(call.params, "customer");
      const intent = readString(call.params, "payment_intent");
      const group = readString(call.params, "transfer_group");
      const rows = call.sim.state.charges.all(call.account).filter((charge) =>
        (!customer || charge.customer === customer) &&
        (!intent || charge.payment_intent === intent) &&
        (!group || charge.transfer_group === group)
      );
      return listOf(call, "charge", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/charges/:id",
    run: ({ sim, account }, { id }) => sim.state.charges.get(account, id),
  },
];
