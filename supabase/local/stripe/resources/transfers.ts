import type Stripe from "stripe";
import { availableAmount, move } from "./balance.ts";
import { buildCharge } from "./charges.ts";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { refused } from "../errors.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import {
  checkMovable,
  readInteger,
  readMetadata,
  readString,
  requireCurrency,
  requireInteger,
  requireString,
} from "../params.ts";
import { PLATFORM } from "../simulator.ts";
import { change } from "../state.ts";

const CREATE = [
  "amount",
  "currency",
  "description",
  "destination",
  "metadata",
  "source_transaction",
  "transfer_group",
] as const satisfies readonly (keyof Stripe.TransferCreateParams)[];

/** Out of the platform's balance and into the connected account's, in one step. */
function create(call: Call): Stripe.Transfer {
  const { sim, account, params } = call;
  const amount = requireInteger(params, "amount", "", 1);
  const currency = requireCurrency(params);
  const to = requireString(params, "destination");
  const metadata = readMetadata(params);
  const description = readString(params, "description") ?? null;
  const group = readString(params, "transfer_group") ?? null;
  const sourceId = readString(params, "source_transaction");
  checkMovable(amount, currency);
  const destination = sim.state.accounts.get(PLATFORM, to, "destination");
  const source = sourceId
    ? sim.state.charges.get(account, sourceId, "source_transaction").id
    : null;
  if (destination.capabilities?.transfers !== "active" || destination.id === account) {
    const message = "Your destination account needs to have at least one of the following " +
      "capabilities enabled: transfers, crypto_transfers, legacy_payments";
    throw refused(message, { code: "insufficient_capabilities_for_transfer" });
  }
  if (amount > availableAmount(sim, account, currency)) {
    const message = "You have insufficient available funds in your Stripe account. Try adding " +
      "funds directly to your available balance.";
    throw refused(message, { code: "balance_insufficient" });
  }

  const id = newId("tr");
  const arrived = receive(call, destination.id, { id, amount, currency, description });
  const transaction = move(call, {
    amount: -amount,
    currency,
    type: "transfer",
    source: id,
    description,
  });
  const transfer: Stripe.Transfer = {
    id,
    object: "transfer",
    amount,
    amount_reversed: 0,
    balance_transaction: transaction.id,
    created: sim.seconds(),
    currency,
    description,
    destination: destination.id,
    destination_payment: arrived.id,
    livemode: false,
    metadata,
    reversals: { object: "list", data: [], has_more: false, url: `/v1/transfers/${id}/reversals` },
    reversed: false,
    source_transaction: source,
    source_type: "card",
    transfer_group: group ?? (source ? `group_${id}` : null),
  };
  sim.state.transfers.add(account, transfer);
  emit(call, "transfer.created", transfer);
  return transfer;
}

/** The payment that the connected account sees. */
function receive(
  call: Call,
  account: string,
  transfer: { id: string; amount: number; currency: string; description: string | null },
): Stripe.Charge {
  const { sim } = call;
  const there = { ...call, account };
  const { amount, currency, description } = transfer;
  const intent = { amount, currency, description, metadata: {}, customer: null };
  const method = { id: "", billing_details: {} } as Stripe.PaymentMethod;
  const payment = {
    ...buildCharge(there, intent as Stripe.PaymentIntent, method),
    id: newId("py"),
    amount_captured: amount,
    captured: true,
    payment_intent: null,
    payment_method: null,
    receipt_email: null,
    source_transfer: transfer.id,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    transfer_group: null,
  };
  payment.balance_transaction = move(there, {
    amount,
    currency,
    type: "payment",
    reporting_category: "transfer",
    source: payment.id,
    description,
  }).id;
  return sim.state.charges.add(account, payment);
}

function reverse(call: Call, { id }: Record<string, string>): Stripe.TransferReversal {
  const { sim, account, params } = call;
  const asked = readInteger(params, "amount", "", 1);
  const metadata = readMetadata(params);
  const transfer = sim.state.transfers.get(account, id);
  const left = transfer.amount - transfer.amount_reversed;
  const amount = asked ?? left;
  if (left === 0) throw refused(`Transfer ${id} is already fully reversed.`);
  if (amount > left) {
    const message =
      `Transfer reversal amount (${amount}) is greater than the amount left (${left})`;
    throw refused(message, { param: "amount" });
  }
  const destination = transfer.destination as string;
  if (amount > availableAmount(sim, destination, transfer.currency)) {
    const message = "The connected account does not have enough available funds to reverse this.";
    throw refused(message, { code: "balance_insufficient" });
  }
  const reversal: Stripe.TransferReversal = {
    id: newId("trr"),
    object: "transfer_reversal",
    amount,
    balance_transaction: null,
    created: sim.seconds(),
    currency: transfer.currency,
    destination_payment_refund: null,
    metadata,
    source_refund: null,
    transfer: id,
  };
  const movement = { currency: transfer.currency, source: reversal.id };
  move({ ...call, account: destination }, {
    ...movement,
    amount: -amount,
    type: "payment_refund",
    reporting_category: "transfer_reversal",
    source: transfer.destination_payment as string,
  });
  reversal.balance_transaction = move(call, {
    ...movement,
    amount,
    type: "transfer_refund",
    reporting_category: "transfer_reversal",
  }).id;
  sim.state.transferReversals.add(account, reversal);
  const payment = sim.state.charges.get(destination, transfer.destination_payment as string);
  const amount_reversed = transfer.amount_reversed + amount;
  change(payment, {
    amount_refunded: amount_reversed,
    refunded: amount_reversed === transfer.amount,
  });
  const reversals = { ...transfer.reversals, data: [reversal, ...transfer.reversals.data] };
  const reversed = amount_reversed === transfer.amount;
  const previous = change(transfer, { amount_reversed, reversed, reversals });
  emit(call, "transfer.reversed", transfer, previous);
  return reversal;
}

export const transfers: EndpointDefinition[] = [
  { method: "POST", path: "/v1/transfers", accepts: CREATE, run: create },
  {
    method: "GET",
    path: "/v1/transfers",
    accepts: [...LIST_PARAMETERS, "destination", "transfer_group"],
    run(call) {
      const destination = readString(call.params, "destination");
      const group = readString(call.params, "transfer_group");
      const rows = call.sim.state.transfers.all(call.account).filter((transfer) =>
        (!destination || transfer.destination === destination) &&
        (!group || transfer.transfer_group === group)
      );
      return listOf(call, "transfer", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/transfers/:id",
    run: ({ sim, account }, { id }) => sim.state.transfers.get(account, id),
  },
  {
    method: "POST",
    path: "/v1/transfers/:id/reversals",
    accepts: ["amount", "description", "metadata"],
    run: reverse,
  },
  {
    method: "GET",
    path: "/v1/transfers/:id/reversals",
    accepts: LIST_PARAMETERS,
    run(call, { id }) {
      const transfer = call.sim.state.transfers.get(call.account, id);
      return listOf(call, "transfer reversal", transfer.reversals.data);
    },
  },
];
