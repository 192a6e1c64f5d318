import type Stripe from "stripe";
import { move } from "./balance.ts";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { badParameter, refused } from "../errors.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { readChoice, readInteger, readMetadata, readString } from "../params.ts";
import type { Caller } from "../simulator.ts";
import { change } from "../state.ts";

const CREATE = [
  "amount",
  "charge",
  "metadata",
  "payment_intent",
  "reason",
] as const satisfies readonly (keyof Stripe.RefundCreateParams)[];
const REASONS = ["duplicate", "fraudulent", "requested_by_customer"] as const;

function chargeOf({ sim, account, params }: Call): Stripe.Charge {
  const { charges, paymentIntents } = sim.state;
  const charge = readString(params, "charge");
  const intentId = readString(params, "payment_intent");
  if (charge) return charges.get(account, charge, "charge");
  if (!intentId) {
    const message = "One of the following params should be provided for this request: " +
      "payment_intent or charge.";
    throw badParameter(message, "charge");
  }
  const intent = paymentIntents.get(account, intentId, "payment_intent");
  const latest = intent.latest_charge as string | null;
  if (latest && charges.get(account, latest).paid) return charges.get(account, latest);
  const message = `This PaymentIntent (${intentId}) does not have a successful charge to refund.`;
  throw refused(message, { param: "payment_intent" });
}

function refuseUnrefundable(charge: Stripe.Charge, amount: number): void {
  const left = charge.amount - charge.amount_refunded;
  if (charge.disputed) {
    const message = `Charge ${charge.id} has been charged back; cannot issue a refund.`;
    throw refused(message, { code: "charge_disputed" });
  }
  if (!charge.paid || !charge.captured) {
    throw refused(`Charge ${charge.id} has not been captured and cannot be refunded.`);
  }
  if (left === 0) {
    const message = `Charge ${charge.id} has already been refunded.`;
    throw refused(message, { code: "charge_already_refunded" });
  }
  if (amount > left) {
    const message =
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`;
    throw refused(message, { param: "amount" });
  }
}

function create(call: Call): Stripe.Refund {
  const { sim, account, params } = call;
  const asked = readInteger(params, "amount", "", 1);
  const reason = readChoice(params, "reason", REASONS) ?? null;
  const metadata = readMetadata(params);
  const charge = chargeOf(call);
  const amount = asked ?? charge.amount - charge.amount_refunded;
  refuseUnrefundable(charge, amount);

  const behaviour = sim.state.cards.get(charge.payment_method ?? "")?.refund;
  const id = newId("re");
  const transaction = move(call, {
    amount: -amount,
    currency: charge.currency,
    type: "refund",
    source: id,
    description: "REFUND FOR CHARGE",
  });
  const refund: Stripe.Refund = {
    id,
    object: "refund",
    amount,
    balance_transaction: transaction.id,
    charge: charge.id,
    created: sim.seconds(),
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: {
      type: "card",
      card: {
        type: "refund",
        reference_status: "pending",
        reference_type: "acquirer_reference_number",
      },
    },
    metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: behaviour === "pending" ? "pending" : "succeeded",
    transfer_reversal: null,
  };
  sim.state.refunds.add(account, refund);
  const amount_refunded = charge.amount_refunded + amount;
  const refunded = amount_refunded === charge.amount;
  const previous = change(charge, { amount_refunded, refunded });
  emit(call, "refund.created", refund);
  emit(call, "charge.refunded", charge, previous);

  const later = sim.caller(account, call.origin);
  if (behaviour === "pending") sim.settleLater(() => advanceRefund(later, refund, "succeeded"));
  if (behaviour === "fail") sim.settleLater(() => advanceRefund(later, refund, "failed"));
  return refund;
}

export type RefundEnd = "succeeded" | "failed" | "canceled" | "requires_action";

/** A refund that fails or is canceled gives the money, and the right to refund it, back. */
export function advanceRefund(caller: Caller, refund: Stripe.Refund, status: RefundEnd) {
  if (refund.status === status) return refund;
  const open = refund.status === "pending" || refund.status === "requires_action";
  if (!open && !(refund.status === "succeeded" && status === "failed")) {
    throw refused(`Refund ${refund.id} is ${refund.status} and cannot become ${status}.`);
  }
  const patch: Partial<Stripe.Refund> = { status };
  if (status === "failed" || status === "canceled") {
    const { state } = caller.sim;
    const transaction = move(caller, {
      amount: refund.amount,
      currency: refund.currency,
      type: "refund_failure",
      source: refund.id,
      description: "REFUND FAILURE",
    });
    const charge = state.charges.get(caller.account, refund.charge as string);
    change(charge, { amount_refunded: charge.amount_refunded - refund.amount, refunded: false });
    if (status === "failed") {
      patch.failure_balance_transaction = transaction.id;
      patch.failure_reason = "lost_or_stolen_card";
    }
  }
  const previous = change(refund, patch);
  emit(caller, "refund.updated", refund, previous);
  if (status === "failed") emit(caller, "refund.failed", refund);
  return refund;
}

export const refunds: EndpointDefinition[] = [
  { method: "POST", path: "/v1/refunds", accepts: CREATE, run: create },
  {
    method: "GET",
    path: "/v1/refunds",
    accepts: [...LIST_PARAMETERS, "charge", "payment_intent"],
    run(call) {
      const charge = readString(call.params, "charge");
      const intent = readString(call.params, "payment_intent");
      const rows = call.sim.state.refunds.all(call.account).filter((refund) =>
        (!charge || refund.charge === charge) && (!intent || refund.payment_intent === intent)
      );
      return listOf(call, "refund", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/refunds/:id",
    run: ({ sim, account }, { id }) => sim.state.refunds.get(account, id),
  },
  {
    method: "POST",
    path: "/v1/refunds/:id",
    accepts: ["metadata"],
    run(call, { id }) {
      const refund = call.sim.state.refunds.get(call.account, id);
      const metadata = readMetadata(call.params, refund.metadata ?? {});
      emit(call, "refund.updated", refund, change(refund, { metadata }));
      return refund;
    },
  },
  {
    method: "POST",
    path: "/v1/refunds/:id/cancel",
    run(call, { id }) {
      const refund = call.sim.state.refunds.get(call.account, id);
      if (refund.status !== "requires_action") {
        throw refused(
          `Only refunds with a status of requires_action can be canceled; this one is ` +
            `${refund.status}.`,
        );
      }
      return advanceRefund(call, refund, "canceled");
    },
  },
];
