import type Stripe from "stripe";
import type { Call, EndpointDefinition } from "../endpoint.ts";
import { badParameter } from "../errors.ts";
import { emit } from "./events.ts";
import type { Form } from "../forms.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { readChoice, readForm, readMetadata, readString, requireString } from "../params.ts";
import { type Caller, PLATFORM, type Simulator } from "../simulator.ts";
import { change } from "../state.ts";

const FIELDS = ["business_type", "email", "external_account", "metadata"] as const;
const CREATE = [
  ...FIELDS,
  "business_profile",
  "capabilities",
  "company",
  "controller",
  "country",
  "default_currency",
  "individual",
  "settings",
  "tos_acceptance",
  "type",
] as const satisfies readonly (keyof Stripe.AccountCreateParams)[];
const TYPES = ["custom", "express", "standard"] as const;
const REQUIREMENTS = ["external_account", "tos_acceptance.date", "tos_acceptance.ip"];
const LOCAL_CURRENCY: Record<string, string> = {
  CO: "cop",
  GB: "gbp",
  JP: "jpy",
  TZ: "tzs",
  US: "usd",
};

/** Stripe's test account numbers whose payouts fail, and how. */
const FAILING_BANKS: Record<string, string> = {
  "000111111113": "account_closed",
  "000111111116": "no_account",
  "000222222227": "insufficient_funds",
  "000333333335": "debit_not_authorized",
  "000444444440": "invalid_currency",
};

interface AccountPlan {
  id?: string;
  type?: Stripe.Account.Type;
  country?: string;
  currency?: string;
  email?: string | null;
  metadata?: Stripe.Metadata;
  businessType?: Stripe.Account.BusinessType | null;
}

/** Not yet onboarded: it can neither receive transfers nor be paid out. */
export function createAccount(sim: Simulator, plan: AccountPlan): Stripe.Account {
  const id = plan.id ?? newId("acct", 16);
  const country = plan.country ?? "US";
  const account: Stripe.Account = {
    id,
    object: "account",
    business_profile: null,
    business_type: plan.businessType ?? null,
    capabilities: { card_payments: "inactive", transfers: "inactive" },
    charges_enabled: false,
    country,
    created: sim.seconds(),
    default_currency: plan.currency ?? LOCAL_CURRENCY[country] ?? "eur",
    details_submitted: false,
    email: plan.email ?? null,
    external_accounts: {
      object: "list",
      data: [],
      has_more: false,
      url: `/v1/accounts/${id}/external_accounts`,
    },
    future_requirements: requirements([]),
    metadata: plan.metadata ?? {},
    payouts_enabled: false,
    requirements: requirements(REQUIREMENTS),
    type: plan.type ?? "express",
  };
  // Connected accounts are objects of the platform, though they act on their own.
  return sim.state.accounts.add(PLATFORM, account);
}

function requirements(due: string[]): Stripe.Account.Requirements {
  return {
    alternatives: [],
    current_deadline: null,
    currently_due: due,
    disabled_reason: due.length > 0 ? "requirements.past_due" : null,
    errors: [],
    eventually_due: due,
    past_due: due,
    pending_verification: [],
  };
}

function addBank(sim: Simulator, account: Stripe.Account, number = "000123456789"): void {
  const bank: Stripe.BankAccount = {
    id: newId("ba"),
    object: "bank_account",
    account: account.id,
    account_holder_name: null,
    account_holder_type: null,
    account_type: null,
    available_payout_methods: ["standard"],
    bank_name: "STRIPE TEST BANK",
    country: account.country ?? "US",
    currency: account.default_currency ?? "usd",
    default_for_currency: true,
    fingerprint: newId("fp", 12),
    last4: number.slice(-4),
    metadata: {},
    routing_number: "110000000",
    status: "new",
  };
  account.external_accounts!.data = [bank];
  const failure = FAILING_BANKS[number];
  if (failure) sim.state.bankFailures.set(account.id, failure);
  else sim.state.bankFailures.delete(account.id);
}

