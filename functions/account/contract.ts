import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

const amount = z.int().min(0).max(1_000_000_000);
const currency = z.string().regex(/^[A-Z]{3}$/, "must be a three-letter currency code such as EUR");
const kind = z.enum(["spend", "deposit"]);
const period = z.enum(["day", "week", "month"]);
const time = z.iso.datetime({ offset: true });

const changes = z.strictObject({
  display_name: z.string().trim().min(1).max(80)
    .regex(/^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u, "must not have control characters")
    .regex(/[\p{L}\p{N}\p{P}\p{S}]/u, "must have something to see")
    .nullable(),
  phone: z.string().regex(/^\+[1-9][0-9]{6,14}$/, "must be a number such as +34600111222")
    .nullable(),
  country: z.string().regex(/^[A-Z]{2}$/, "must be a two-letter country code such as ES")
    .nullable(),
  birth_date: z.iso.date().refine((date) => date >= "1900-01-01", "must not be before 1900"),
  locale: z.string().regex(
    /^(en|es|it)(-[A-Z]{2})?$/,
    "must be en, es or it, perhaps with a country: es-CO",
  ),
  preferences: z.record(z.string().max(64), z.any())
    .refine(
      (value) => JSON.stringify(value).length <= 4096,
      "must not be longer than 4096 characters",
    ),
}).partial();

const account = z.object({
  profile: z.object({
    id: z.uuid(),
    display_name: z.string().nullable(),
    phone: z.string().nullable(),
    country: z.string().nullable(),
    birth_date: z.iso.date().nullable(),
    locale: z.string(),
    preferences: z.record(z.string(), z.unknown()),
    kyc_status: z.enum(["NONE", "PENDING", "VERIFIED", "REJECTED"]),
    status: z.enum(["ACTIVE", "SUSPENDED", "DEACTIVATED"]),
    created_at: time,
  }),
  roles: z.array(z.enum(["player", "operator", "admin"])),
  limits: z.array(z.object({
    kind,
    period,
    amount_cents: amount,
    currency,
    pending: z.object({ amount_cents: amount, effective_at: time }).optional(),
  })),
  self_excluded_until: time.nullable(),
});

const inbox = z.object({ subscriber_id: z.uuid(), subscriber_hash: z.string() });

export const contract = defineContract("account", {
  readAccount: {
    method: "get",
    path: "/",
    summary: "Your own profile, roles, limits and self-exclusion",
    caller: "user",
    response: account,
  },
  readInbox: {
    method: "get",
    path: "/inbox",
    summary:
      "What Novu's in-app inbox asks of a frontend, so that people see their own messages only",
    caller: "user",
    response: inbox,
  },
  changeAccount: {
    method: "patch",
    path: "/",
    summary: "Change your profile; what is not sent stays, preferences are merged key by key",
    caller: "user",
    body: changes,
    response: account,
    errors: ["birth_date_locked", "rate_limited"],
  },
  setLimit: {
    method: "put",
    path: "/limits",
    summary: "Limit your own spending or deposits; a higher limit takes effect after 24 hours",
    caller: "user",
    body: z.strictObject({ kind, period, amount_cents: amount, currency }),
    response: account,
    errors: ["rate_limited"],
  },
  excludeSelf: {
    method: "post",
    path: "/self-exclusion",
    summary: "Exclude yourself from play; it can be made longer, never shorter",
    caller: "user",
    body: z.strictObject({ days: z.int().min(1).max(36_500).optional(), until: time.optional() })
      .refine(({ days, until }) => (days === undefined) !== (until === undefined), {
        path: ["days"],
        message: "send either days or until",
      }),
    response: account,
    errors: ["self_exclusion_locked"],
  },
  claimAdmin: {
    method: "post",
    path: "/claim-admin",
    summary: "Become the first admin, with the deployment's admin secret",
    caller: "user",
    body: z.strictObject({ secret: z.string().min(1).max(1024) }),
    response: account,
    errors: [
      "not_permitted",
      "account_suspended",
      "email_unverified",
      "admin_exists",
      "rate_limited",
    ],
  },
});
