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
  /** What the database sets by itself, and samples of other tables refer to. */
  key?: (owner: string) => Record<string, unknown>;
}

/** A number that stands for the person, as key of what they have one of. */
const numberOf = (owner: string) => Number.parseInt(owner.slice(0, 8), 16);

const ownSeen: Rows = { select: "own" };
const allSeen: Rows = { select: "all" };

const seenByOwner = (
  sample: TableAccess["sample"],
  key?: TableAccess["key"],
): TableAccess => ({
  granted: { authenticated: "select", service_role: "select" },
  owner: "user_id",
  rows: {
    nobody: {},
    user: ownSeen,
    operator: allSeen,
    admin: allSeen,
    service_role: allSeen,
  },
  sample,
  key,
});

/** What only who works here reads, though it may be about somebody. */
const seenByStaff = (owner: string, sample: TableAccess["sample"]): TableAccess => ({
  granted: { authenticated: "select", service_role: "select" },
  owner,
  rows: {
    nobody: {},
    user: { select: "none" },
    operator: allSeen,
    admin: allSeen,
    service_role: allSeen,
  },
  sample,
});

/** What everyone reads, and operators write in the columns that are granted. */
function catalogue({ granted, sample, key, public: seen = allSeen }: {
  granted: string;
  sample: TableAccess["sample"];
  key: TableAccess["key"];
  public?: Rows;
}): TableAccess {
  const columns = granted.split(", ").sort().join(", ");
  const written: Rows = { select: "all", insert: "all", update: "all", delete: "all" };
  const unwritten: Rows = { ...seen, update: "none", delete: "none" };
  return {
    granted: {
      anon: "select",
      authenticated: `delete, insert(${columns}), select, update(${columns})`,
      service_role: "select",
    },
    owner: "id",
    rows: {
      nobody: seen,
      user: unwritten,
      operator: written,
      admin: written,
      service_role: allSeen,
    },
    sample,
    key,
  };
}

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
  "public.currencies": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "name",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: () => null,
  },
  "public.operator_alerts": seenByStaff("resolved_by", (owner) => ({
    kind: "invariant",
    subject: owner,
    resolved_by: owner,
    resolved_at: new Date(),
  })),
  "public.notifications": seenByStaff("user_id", (owner) => ({
    outbox_id: numberOf(owner),
    event: "welcome",
    user_id: owner,
    happened_at: new Date(),
  })),
  "public.jobs": seenByStaff("name", (owner) => ({
    name: `of-${owner.replace(/[^a-f]/g, "")}`,
    schedule: "* * * * *",
    command: "select",
    description: owner,
  })),
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
  "public.prizes": catalogue({
    granted: "title, description, value_cents, currency, stock, sponsor, image_urls",
    sample: (owner) => ({ title: owner, value_cents: 100 }),
    key: (owner) => ({ id: owner }),
  }),
  "public.raffle_categories": catalogue({
    granted:
      "name, color, ticket_price_cents, currency, rake_bps, prize_fund_cents, prize_per_winner_cents",
    sample: (owner) => ({ name: owner, ticket_price_cents: 100 }),
    key: (owner) => ({ id: owner }),
  }),
  "public.lotteries": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({ name: owner, digits: 4 }),
    key: (owner) => ({ id: owner }),
  },
  // The samples are drafts.
  "public.raffles": catalogue({
    granted: "prize_id, category_id, title, description, ticket_price_cents, currency, " +
      "tickets_required, min_tickets, max_per_user, numbering, winners_count, prize_tiers, " +
      "draw_method, lottery_id, lottery_draw_date, unsold_rule, opens_at, closes_at, lanes, " +
      "boost_price_cents, boost_limit, retry_of, retry_price_cents",
    public: { select: "none" },
    sample: (owner) => ({
      prize_id: owner,
      title: owner,
      ticket_price_cents: 100,
      tickets_required: 10,
      closes_at: new Date(),
    }),
    key: (owner) => ({ id: owner, lottery_id: owner, category_id: owner, retry_of: owner }),
  }),
  "public.purchases": seenByOwner((owner) => ({
    user_id: owner,
    raffle_id: owner,
    type: "ENTRY",
    status: "PENDING",
    quantity: 1,
    amount_cents: 100,
    currency: "EUR",
    payment_method: "card",
    redeem: true,
  })),
  "public.tickets": seenByOwner((owner) => ({
    user_id: owner,
    raffle_id: owner,
    purchase_id: owner,
    ticket_num: 1,
  })),
  "public.draws": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "raffle_id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({
      raffle_id: owner,
      ticket_count: 1,
      ticket_root: "0".repeat(64),
      sealed_at: new Date(),
    }),
  },
  "public.lottery_dates": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "lottery_id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({ lottery_id: owner, draw_date: "2030-01-01", takes_place: true }),
  },
  "public.lottery_results": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "lottery_id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({ lottery_id: owner, draw_date: "2030-01-01", winning_number: "1234" }),
  },
  "public.lottery_draws": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "raffle_id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({ raffle_id: owner, lottery_id: owner, draw_date: "2030-01-01" }),
  },
  "public.winners": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "raffle_id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({ raffle_id: owner, place: 1, ticket_num: 1 }),
  },
  "public.raffle_progress": {
    granted: { anon: "select", authenticated: "select", service_role: "select" },
    owner: "raffle_id",
    rows: {
      nobody: allSeen,
      user: allSeen,
      operator: allSeen,
      admin: allSeen,
      service_role: allSeen,
    },
    sample: (owner) => ({ raffle_id: owner, state: "OPEN", tickets_sold: 1 }),
  },
  "public.prize_claims": seenByOwner((owner) => ({
    user_id: owner,
    raffle_id: owner,
    place: 1,
    claim_until: new Date(),
  })),
  "public.play_limits": seenByOwner((owner) => ({
    user_id: owner,
    kind: "spend",
    period: "day",
    currency: "EUR",
    amount_cents: 100,
  })),
  "public.wallet_accounts": seenByOwner((owner) => ({
    user_id: owner,
    kind: "USER",
    currency: "EUR",
    balance_cents: 0,
    held_cents: 0,
    debt_cents: 0,
  }), (owner) => ({ id: numberOf(owner) })),
  "public.house_balances": seenByStaff("raffle_id", (owner) => ({
    account_id: numberOf(owner),
    kind: "RAFFLE_ESCROW",
    raffle_id: owner,
    currency: "EUR",
    balance_cents: 1,
  })),
  "public.wallet_ledger": seenByOwner((owner) => ({
    user_id: owner,
    account_id: numberOf(owner),
    transaction_id: numberOf(owner),
    direction: "CREDIT",
    amount_cents: 100,
    currency: "EUR",
    reason: "TOPUP",
  })),
  "public.wallet_balances": seenByOwner(() => null),
  "public.wallet_holds": seenByOwner((owner) => ({
    user_id: owner,
    account_id: numberOf(owner),
    amount_cents: 100,
    reason: "WITHDRAWAL",
  }), (owner) => ({ id: numberOf(owner) })),
  "public.wallet_topups": seenByOwner((owner) => ({
    user_id: owner,
    account_id: numberOf(owner),
    amount_cents: 100,
    currency: "EUR",
    method: "checkout",
  })),
  "public.wallet_withdrawals": seenByOwner((owner) => ({
    user_id: owner,
    account_id: numberOf(owner),
    hold_id: numberOf(owner),
    amount_cents: 100,
    currency: "EUR",
    destination: "acct_1",
  })),
};

