// Who may do what: the expectations that access-matrix.test.ts holds against the catalogue. Whatever
// a migration adds or grants needs a line here, so that nobody gains a right by accident.
import { randomUUID } from "node:crypto";

export const roles = ["anon", "authenticated", "service_role"] as const;
export type Role = (typeof roles)[number];

/** "suspended" is an operator whose account is: no more than any user. */
export const actors = [
  "nobody",
  "user",
  "other user",
  "suspended",
  "operator",
  "admin",
  "service_role",
] as const;
export type ActorName = (typeof actors)[number];

/** Which rows: those that carry the actor's id, every one, none, those of a condition, or no entry at all. */
export type Reach = "own" | "all" | "none" | `where ${string}` | "refused";
export type Verb = "select" | "insert" | "update" | "delete";
type Rows = Partial<Record<Verb, Reach>>;

export interface TableAccess {
  /** What the role is granted, as a list; in brackets the columns, where it is not the whole table. */
  granted: Partial<Record<Role, string>>;
  /** The column that says whose row it is. */
  owner: string;
  /** Who reaches which rows; a verb that is missing is refused. */
  rows: Record<"nobody" | "user" | "operator" | "admin" | "service_role", Rows>;
  /** A valid row of the person's own, or null where every person has one from the start. */
  sample: (owner: string) => Record<string, unknown> | null;
}

const ownSeen: Rows = { select: "own" };
const allSeen: Rows = { select: "all" };

export const tables: Record<string, TableAccess> = {
  "public.profiles": {
    granted: {
      authenticated:
        "select, update(birth_date, country, display_name, locale, phone, preferences)",
      service_role: "select",
    },
    owner: "id",
    rows: {
      nobody: {},
      user: { select: "own", update: "own" },
      operator: { select: "all", update: "all" },
      admin: { select: "all", update: "all" },
      service_role: allSeen,
    },
    sample: () => null,
  },
  "public.user_roles": {
    granted: { authenticated: "select", service_role: "select" },
    owner: "user_id",
    rows: {
      nobody: {},
      user: ownSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    // Only staff have roles; a suspended operator keeps theirs and sees no other.
    sample: () => null,
  },
  "public.play_limits": {
    granted: { authenticated: "select", service_role: "select" },
    owner: "user_id",
    rows: {
      nobody: {},
      user: ownSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({
      user_id: owner,
      kind: "spend",
      period: "day",
      currency: "EUR",
      amount_cents: 100,
    }),
  },
  "public.audit_log": {
    granted: { authenticated: "select", service_role: "select" },
    owner: "actor_id",
    rows: {
      nobody: {},
      user: { select: "none" },
      operator: { select: "none" },
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({
      actor_id: owner,
      actor_kind: "player",
      action: "update",
      subject_table: "profiles",
      subject_id: randomUUID(),
    }),
  },
};

/** Views, and the internal tables of app: what each role is granted, and nothing if it says nothing. */
export const internal: Record<string, Partial<Record<Role, string>>> = {
  "app.admin_claims": {},
  "app.error_codes": { anon: "select", authenticated: "select", service_role: "select" },
  "app.idempotency_keys": {},
  "app.rate_buckets": {},
  "app.rate_limits": {},
  "app.settings": {},
};

export const sequences: Record<string, Partial<Record<Role, string>>> = {
  "public.audit_log_id_seq": {},
};

/** Who may execute it: roles, and in the end the staff role without which it raises not_permitted. */
export const functions: Record<string, string> = {
  // The API
  "public.begin_admin_claim()": "authenticated",
  "public.check_session()": "authenticated",
  "public.exclude_self(timestamp with time zone)": "authenticated",
  "public.get_account()": "authenticated",
  "public.grant_admin_claim(uuid)": "service_role",
  "public.grant_role(uuid, staff_role)": "authenticated: admin",
  "public.report_health()": "anon authenticated service_role",
  "public.revoke_role(uuid, staff_role)": "authenticated: admin",
  "public.set_account_status(uuid, account_status)": "authenticated: operator",
  "public.set_kyc_status(uuid, kyc_status)": "authenticated: operator",
  "public.set_play_limit(limit_kind, limit_period, bigint, text)": "authenticated",
  "public.set_setting(text, integer)": "authenticated: admin",
  "public.update_account(jsonb)": "authenticated",

  // What stands behind it, and checks its caller again
  "app.begin_admin_claim()": "authenticated",
  "app.describe_account()": "authenticated",
  "app.exclude_self(timestamp with time zone)": "authenticated",
  "app.grant_admin_claim(uuid)": "service_role",
  "app.grant_role(uuid, staff_role)": "authenticated: admin",
  "app.report_health()": "anon authenticated service_role",
  "app.revoke_role(uuid, staff_role)": "authenticated: admin",
  "app.set_account_status(uuid, account_status)": "authenticated: operator",
  "app.set_kyc_status(uuid, kyc_status)": "authenticated: operator",
  "app.set_play_limit(limit_kind, limit_period, bigint, text)": "authenticated",
  "app.set_setting(text, integer)": "authenticated: admin",
  "app.signed_in_user()": "authenticated",
  "app.update_profile(jsonb)": "authenticated",

  // What policies and requests need
  "app.check_request()": "anon authenticated service_role",
  "app.fail(text, jsonb)": "anon authenticated service_role",
  "app.has_role(staff_role)": "authenticated",

  // For functions, triggers and the clock only
  "app.active_user()": "",
  "app.actor_kind()": "",
  "app.claim_key(uuid, text, text, jsonb)": "",
  "app.clock()": "",
  "app.enforce_birth_date_lock()": "",
  "app.failing_jobs()": "",
  "app.limit_in_force(play_limits)": "",
  "app.make_profile(uuid)": "",
  "app.on_sign_up()": "",
  "app.purge()": "",
  "app.purge_idempotency_keys()": "",
  "app.purge_rate_buckets()": "",
  "app.record_change()": "",
  "app.refuse_change()": "",
  "app.release_key(uuid, text, text)": "",
  "app.require_role(staff_role)": "",
  "app.setting(text)": "",
  "app.store_answer(uuid, text, text, jsonb)": "",
  "app.take_token(text, uuid)": "",
  "app.touch_updated_at()": "",
};
