import type Stripe from "stripe";
import { availableAmount, move } from "./balance.ts";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { refused } from "../errors.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf, within } from "../lists.ts";
import {
  checkMovable,
  readChoice,
  readMetadata,
  readString,
  requireCurrency,
  requireInteger,
} from "../params.ts";
import { type Caller, PLATFORM } from "../simulator.ts";
import { change } from "../state.ts";

const CREATE = [
  "amount",
  "currency",
  "description",
  "metadata",
  "method",
  "statement_descriptor",
] as const satisfies readonly (keyof Stripe.PayoutCreateParams)[];

const FAILURES: Record<string, string> = {
  account_closed: "The bank account has been closed.",
  could_not_process: "The bank could not process this payout.",
  debit_not_authorized: "Debit transactions are not approved on your bank account.",
  insufficient_funds: "Your Stripe account has insufficient funds to cover the payout.",
  invalid_currency: "The bank was unable to process this payout because of its currency.",
  no_account: "The bank account details on file are probably incorrect. No bank account could " +
    "be located with those details.",
};

function create(call: Call): Stripe.Payout {
  const { sim, account: id, params } = call;
  const amount = requireInteger(params, "amount", "", 1);
  const currency = requireCurrency(params);
  const method = readChoice(params, "method", ["instant", "standard"]) ?? "standard";
  const description = readString(params, "description") ?? null;
  const statement_descriptor = readString(params, "statement_descriptor") ?? null;
  const metadata = readMetadata(params);
  checkMovable(amount, currency);
  const account = sim.state.accounts.get(PLATFORM, id);
  const bank = account.external_accounts?.data[0];
  if (id !== PLATFORM && (!account.payouts_enabled || !bank)) {
    throw refused("Cannot create payouts: payouts are not enabled on this account.", {
      code: "payouts_not_allowed",
    });
  }
  const available = availableAmount(sim, id, currency);
  if (amount > available) {
    const message = "You have insufficient funds in your Stripe account for this transfer. Your " +
      `card balance is ${available}.`;
    throw refused(message, { code: "balance_insufficient" });
  }
  const payout: Stripe.Payout = {
    id: newId("po"),
    object: "payout",
    amount,
    application_fee: null,
    application_fee_amount: null,
    arrival_date: sim.seconds() + 86_400,
    automatic: false,
    balance_transaction: null,
    created: sim.seconds(),
    currency,
    description,
    destination: bank?.id ?? null,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata,
    method,
    original_payout: null,
    payout_method: null,
    reconciliation_status: "not_applicable",
    reversed_by: null,
    source_type: "card",
    statement_descriptor,
    status: "pending",
    trace_id: null,
    type: "bank_account",
  };
  payout.balance_transaction = move(call, {
    amount: -amount,
    currency,
    type: "payout",
    source: payout.id,
    description: description ?? "STRIPE PAYOUT",
  }).id;
  sim.state.payouts.add(id, payout);
  emit(call, "payout.created", payout);

  const later = sim.caller(id, call.origin);
  const failure = sim.state.bankFailures.get(id);
  sim.settleLater(() => {
    if (payout.status !== "pending" && payout.status !== "in_transit") return;
    if (failure) failPayout(later, payout, failure);
    else payPayout(later, payout);
  });
  return payout;
}

export function payPayout(caller: Caller, payout: Stripe.Payout): Stripe.Payout {
  refuseUnless(payout, ["pending", "in_transit"], "paid");
  const trace = { status: "supported", value: newId("trace", 10) };
  const previous = change(payout, {
    arrival_date: caller.sim.seconds(),
    status: "paid",
    trace_id: trace,
  });
  emit(caller, "payout.paid", payout, previous);
  return payout;
}

export function sendPayout(caller: Caller, payout: Stripe.Payout): Stripe.Payout {
  refuseUnless(payout, ["pending"], "in_transit");
  emit(caller, "payout.updated", payout, change(payout, { status: "in_transit" }));
  return payout;
}

/** A bank may send the money back even after the payout was paid. */
export function failPayout(caller: Caller, payout: Stripe.Payout, code: string): Stripe.Payout {
  refuseUnless(payout, ["pending", "in_transit", "paid"], "failed");
  const failure = giveBack(caller, payout, "payout_failure");
  const previous = change(payout, {
    failure_balance_transaction: failure.id,
    failure_code: code,
    failure_message: FAILURES[code] ?? "The bank returned this payout.",
    status: "failed",
  });
  emit(caller, "payout.failed", payout, previous);
  return payout;
}

export function cancelPayout(caller: Caller, payout: Stripe.Payout): Stripe.Payout {
  if (payout.status !== "pending") {
    const message = "Payouts can only be canceled while they are pending; this one is " +
      `${payout.status}.`;
    throw refused(message);
  }
  const back = giveBack(caller, payout, "payout_cancel");
  const failure_balance_transaction = back.id;
  const previous = change(payout, { failure_balance_transaction, status: "canceled" });
  emit(caller, "payout.canceled", payout, previous);
  return payout;
}

function refuseUnless(payout: Stripe.Payout, states: string[], next: string): void {
  if (states.includes(payout.status)) return;
  throw refused(`Payout ${payout.id} is ${payout.status} and cannot become ${next}.`);
}

function giveBack(
  caller: Caller,
  payout: Stripe.Payout,
  type: "payout_failure" | "payout_cancel",
) {
  const { amount, currency, id } = payout;
  return move(caller, {
    amount,
    currency,
    type,
    source: id,
    reporting_category: "payout_reversal",
  });
}

export const payouts: EndpointDefinition[] = [
  { method: "POST", path: "/v1/payouts", accepts: CREATE, run: create },
  {
    method: "GET",
    path: "/v1/payouts",
    accepts: [...LIST_PARAMETERS, "arrival_date", "destination", "status"],
    run(call) {
      const status = readString(call.params, "status");
      const destination = readString(call.params, "destination");
      const rows = call.sim.state.payouts.all(call.account).filter((payout) =>
        (!status || payout.status === status) &&
        (!destination || payout.destination === destination) &&
        within(payout.arrival_date, call.params, "arrival_date")
      );
      return listOf(call, "payout", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/payouts/:id",
    run: ({ sim, account }, { id }) => sim.state.payouts.get(account, id),
  },
  {
    method: "POST",
    path: "/v1/payouts/:id/cancel",
    run: (call, { id }) => cancelPayout(call, call.sim.state.payouts.get(call.account, id)),
  },
];
