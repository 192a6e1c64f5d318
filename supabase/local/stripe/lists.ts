import type Stripe from "stripe";
import type { Call } from "./endpoint.ts";
import { badParameter, noSuch } from "./errors.ts";
import type { Form } from "./forms.ts";
import { readInteger, readString } from "./params.ts";

export const LIST_PARAMETERS = ["limit", "starting_after", "ending_before", "created"];

type Row = { id: string; created?: number };

/** One page of rows that come newest first. Both cursors exclude the row that they name. */
export function listOf<T extends Row>(call: Call, kind: string, all: T[]): Stripe.ApiList<T> {
  const { params } = call;
  const limit = readInteger(params, "limit", "", 1) ?? 10;
  if (limit > 100) {
    const message = "This value must be less than or equal to 100 (the maximum page size).";
    throw badParameter(message, "limit", "parameter_invalid_integer");
  }
  const rows = all.filter((row) => within(row.created ?? 0, params, "created"));
  const after = readString(params, "starting_after");
  const before = readString(params, "ending_before");
  if (after && before) {
    throw badParameter("Use only one of starting_after and ending_before.", "starting_after");
  }
  if (before) {
    const end = position(kind, rows, before, "ending_before");
    const start = Math.max(0, end - limit);
    return page(call, rows.slice(start, end), start > 0);
  }
  const start = after ? position(kind, rows, after, "starting_after") + 1 : 0;
  return page(call, rows.slice(start, start + limit), rows.length > start + limit);
}

function page<T>(call: Call, data: T[], has_more: boolean): Stripe.ApiList<T> {
  return { object: "list", data, has_more, url: call.path };
}

function position(kind: string, rows: Row[], id: string, param: string): number {
  const index = rows.findIndex((row) => row.id === id);
  if (index < 0) throw noSuch(kind, id, param, 400);
  return index;
}

/** A number, or an object of gt, gte, lt, lte. */
export function within(value: number, params: Form, key: string): boolean {
  const filter = params[key];
  if (filter === undefined || filter === "") return true;
  if (typeof filter === "string") return value === readInteger(params, key);
  const { gt, gte, lt, lte } = {
    gt: readInteger(filter, "gt", key) ?? -Infinity,
    gte: readInteger(filter, "gte", key) ?? -Infinity,
    lt: readInteger(filter, "lt", key) ?? Infinity,
    lte: readInteger(filter, "lte", key) ?? Infinity,
  };
  return value > gt && value >= gte && value < lt && value <= lte;
}
