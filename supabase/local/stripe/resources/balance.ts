import type Stripe from "stripe";
import type { EndpointDefinition } from "../endpoint.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { readString } from "../params.ts";
import type { Caller, Simulator } from "../simulator.ts";

type Movement = Pick<Stripe.BalanceTransaction, "amount" | "currency" | "type"> & {
  source: string | null;
  reporting_category?: string;
  description?: string | null;
  fee?: number;
  /** Seconds until the money may be used; what leaves the balance leaves it at once. */
  availableAfter?: number;
};

/** The only writer of the balance: a balance is nothing but the sum of its transactions. */
export function move({ sim, account }: Caller, movement: Movement): Stripe.BalanceTransaction {
  const { availableAfter = 0, fee = 0, description = null, ...rest } = movement;
  const feeDetail = {
    amount: fee,
    application: null,
    currency: movement.currency,
    description: "Stripe processing fees",
    type: "stripe_fee",
  };
  const transaction: Stripe.BalanceTransaction = {
    id: newId("txn"),
    object: "balance_transaction",
    available_on: sim.seconds() + availableAfter,
    balance_type: "payments",
    created: sim.seconds(),
    description,
    exchange_rate: null,
    fee,
    fee_details: fee === 0 ? [] : [feeDetail],
    net: movement.amount - fee,
    status: availableAfter > 0 ? "pending" : "available",
    ...rest,
    reporting_category: movement.reporting_category ?? movement.type,
  };
  return sim.state.balanceTransactions.add(account, transaction);
}

/** Money from outside, to have something to transfer. */
export function topUp(caller: Caller, amount: number, currency: string) {
  return move(caller, { amount, currency, type: "topup", source: null, description: "Top-up" });
}

export function availableAmount(sim: Simulator, account: string, currency: string): number {
  return sim.state.balanceTransactions.all(account)
    .filter((row) => row.currency === currency && row.available_on <= sim.seconds())
    .reduce((sum, row) => sum + row.net, 0);
}

function settled(sim: Simulator, row: Stripe.BalanceTransaction): Stripe.BalanceTransaction {
  row.status = row.available_on <= sim.seconds() ? "available" : "pending";
  return row;
}

function balanceOf(sim: Simulator, account: string): Stripe.Balance {
  const rows = sim.state.balanceTransactions.all(account).map((row) => settled(sim, row));
  const currencies = [...new Set(["usd", ...rows.map((row) => row.currency)])].sort();
  const sums = (status: string) =>
    currencies.map((currency) => {
      const amount = rows.filter((row) => row.status === status && row.currency === currency)
        .reduce((sum, row) => sum + row.net, 0);
      return { amount, currency, source_types: { card: amount } };
    });
  return {
    object: "balance",
    available: sums("available"),
    connect_reserved: currencies.map((currency) => ({ amount: 0, currency })),
    livemode: false,
    pending: sums("pending"),
  };
}

export const balance: EndpointDefinition[] = [
  {
    method: "GET",
    path: "/v1/balance",
    run: ({ sim, account }) => balanceOf(sim, account),
  },
  {
    method: "GET",
    path: "/v1/balance_transactions",
    accepts: [...LIST_PARAMETERS, "currency", "payout", "source", "type"],
    run(call) {
      const source = readString(call.params, "source");
      const type = readString(call.params, "type");
      const currency = readString(call.params, "currency");
      const rows = call.sim.state.balanceTransactions.all(call.account).filter((row) =>
        (!source || row.source === source) && (!type || row.type === type) &&
        (!currency || row.currency === currency)
      );
      rows.forEach((row) => settled(call.sim, row));
      return listOf(call, "balance transaction", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/balance_transactions/:id",
    run: ({ sim, account }, { id }) => settled(sim, sim.state.balanceTransactions.get(account, id)),
  },
];
