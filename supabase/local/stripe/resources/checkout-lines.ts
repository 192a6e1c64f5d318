import type Stripe from "stripe";
import { badParameter, noSuch } from "../errors.ts";
import type { Form } from "../forms.ts";
import { newId } from "../ids.ts";
import {
  missing,
  readForm,
  readList,
  readMetadata,
  readString,
  readStrings,
  refuseUnknown,
  requireCurrency,
  requireInteger,
  requireString,
} from "../params.ts";
import type { Simulator } from "../simulator.ts";

/** Lines priced on the spot (`price_data`): the simulator keeps no catalogue of prices. */
export function readLines(sim: Simulator, params: Form): Stripe.LineItem[] {
  const given = readList(params, "line_items");
  if (given.length === 0) throw missing("line_items");
  const lines = given.map((line, index) => {
    const at = `line_items[${index}]`;
    if (typeof line === "string") throw badParameter("Invalid object", at);
    return readLine(sim, line, at);
  });
  const other = lines.find((line) => line.currency !== lines[0].currency);
  if (other) {
    const message = "All line items must have the same currency: " +
      `${lines[0].currency} and ${other.currency} were given.`;
    throw badParameter(message, "line_items");
  }
  return lines;
}

function readLine(sim: Simulator, line: Form, at: string): Stripe.LineItem {
  refuseUnknown(line, ["price", "price_data", "quantity", "adjustable_quantity", "metadata"], at);
  const price = readString(line, "price", at);
  if (price) throw noSuch("price", price, `${at}[price]`, 400);
  const data = readForm(line, "price_data", at);
  if (!data) throw missing("price_data", at);
  const inData = `${at}[price_data]`;
  refuseUnknown(data, ["currency", "product_data", "unit_amount", "tax_behavior"], inData);
  const currency = requireCurrency(data, inData);
  const unit = requireInteger(data, "unit_amount", inData, 0);
  const quantity = requireInteger(line, "quantity", at, 1);
  const product = readForm(data, "product_data", inData);
  if (!product) throw missing("product_data", inData);
  const inProduct = `${inData}[product_data]`;
  refuseUnknown(product, ["name", "description", "images", "metadata", "tax_code"], inProduct);
  readStrings(product, "images", inProduct);
  const total = unit * quantity;
  return {
    id: newId("li"),
    object: "item",
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: total,
    amount_tax: 0,
    amount_total: total,
    currency,
    description: requireString(product, "name", inProduct),
    metadata: readMetadata(line, {}, at),
    price: priceOf(sim, currency, unit),
    quantity,
  };
}

function priceOf(sim: Simulator, currency: string, unit: number): Stripe.Price {
  return {
    id: newId("price"),
    object: "price",
    active: false,
    billing_scheme: "per_unit",
    created: sim.seconds(),
    currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: newId("prod", 14),
    recurring: null,
    tax_behavior: "unspecified",
    tiers_mode: null,
    transform_quantity: null,
    type: "one_time",
    unit_amount: unit,
    // On the wire a decimal is a string; the package makes its own type of it.
    unit_amount_decimal: String(unit) as unknown as Stripe.Price["unit_amount_decimal"],
  };
}