/** What a person does on the onboarding page, or an operator by /_control. */
export function setOnboarded(caller: Caller, account: Stripe.Account, onboarded: boolean): void {
  if (onboarded && account.external_accounts!.data.length === 0) addBank(caller.sim, account);
  const status = onboarded ? "active" : "inactive";
  const previous = change(account, {
    capabilities: { card_payments: status, transfers: status },
    charges_enabled: onboarded,
    details_submitted: onboarded || account.details_submitted,
    payouts_enabled: onboarded,
    requirements: requirements(onboarded ? [] : REQUIREMENTS),
  });
  emit({ ...caller, account: account.id }, "account.updated", account, previous);
}

export function seedAccounts(sim: Simulator, ids: string[]): void {
  createAccount(sim, { id: PLATFORM, type: "standard" });
  for (const id of ids) setOnboarded(sim.caller(PLATFORM), createAccount(sim, { id }), true);
}

function bankNumber(params: Form): string | undefined {
  if (params.external_account === undefined) return undefined;
  if (typeof params.external_account === "string") return "000123456789";
  const bank = readForm(params, "external_account")!;
  return requireString(bank, "account_number", "external_account");
}

function create(call: Call): Stripe.Account {
  const { sim, params } = call;
  const plan: AccountPlan = {
    type: readChoice(params, "type", TYPES) ?? "standard",
    country: readString(params, "country"),
    currency: readString(params, "default_currency"),
    email: readString(params, "email"),
    metadata: readMetadata(params),
    businessType: readString(params, "business_type") as Stripe.Account.BusinessType,
  };
  const number = bankNumber(params);
  const accepted = readForm(params, "tos_acceptance");
  const account = createAccount(sim, plan);
  if (number) addBank(sim, account, number);
  // A custom account that brings all that is required needs no onboarding page.
  if (plan.type === "custom" && number && accepted) setOnboarded(call, account, true);
  return account;
}

function update(call: Call, { id }: Record<string, string>): Stripe.Account {
  const { sim, params } = call;
  const account = sim.state.accounts.get(PLATFORM, id);
  const patch: Partial<Stripe.Account> = {
    metadata: readMetadata(params, account.metadata),
    email: readString(params, "email") ?? account.email,
  };
  const number = bankNumber(params);
  if (number) addBank(sim, account, number);
  emit({ ...call, account: id }, "account.updated", account, change(account, patch));
  return account;
}

function createLink(call: Call): Stripe.AccountLink {
  const { sim, params } = call;
  const account = sim.state.accounts.get(PLATFORM, requireString(params, "account"), "account");
  const type = readChoice(params, "type", ["account_onboarding", "account_update"]);
  if (!type) throw badParameter("Missing required param: type.", "type", "parameter_missing");
  const url = (key: string) => {
    const value = requireString(params, key);
    if (!URL.canParse(value)) throw badParameter("Not a valid URL", key, "url_invalid");
    return value;
  };
  url("refresh_url");
  const token = newId("link", 20);
  const expires = sim.seconds() + 300;
  sim.state.onboarding.set(token, { account: account.id, returnUrl: url("return_url"), expires });
  return {
    object: "account_link",
    created: sim.seconds(),
    expires_at: expires,
    url: `${call.origin}/onboarding/${token}`,
  };
}

export const accounts: EndpointDefinition[] = [
  { method: "POST", path: "/v1/accounts", accepts: CREATE, run: create },
  {
    method: "GET",
    path: "/v1/accounts",
    accepts: LIST_PARAMETERS,
    run(call) {
      const rows = call.sim.state.accounts.all().filter((account) => account.id !== PLATFORM);
      return listOf(call, "account", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/account",
    run: ({ sim, account }) => sim.state.accounts.get(PLATFORM, account),
  },
  {
    method: "GET",
    path: "/v1/accounts/:id",
    run: ({ sim }, { id }) => sim.state.accounts.get(PLATFORM, id),
  },
  { method: "POST", path: "/v1/accounts/:id", accepts: FIELDS, run: update },
  {
    method: "POST",
    path: "/v1/account_links",
    accepts: ["account", "type", "refresh_url", "return_url", "collect", "collection_options"],
    run: createLink,
  },
];
