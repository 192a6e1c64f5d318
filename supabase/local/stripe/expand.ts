import { refused } from "./errors.ts";
import type { Call } from "./endpoint.ts";
import { PLATFORM } from "./simulator.ts";

type Json = Record<string, unknown>;

/** A copy of the answer in which the named ids are replaced by their objects. */
export function expand(call: Call, answer: object, paths: string[]): object {
  const copy = structuredClone(answer) as Json;
  for (const path of paths) {
    if (path.split(".").length > 5) throw cannot(path);
    replace(call, copy, path.split("."), path);
  }
  return copy;
}

function replace(call: Call, at: Json, [key, ...rest]: string[], path: string): void {
  const value = at[key] ?? included(call, at, key);
  if (value === undefined) throw cannot(path);
  if (value === null) return;
  if (Array.isArray(value)) {
    value.forEach((_, index) =>
      replace(call, value as unknown as Json, [`${index}`, ...rest], path)
    );
    return;
  }
  if (typeof value === "string") {
    const found = find(call, value);
    if (!found) throw cannot(path);
    at[key] = structuredClone(found);
  } else at[key] = value;
  if (rest.length > 0) replace(call, at[key] as Json, rest, path);
}

/** Lists that Stripe leaves out unless they are asked for. */
function included(call: Call, at: Json, key: string): Json | undefined {
  const { state } = call.sim;
  const list = (url: string, data: object[]) => ({ object: "list", data, has_more: false, url });
  if (at.object === "checkout.session" && key === "line_items") {
    const url = `/v1/checkout/sessions/${at.id}/line_items`;
    return list(url, structuredClone(state.lineItems.get(at.id as string) ?? []));
  }
  if (at.object === "charge" && key === "refunds") {
    const refunds = state.refunds.all().filter((refund) => refund.charge === at.id);
    return list(`/v1/charges/${at.id}/refunds`, structuredClone(refunds));
  }
}

function find(call: Call, id: string): object | undefined {
  const { state } = call.sim;
  const collection = {
    ch: state.charges,
    cs: state.sessions,
    cus: state.customers,
    du: state.disputes,
    pi: state.paymentIntents,
    pm: state.paymentMethods,
    po: state.payouts,
    py: state.charges,
    pyr: state.refunds,
    re: state.refunds,
    tr: state.transfers,
    trr: state.transferReversals,
    txn: state.balanceTransactions,
  }[id.split("_")[0]];
  if (id.startsWith("acct_")) return state.accounts.find(PLATFORM, id);
  // A platform may read through to its connected account's payment (`destination_payment`).
  return collection?.find(collection.owner(id) ?? "", id);
}

function cannot(path: string) {
  return refused(`This property cannot be expanded (${path}).`, { param: "expand" });
}
