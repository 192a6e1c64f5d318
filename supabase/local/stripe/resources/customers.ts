import type Stripe from "stripe";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { readForm, readMetadata, readString } from "../params.ts";
import { change } from "../state.ts";

const FIELDS = [
  "address",
  "description",
  "email",
  "metadata",
  "name",
  "phone",
] as const satisfies readonly (keyof Stripe.CustomerCreateParams)[];

/** What the parameters set; an empty string unsets, an absent parameter leaves as it is. */
function fields({ params }: Call, existing?: Stripe.Customer): Partial<Stripe.Customer> {
  const patch: Partial<Stripe.Customer> = {};
  for (const key of ["description", "email", "name", "phone"] as const) {
    if (params[key] !== undefined) patch[key] = readString(params, key) ?? null;
  }
  const address = readForm(params, "address");
  if (address) {
    const part = (key: string) => readString(address, key, "address") ?? null;
    patch.address = {
      city: part("city"),
      country: part("country"),
      line1: part("line1"),
      line2: part("line2"),
      postal_code: part("postal_code"),
      state: part("state"),
    };
  }
  if (params.metadata !== undefined) patch.metadata = readMetadata(params, existing?.metadata);
  return patch;
}

function createCustomer(call: Call): Stripe.Customer {
  const customer: Stripe.Customer = {
    id: newId("cus", 14),
    object: "customer",
    address: null,
    balance: 0,
    created: call.sim.seconds(),
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: newId("x", 8).slice(2).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: "none",
    test_clock: null,
    ...fields(call),
  };
  call.sim.state.customers.add(call.account, customer);
  emit(call, "customer.created", customer);
  return customer;
}

export const customers: EndpointDefinition[] = [
  { method: "POST", path: "/v1/customers", accepts: FIELDS, run: createCustomer },
  {
    method: "GET",
    path: "/v1/customers",
    accepts: [...LIST_PARAMETERS, "email"],
    run(call) {
      const email = readString(call.params, "email");
      const rows = call.sim.state.customers.all(call.account)
        .filter((customer) => !email || customer.email === email);
      return listOf(call, "customer", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/customers/:id",
    run: ({ sim, account }, { id }) => sim.state.customers.get(account, id),
  },
  {
    method: "POST",
    path: "/v1/customers/:id",
    accepts: FIELDS,
    run(call, { id }) {
      const customer = call.sim.state.customers.get(call.account, id);
      const previous = change(customer, fields(call, customer));
      emit(call, "customer.updated", customer, previous);
      return customer;
    },
  },
];
