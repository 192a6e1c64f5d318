import type Stripe from "stripe";
import { move } from "./balance.ts";
import type { EndpointDefinition } from "../endpoint.ts";
import { refused } from "../errors.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { readBoolean, readForm, readMetadata, readString } from "../params.ts";
import type { Caller } from "../simulator.ts";
import { change } from "../state.ts";

const EVIDENCE = [
  "access_activity_log",
  "billing_address",
  "cancellation_policy",
  "cancellation_policy_disclosure",
  "cancellation_rebuttal",
  "customer_communication",
  "customer_email_address",
  "customer_name",
  "customer_purchase_ip",
  "customer_signature",
  "duplicate_charge_documentation",
  "duplicate_charge_explanation",
  "duplicate_charge_id",
  "product_description",
  "receipt",
  "refund_policy",
  "refund_policy_disclosure",
  "refund_refusal_explanation",
  "service_date",
  "service_documentation",
  "shipping_address",
  "shipping_carrier",
  "shipping_date",
  "shipping_documentation",
  "shipping_tracking_number",
  "uncategorized_file",
  "uncategorized_text",
] as const;

function noEvidence(): Stripe.Dispute.Evidence {
  const empty = Object.fromEntries(EVIDENCE.map((key) => [key, null]));
  return { ...empty, enhanced_evidence: {} } as unknown as Stripe.Dispute.Evidence;
}

export interface DisputeOptions {
  amount?: number;
  reason?: string;
  /** The bank only asks, and takes nothing. */
  inquiry?: boolean;
}

/** The bank takes the money back at once; only a dispute that is won returns it. */
export function openDispute(
  caller: Caller,
  charge: Stripe.Charge,
  options: DisputeOptions = {},
): Stripe.Dispute {
  const { sim, account } = caller;
  const left = charge.captured ? charge.amount - charge.amount_refunded : 0;
  const amount = options.amount ?? left;
  if (charge.disputed || amount <= 0 || amount > left) {
    throw refused(`Charge ${charge.id} cannot be disputed for ${amount}.`);
  }
  const id = newId("du");
  const { inquiry = false } = options;
  const takeBack = () =>
    move(caller, {
      amount: -amount,
      currency: charge.currency,
      type: "adjustment",
      reporting_category: "dispute",
      source: id,
      description: `Chargeback withdrawal for ${charge.id}`,
      fee: sim.options.disputeFee,
    });
  const dispute: Stripe.Dispute = {
    id,
    object: "dispute",
    amount,
    balance_transactions: inquiry ? [] : [takeBack()],
    charge: charge.id,
    created: sim.seconds(),
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: noEvidence(),
    evidence_details: {
      due_by: sim.seconds() + 7 * 86_400,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: "not_submitted",
    },
    intended_submission_method: null,
    is_charge_refundable: inquiry,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: {
      type: "card",
      card: {
        brand: charge.payment_method_details?.card?.brand ?? "visa",
        case_type: inquiry ? "inquiry" : "chargeback",
        network_reason_code: "10.4",
        network: "visa",
      },
    } as Stripe.Dispute.PaymentMethodDetails,
    reason: options.reason ?? "fraudulent",
    status: inquiry ? "warning_needs_response" : "needs_response",
  };
  charge.disputed = !inquiry;
  sim.state.disputes.add(account, dispute);
  emit(caller, "charge.dispute.created", dispute);
  if (!inquiry) emit(caller, "charge.dispute.funds_withdrawn", dispute);
  return dispute;
}

export function closeDispute(caller: Caller, dispute: Stripe.Dispute, outcome: "won" | "lost") {
  if (["won", "lost", "warning_closed"].includes(dispute.status)) {
    throw refused("This dispute is already closed.", { code: "dispute_already_closed" });
  }
  const status = dispute.status.startsWith("warning") ? "warning_closed" : outcome;
  const previous = change(dispute, { status });
  if (status === "won") {
    const transaction = move(caller, {
      amount: dispute.amount,
      currency: dispute.currency,
      type: "adjustment",
      reporting_category: "dispute_reversal",
      source: dispute.id,
      description: `Chargeback reversal for ${dispute.charge}`,
    });
    dispute.balance_transactions = [...dispute.balance_transactions, transaction];
    emit(caller, "charge.dispute.funds_reinstated", dispute);
  }
  emit(caller, "charge.dispute.closed", dispute, previous);
  return dispute;
}

export const disputes: EndpointDefinition[] = [
  {
    method: "GET",
    path: "/v1/disputes",
    accepts: [...LIST_PARAMETERS, "charge", "payment_intent"],
    run(call) {
      const charge = readString(call.params, "charge");
      const intent = readString(call.params, "payment_intent");
      const rows = call.sim.state.disputes.all(call.account).filter((dispute) =>
        (!charge || dispute.charge === charge) && (!intent || dispute.payment_intent === intent)
      );
      return listOf(call, "dispute", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/disputes/:id",
    run: ({ sim, account }, { id }) => sim.state.disputes.get(account, id),
  },
  {
    method: "POST",
    path: "/v1/disputes/:id",
    accepts: ["evidence", "metadata", "submit"],
    run(call, { id }) {
      const dispute = call.sim.state.disputes.get(call.account, id);
      const given = readForm(call.params, "evidence");
      const submit = readBoolean(call.params, "submit") ?? true;
      const patch: Partial<Stripe.Dispute> = {
        metadata: readMetadata(call.params, dispute.metadata),
      };
      if (given) {
        const evidence = EVIDENCE.filter((key) => given[key] !== undefined)
          .map((key) => [key, readString(given, key, "evidence") ?? null]);
        patch.evidence = { ...dispute.evidence, ...Object.fromEntries(evidence) };
        const { submission_count } = dispute.evidence_details;
        patch.evidence_details = {
          ...dispute.evidence_details,
          has_evidence: true,
          submission_count: submission_count + (submit ? 1 : 0),
        };
        if (submit && dispute.status === "needs_response") patch.status = "under_review";
      }
      emit(call, "charge.dispute.updated", dispute, change(dispute, patch));
      return dispute;
    },
  },
  {
    method: "POST",
    path: "/v1/disputes/:id/close",
    run(call, { id }) {
      return closeDispute(call, call.sim.state.disputes.get(call.account, id), "lost");
    },
  },
];