/** Views, and the internal tables of app: what each role is granted, and nothing if it says nothing. */
export const internal: Record<string, Partial<Record<Role, string>>> = {
  "app.admin_claims": {},
  "app.beacon_chains": {},
  "app.lottery_entries": {},
  "app.draw_blocks": {},
  "app.card_payments": {},
  "app.card_reversals": {},
  "app.card_refunds": {},
  "app.function_calls": {},
  "app.ledger_mark": {},
  "app.number_claims": {},
  "app.outbox": {},
  "app.popular_raffles": {},
  "app.raffle_gaps": {},
  "app.raffle_keys": {},
  "app.raffle_lanes": {},
  "app.reservations": {},
  "app.error_codes": { anon: "select", authenticated: "select", service_role: "select" },
  "app.idempotency_keys": {},
  "app.rate_buckets": {},
  "app.rate_limits": {},
  "app.settings": {},
  "app.state_changes": {},
  "app.stripe_customers": {},
  "app.stripe_events": {},
};

export const sequences: Record<string, Partial<Record<Role, string>>> = {
  "app.ledger_transactions": {},
  "app.function_calls_id_seq": {},
  "app.outbox_id_seq": {},
  "public.tickets_id_seq": {},
  "public.audit_log_id_seq": {},
  "public.operator_alerts_id_seq": {},
  "public.wallet_accounts_id_seq": {},
  "public.wallet_holds_id_seq": {},
  "public.wallet_ledger_id_seq": {},
};

