import type Stripe from "stripe";
import { CURRENCIES, inWords, MAXIMUM_CHARGE, minimumCharge } from "./currencies.ts";
import { badParameter, refused } from "./errors.ts";
import type { Form, FormValue } from "./forms.ts";

/** Readers of parameters. `at` is the place of the form in the request, for `param` in errors. */
function placed(key: string, at: string): string {
  return at === "" ? key : `${at}[${key}]`;
}

export function refuseUnknown(form: Form, known: readonly string[], at = ""): void {
  const unknown = Object.keys(form).filter((key) => !known.includes(key))
    .map((key) => placed(key, at));
  if (unknown.length === 0) return;
  const message = `Received unknown parameter${unknown.length > 1 ? "s" : ""}: ${
    unknown.join(", ")
  }`;
  throw badParameter(message, unknown[0], "parameter_unknown");
}

export function missing(key: string, at = ""): Error {
  const param = placed(key, at);
  return badParameter(`Missing required param: ${param}.`, param, "parameter_missing");
}

/** Absent and empty are the same: Stripe reads an empty string as "unset". */
export function readString(form: Form, key: string, at = ""): string | undefined {
  const value = form[key];
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") throw badParameter("Invalid string", placed(key, at));
  if (value.length > 5000) {
    const message = `Invalid string: must be at most 5000 characters`;
    throw badParameter(message, placed(key, at));
  }
  return value;
}

export function requireString(form: Form, key: string, at = ""): string {
  const value = readString(form, key, at);
  if (value === undefined) throw missing(key, at);
  return value;
}

export function readChoice<T extends string>(
  form: Form,
  key: string,
  choices: readonly T[],
  at = "",
): T | undefined {
  const value = readString(form, key, at);
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found) return found;
  const message = `Invalid ${placed(key, at)}: must be one of ${choices.join(", ")}`;
  throw badParameter(message, placed(key, at));
}

export function readBoolean(form: Form, key: string, at = ""): boolean | undefined {
  const value = readString(form, key, at);
  if (value === undefined) return undefined;
  if (value === "true" || value === "false") return value === "true";
  throw badParameter(`Invalid boolean: ${value}`, placed(key, at));
}

export function readInteger(form: Form, key: string, at = "", minimum?: number) {
  const value = readString(form, key, at);
  if (value === undefined) return undefined;
  const param = placed(key, at);
  if (!/^-?\d{1,19}$/.test(value)) {
    throw badParameter(`Invalid integer: ${value}`, param, "parameter_invalid_integer");
  }
  const number = Number(value);
  if (minimum !== undefined && number < minimum) {
    const message = `This value must be greater than or equal to ${minimum}.`;
    throw badParameter(message, param, "parameter_invalid_integer");
  }
  return number;
}

export function requireInteger(form: Form, key: string, at = "", minimum?: number): number {
  const value = readInteger(form, key, at, minimum);
  if (value === undefined) throw missing(key, at);
  return value;
}

export function requireCurrency(form: Form, at = ""): string {
  const currency = requireString(form, "currency", at).toLowerCase();
  if (CURRENCIES.has(currency)) return currency;
  const supported = [...CURRENCIES].join(", ");
  const message = `Invalid currency: ${currency}. Stripe currently supports these currencies: ` +
    supported;
  throw badParameter(message, placed("currency", at));
}

/** What a card may be charged: the limits are the endpoint's, so such a refusal is remembered. */
export function checkChargeable(amount: number, currency: string, param = "amount"): void {
  if (amount > MAXIMUM_CHARGE) throw tooLarge(currency, param);
  if (amount < minimumCharge(currency)) {
    const least = inWords(minimumCharge(currency), currency);
    const message = `Amount must be at least ${least} ${currency}`;
    throw refused(message, { code: "amount_too_small", param });
  }
}

export function checkMovable(amount: number, currency: string): void {
  if (amount > MAXIMUM_CHARGE) throw tooLarge(currency, "amount");
}

function tooLarge(currency: string, param: string) {
  const message = `Amount must be no more than ${inWords(MAXIMUM_CHARGE, currency)}`;
  return refused(message, { code: "amount_too_large", param });
}

export function readForm(form: Form, key: string, at = ""): Form | undefined {
  const value = form[key];
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") throw badParameter("Invalid object", placed(key, at));
  return value;
}

export function readList(form: Form, key: string, at = ""): FormValue[] {
  const list = readForm(form, key, at);
  if (!list) return [];
  const keys = Object.keys(list);
  if (keys.some((index) => !/^\d+$/.test(index))) {
    throw badParameter("Invalid array", placed(key, at));
  }
  return keys.sort((a, b) => Number(a) - Number(b)).map((index) => list[index]);
}

export function readStrings(form: Form, key: string, at = ""): string[] {
  return readList(form, key, at).map((value) => {
    if (typeof value !== "string") throw badParameter("Invalid string", placed(key, at));
    return value;
  });
}

/** Keys are merged into what is there; an empty value removes its key, an empty object them all. */
export function readMetadata(form: Form, existing: Stripe.Metadata = {}, at = "") {
  const param = placed("metadata", at);
  if (form.metadata === undefined) return { ...existing };
  if (form.metadata === "") return {};
  const merged = { ...existing };
  for (const [key, value] of Object.entries(readForm(form, "metadata", at) ?? {})) {
    if (typeof value !== "string") throw badParameter("Metadata must be strings", param);
    if (key.length > 40) throw badParameter("Metadata keys have at most 40 characters", param);
    if (value.length > 500) {
      throw badParameter("Metadata values have at most 500 characters", param);
    }
    if (value === "") delete merged[key];
    else merged[key] = value;
  }
  if (Object.keys(merged).length > 50) {
    throw badParameter("Metadata has at most 50 keys", param);
  }
  return merged;
}