/**
 * Who may execute it: roles, and in the end the staff role without which it raises not_permitted.
 * What is not here nobody may.
 */
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
  "public.adjust_wallet(uuid, text, bigint, text)": "authenticated: admin",
  "public.begin_purchase(text, uuid, integer, integer[], purchase_type, payment_method, boolean, bigint)":
    "authenticated",
  "public.begin_purchase_check(uuid)": "authenticated",
  "public.cancel_raffle(uuid, text, boolean)": "authenticated: operator",
  "public.duplicate_raffle(uuid)": "authenticated: operator",
  "public.get_purchase(uuid)": "authenticated",
  "public.get_raffle(uuid)": "anon authenticated service_role",
  "public.list_purchases(integer, integer)": "authenticated",
  "public.list_raffles(integer, integer, raffle_state, uuid, text, text)":
    "anon authenticated service_role",
  "public.publish_raffle(uuid)": "authenticated: operator",
  "public.requeue_notifications(uuid[])": "authenticated: operator",
  "public.claim_notifications(integer)": "service_role",
  "public.record_notifications(uuid[], uuid[], jsonb)": "service_role",
  "public.redeem_ticket(text, uuid, integer[])": "authenticated",
  "public.request_card_refund(uuid)": "authenticated",
  "public.tickets_sold(raffles)": "anon authenticated service_role",
  "public.claim_prize(uuid, integer, jsonb)": "authenticated",
  "public.set_lottery_date(uuid, date, boolean)": "authenticated: admin",
  "public.record_lottery_result(uuid, date, text, text)": "authenticated: operator",
  "public.send_prize(uuid, integer, prize_claim_status, text)": "authenticated: operator",
  "public.describe_draw(uuid, integer, integer)": "anon authenticated service_role",
  "public.describe_state(uuid)": "anon authenticated service_role",
  "public.prove_ticket(uuid, integer)": "anon authenticated service_role",
  "public.begin_topup(text, bigint, text, payment_form, jsonb)": "authenticated",
  "public.get_customer()": "authenticated",
  "public.begin_topup_check(uuid)": "authenticated",
  "public.begin_withdrawal(text, bigint, text)": "authenticated",
  "public.get_topup(uuid)": "authenticated",
  "public.get_withdrawal(uuid)": "authenticated",
  "public.list_topups(integer, integer)": "authenticated",
  "public.list_withdrawals(integer, integer)": "authenticated",
  "public.reinstate_wallet(uuid)": "authenticated: operator",
  "public.resolve_alert(bigint)": "authenticated: operator",
  "public.set_payout_account(uuid, text)": "authenticated: operator",
  "public.suspend_wallet(uuid, text)": "authenticated: operator",

  // What is due, and what Stripe says, through our own functions
  "public.due_draws(uuid, integer)": "service_role",
  "public.draw_raffle(uuid, bigint, text, text)": "service_role",
  "public.seal_raffle(uuid)": "service_role",
  "public.settle_raffle(uuid)": "service_role",
  "public.draw_by_lottery(uuid)": "service_role",
  "public.report_late_draw(uuid, jsonb)": "service_role",
  "public.awaited_results(integer)": "service_role",
  "public.record_feed_result(uuid, date, text, text)": "service_role",
  "public.finish_purchase_check(uuid)": "service_role",
  "public.record_purchase_failure(uuid, text, text, boolean)": "service_role",
  "public.refuse_purchase(uuid, text, text)": "service_role",
  "public.record_purchase_payment(uuid, text, jsonb)": "service_role",
  "public.answer_withdrawal(uuid, text)": "service_role",
  "public.apply_stripe_object(jsonb, text)": "service_role",
  "public.cancel_topup(uuid, text)": "service_role",
  "public.cancel_withdrawal(uuid)": "service_role",
  "public.claim_payout(uuid)": "service_role",
  "public.claim_transfer(uuid)": "service_role",
  "public.claim_unfinished(integer)": "service_role",
  "public.missing_events(text[])": "service_role",
  "public.told_by_stripe(integer, jsonb)": "service_role",
  "public.report_denial(text, text, jsonb)": "service_role",
  "public.recent_destinations(integer)": "service_role",
  "public.receive_stripe_event(jsonb)": "service_role",
  "public.record_customer(uuid, text)": "service_role",
  "public.record_topup(uuid, text, jsonb)": "service_role",
  "public.record_topup_failure(uuid, text, text, boolean)": "service_role",
  "public.refuse_withdrawal(uuid, text)": "service_role",

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
  "app.adjust_wallet(uuid, text, bigint, text)": "authenticated: admin",
  "app.begin_purchase(text, uuid, integer, integer[], purchase_type, payment_method, boolean, bigint, jsonb)":
    "authenticated",
  "app.begin_purchase_check(uuid)": "authenticated",
  "app.cancel_raffle(uuid, text, boolean)": "authenticated: operator",
  "app.duplicate_raffle(uuid)": "authenticated: operator",
  "app.get_purchase(uuid)": "authenticated",
  "app.get_raffle(uuid)": "anon authenticated service_role",
  "app.list_purchases(integer, integer)": "authenticated",
  "app.list_raffles(integer, integer, raffle_state, uuid, text, text)":
    "anon authenticated service_role",
  "app.publish_raffle(uuid)": "authenticated: operator",
  "app.redeem_ticket(text, uuid, integer[], jsonb)": "authenticated",
  "app.request_card_refund(uuid)": "authenticated",
  "app.count_taken(uuid)": "anon authenticated service_role",
  "app.claim_prize(uuid, integer, jsonb)": "authenticated",
  "app.set_lottery_date(uuid, date, boolean)": "authenticated: admin",
  "app.record_lottery_result(uuid, date, text, text)": "authenticated: operator",
  "app.send_prize(uuid, integer, prize_claim_status, text)": "authenticated: operator",
  "app.describe_draw(uuid, integer, integer)": "anon authenticated service_role",
  "app.describe_state(uuid)": "anon authenticated service_role",
  "app.prove_ticket(uuid, integer)": "anon authenticated service_role",
  "app.due_draws(uuid, integer)": "service_role",
  "app.draw_raffle(uuid, bigint, text, text)": "service_role",
  "app.seal_raffle(uuid)": "service_role",
  "app.settle_raffle(uuid)": "service_role",
  "app.draw_by_lottery(uuid)": "service_role",
  "app.report_late_draw(uuid, jsonb)": "service_role",
  "app.awaited_results(integer)": "service_role",
  "app.enter_lottery_result(uuid, date, text, text, app.lottery_source, uuid)": "service_role",
  "app.begin_topup(text, bigint, text, payment_form, jsonb)": "authenticated",
  "app.get_customer()": "authenticated",
  "app.begin_topup_check(uuid)": "authenticated",
  "app.begin_withdrawal(text, bigint, text, jsonb)": "authenticated",
  "app.get_topup(uuid)": "authenticated",
  "app.get_withdrawal(uuid)": "authenticated",
  "app.list_topups(integer, integer)": "authenticated",
  "app.list_withdrawals(integer, integer)": "authenticated",
  "app.reinstate_wallet(uuid)": "authenticated: operator",
  "app.requeue_notifications(uuid[])": "authenticated: operator",
  "app.claim_notifications(integer)": "service_role",
  "app.record_notifications(uuid[], uuid[], jsonb)": "service_role",
  "app.resolve_alert(bigint)": "authenticated: operator",
  "app.set_payout_account(uuid, text)": "authenticated: operator",
  "app.suspend_wallet(uuid, text)": "authenticated: operator",
  "app.finish_purchase_check(uuid)": "service_role",
  "app.record_purchase_failure(uuid, text, text, boolean)": "service_role",
  "app.refuse_purchase(uuid, text, text)": "service_role",
  "app.record_purchase_payment(uuid, text, jsonb)": "service_role",
  "app.answer_withdrawal(uuid, text)": "service_role",
  "app.apply_stripe_object(jsonb, text, text)": "service_role",
  "app.cancel_topup(uuid, text)": "service_role",
  "app.cancel_withdrawal(uuid)": "service_role",
  "app.claim_payout(uuid)": "service_role",
  "app.claim_transfer(uuid)": "service_role",
  "app.claim_unfinished(integer)": "service_role",
  "app.missing_events(text[])": "service_role",
  "app.told_by_stripe(integer, jsonb)": "service_role",
  "app.report_denial(text, text, jsonb)": "service_role",
  "app.recent_destinations(integer)": "service_role",
  "app.receive_stripe_event(jsonb)": "service_role",
  "app.record_customer(uuid, text)": "service_role",
  "app.record_topup(uuid, text, jsonb)": "service_role",
  "app.record_topup_failure(uuid, text, text, boolean)": "service_role",
  "app.refuse_withdrawal(uuid, text)": "service_role",

  // What policies and requests need
  "app.check_request()": "anon authenticated service_role",
  "app.fail(text, jsonb)": "anon authenticated service_role",
  "app.are_web_addresses(text[])": "authenticated",
  "app.is_name(text, integer)": "authenticated",
  "app.has_role(staff_role)": "authenticated",
};
