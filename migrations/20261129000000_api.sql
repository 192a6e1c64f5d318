-- The API: what clients may call. Thin functions that run as their caller and hand over to app, whose
-- headers say what each guarantees and raises.

create function public.get_account() returns jsonb
language sql set search_path = '' as $$ select app.describe_account() $$;

create function public.update_account(changes jsonb) returns jsonb
language sql set search_path = '' as $$ select app.update_profile(changes); select app.describe_account() $$;

create function public.set_play_limit(kind public.limit_kind, period public.limit_period, amount_cents bigint, currency text)
returns jsonb language sql set search_path = '' as $$
  select app.set_play_limit(kind, period, amount_cents, currency); select app.describe_account()
$$;

create function public.exclude_self(until timestamptz) returns jsonb
language sql set search_path = '' as $$ select app.exclude_self(until); select app.describe_account() $$;

create function public.grant_role(user_id uuid, role public.staff_role) returns void
language sql set search_path = '' as $$ select app.grant_role(user_id, role) $$;

create function public.revoke_role(user_id uuid, role public.staff_role) returns void
language sql set search_path = '' as $$ select app.revoke_role(user_id, role) $$;

create function public.set_account_status(user_id uuid, status public.account_status) returns void
language sql set search_path = '' as $$ select app.set_account_status(user_id, status) $$;

create function public.set_kyc_status(user_id uuid, status public.kyc_status) returns void
language sql set search_path = '' as $$ select app.set_kyc_status(user_id, status) $$;

create function public.set_setting(name text, value integer) returns void
language sql set search_path = '' as $$ select app.set_setting(name, value) $$;

create function public.begin_admin_claim() returns uuid
language sql set search_path = '' as $$ select app.begin_admin_claim() $$;

create function public.grant_admin_claim(claim_id uuid) returns void
language sql set search_path = '' as $$ select app.grant_admin_claim(claim_id) $$;

create function public.check_session() returns void
language sql set search_path = '' as $$ select app.signed_in_user() $$;

create function public.report_health() returns jsonb
language sql stable set search_path = '' as $$ select app.report_health() $$;


-- Money ---------------------------------------------------------------------------------------------

-- details: what else makes two requests the same or not, and concerns only Stripe.
create function public.begin_topup(
  idempotency_key text, amount_cents bigint, currency text, method public.payment_form, details jsonb
) returns jsonb language sql set search_path = '' as $$
  select app.begin_topup(idempotency_key, amount_cents, currency, method, jsonb_build_object(
    'amount_cents', amount_cents, 'currency', currency, 'method', method, 'details', details))
$$;

create function public.get_customer() returns jsonb
language sql stable set search_path = '' as $$ select app.get_customer() $$;

create function public.get_topup(topup_id uuid) returns jsonb
language sql stable set search_path = '' as $$ select app.get_topup(topup_id) $$;

create function public.list_topups(skip integer, page_size integer) returns jsonb
language sql stable set search_path = '' as $$ select app.list_topups(skip, page_size) $$;

create function public.begin_topup_check(topup_id uuid) returns jsonb
language sql set search_path = '' as $$ select app.begin_topup_check(topup_id) $$;

create function public.begin_withdrawal(idempotency_key text, amount_cents bigint, currency text) returns jsonb
language sql set search_path = '' as $$
  select app.begin_withdrawal(idempotency_key, amount_cents, currency, jsonb_build_object(
    'amount_cents', amount_cents, 'currency', currency))
$$;

create function public.get_withdrawal(withdrawal_id uuid) returns jsonb
language sql stable set search_path = '' as $$ select app.get_withdrawal(withdrawal_id) $$;

create function public.list_withdrawals(skip integer, page_size integer) returns jsonb
language sql stable set search_path = '' as $$ select app.list_withdrawals(skip, page_size) $$;

create function public.set_payout_account(user_id uuid, account text) returns void
language sql set search_path = '' as $$ select app.set_payout_account(user_id, account) $$;

create function public.suspend_wallet(user_id uuid, reason text) returns void
language sql set search_path = '' as $$ select app.suspend_wallet(user_id, reason) $$;

create function public.reinstate_wallet(user_id uuid) returns void
language sql set search_path = '' as $$ select app.reinstate_wallet(user_id) $$;

create function public.adjust_wallet(user_id uuid, currency text, amount_cents bigint, note text) returns jsonb
language sql set search_path = '' as $$ select app.adjust_wallet(user_id, currency, amount_cents, note) $$;

create function public.requeue_notifications(notification_ids uuid[]) returns bigint
language sql set search_path = '' as $$ select app.requeue_notifications(notification_ids) $$;

create function public.claim_notifications(max_rows integer) returns jsonb
language sql set search_path = '' as $$ select app.claim_notifications(max_rows) $$;

create function public.record_notifications(sent uuid[], skipped uuid[], failed jsonb) returns void
language sql set search_path = '' as $$ select app.record_notifications(sent, skipped, failed) $$;

create function public.resolve_alert(alert_id bigint) returns void
language sql set search_path = '' as $$ select app.resolve_alert(alert_id) $$;



-- Raffles -------------------------------------------------------------------------------------------

create function public.list_raffles(
  skip integer, page_size integer, state public.raffle_state, category uuid, search text, sort text
) returns jsonb language sql stable set search_path = '' as $$
  select app.list_raffles(skip, page_size, state, category, search, sort)
$$;

create function public.get_raffle(raffle_id uuid) returns jsonb
language sql stable set search_path = '' as $$ select app.get_raffle(raffle_id) $$;

-- A column that PostgREST computes: select=*,tickets_sold
create function public.tickets_sold(raffle public.raffles) returns integer
language sql stable set search_path = '' as $$ select app.count_taken(raffle.id) $$;

create function public.publish_raffle(raffle_id uuid) returns void
language sql set search_path = '' as $$ select app.publish_raffle(raffle_id) $$;

create function public.cancel_raffle(raffle_id uuid, reason text, dry_run boolean default true) returns jsonb
language sql set search_path = '' as $$ select app.cancel_raffle(raffle_id, reason, dry_run) $$;

create function public.duplicate_raffle(raffle_id uuid) returns uuid
language sql set search_path = '' as $$ select app.duplicate_raffle(raffle_id) $$;

create function public.begin_purchase(
  idempotency_key text, raffle_id uuid, quantity integer, numbers integer[], type public.purchase_type,
  payment_method public.payment_method, redeem boolean, ticket_id bigint
) returns json language plpgsql set search_path = '' as $$
begin -- not in SQL, which Postgres would plan anew for each call
  return app.begin_purchase(idempotency_key, raffle_id, quantity, numbers, type, payment_method, redeem, ticket_id,
    jsonb_build_array(raffle_id, quantity, numbers, type, payment_method, redeem, ticket_id));
end
$$;

create function public.get_purchase(purchase_id uuid) returns jsonb
language sql stable set search_path = '' as $$ select app.get_purchase(purchase_id) $$;

create function public.list_purchases(skip integer, page_size integer) returns jsonb
language sql stable set search_path = '' as $$ select app.list_purchases(skip, page_size) $$;

create function public.begin_purchase_check(purchase_id uuid) returns jsonb
language sql set search_path = '' as $$ select app.begin_purchase_check(purchase_id) $$;

create function public.redeem_ticket(idempotency_key text, purchase_id uuid, numbers integer[]) returns jsonb
language sql set search_path = '' as $$
  select app.redeem_ticket(idempotency_key, purchase_id, numbers,
    jsonb_build_object('purchase_id', purchase_id, 'numbers', numbers))
$$;

create function public.claim_prize(raffle_id uuid, place integer, delivery jsonb) returns void
language sql set search_path = '' as $$ select app.claim_prize(raffle_id, place, delivery) $$;

create function public.send_prize(raffle_id uuid, place integer, status public.prize_claim_status, tracking text default null)
returns void
language sql set search_path = '' as $$ select app.send_prize(raffle_id, place, status, tracking) $$;

create function public.describe_draw(raffle_id uuid, skip integer, page_size integer) returns jsonb
language sql stable set search_path = '' as $$ select app.describe_draw(raffle_id, skip, page_size) $$;

create function public.prove_ticket(raffle_id uuid, ticket_num integer) returns jsonb
language sql stable set search_path = '' as $$ select app.prove_ticket(raffle_id, ticket_num) $$;

create function public.describe_state(raffle_id uuid) returns jsonb
language sql stable set search_path = '' as $$ select app.describe_state(raffle_id) $$;

create function public.due_draws(raffle_id uuid, max_rows integer) returns jsonb
language sql stable set search_path = '' as $$ select app.due_draws(raffle_id, max_rows) $$;

create function public.seal_raffle(raffle_id uuid) returns public.raffle_state
language sql set search_path = '' as $$ select app.seal_raffle(raffle_id) $$;

create function public.draw_raffle(raffle_id uuid, round bigint, signature text, randomness text) returns boolean
language sql set search_path = '' as $$ select app.draw_raffle(raffle_id, round, signature, randomness) $$;

create function public.report_late_draw(raffle_id uuid, failures jsonb) returns void
language sql set search_path = '' as $$ select app.report_late_draw(raffle_id, failures) $$;

create function public.draw_by_lottery(raffle_id uuid) returns boolean
language sql set search_path = '' as $$ select app.draw_by_lottery(raffle_id) $$;

create function public.set_lottery_date(lottery_id uuid, draw_date date, takes_place boolean) returns void
language sql set search_path = '' as $$ select app.set_lottery_date(lottery_id, draw_date, takes_place) $$;

create function public.awaited_results(max_rows integer) returns jsonb
language sql stable set search_path = '' as $$ select app.awaited_results(max_rows) $$;

create function public.record_feed_result(lottery_id uuid, draw_date date, winning_number text, series text default null) returns jsonb
language sql set search_path = '' as $$
  select app.enter_lottery_result(lottery_id, draw_date, winning_number, series, 'FEED', null)
$$;

create function public.record_lottery_result(lottery_id uuid, draw_date date, winning_number text, series text default null)
returns jsonb
language sql set search_path = '' as $$
  select app.record_lottery_result(lottery_id, draw_date, winning_number, series)
$$;

create function public.settle_raffle(raffle_id uuid) returns boolean
language sql set search_path = '' as $$ select app.settle_raffle(raffle_id) $$;

create function public.request_card_refund(purchase_id uuid) returns jsonb
language sql set search_path = '' as $$ select app.request_card_refund(purchase_id) $$;


-- What Stripe says: for our own functions only --------------------------------------------------------

create function public.record_customer(user_id uuid, customer_id text) returns text
language sql set search_path = '' as $$ select app.record_customer(user_id, customer_id) $$;

create function public.record_topup(topup_id uuid, idempotency_key text, object jsonb) returns jsonb
language sql set search_path = '' as $$ select app.record_topup(topup_id, idempotency_key, object) $$;

create function public.record_topup_failure(topup_id uuid, idempotency_key text, code text, refused boolean) returns void
language sql set search_path = '' as $$ select app.record_topup_failure(topup_id, idempotency_key, code, refused) $$;

create function public.claim_transfer(withdrawal_id uuid) returns jsonb
language sql set search_path = '' as $$ select app.claim_transfer(withdrawal_id) $$;

create function public.claim_payout(withdrawal_id uuid) returns jsonb
language sql set search_path = '' as $$ select app.claim_payout(withdrawal_id) $$;

create function public.refuse_withdrawal(withdrawal_id uuid, code text) returns void
language sql set search_path = '' as $$ select app.refuse_withdrawal(withdrawal_id, code) $$;

create function public.answer_withdrawal(withdrawal_id uuid, idempotency_key text) returns jsonb
language sql set search_path = '' as $$ select app.answer_withdrawal(withdrawal_id, idempotency_key) $$;

create function public.cancel_topup(topup_id uuid, code text) returns boolean
language sql set search_path = '' as $$ select app.cancel_topup(topup_id, code) $$;

create function public.cancel_withdrawal(withdrawal_id uuid) returns boolean
language sql set search_path = '' as $$ select app.cancel_withdrawal(withdrawal_id) $$;

create function public.claim_unfinished(max_rows integer) returns jsonb
language sql set search_path = '' as $$ select app.claim_unfinished(max_rows) $$;

create function public.recent_destinations(days integer) returns text[]
language sql stable set search_path = '' as $$ select app.recent_destinations(days) $$;

create function public.missing_events(ids text[]) returns text[]
language sql stable set search_path = '' as $$ select app.missing_events(ids) $$;

create function public.told_by_stripe(days integer, listed jsonb) returns jsonb
language sql stable set search_path = '' as $$ select app.told_by_stripe(days, listed) $$;

create function public.report_denial(object text, id text, fact jsonb) returns void
language sql set search_path = '' as $$ select app.report_denial(object, id, fact) $$;

create function public.receive_stripe_event(event jsonb) returns jsonb
language sql set search_path = '' as $$ select app.receive_stripe_event(event) $$;

create function public.apply_stripe_object(object jsonb, account text) returns text
language sql set search_path = '' as $$ select app.apply_stripe_object(object, null, account)::text $$;

create function public.record_purchase_payment(purchase_id uuid, idempotency_key text, object jsonb) returns jsonb
language sql set search_path = '' as $$ select app.record_purchase_payment(purchase_id, idempotency_key, object) $$;

create function public.record_purchase_failure(purchase_id uuid, idempotency_key text, code text, refused boolean) returns void
language sql set search_path = '' as $$ select app.record_purchase_failure(purchase_id, idempotency_key, code, refused) $$;

create function public.refuse_purchase(purchase_id uuid, idempotency_key text, code text) returns void
language sql set search_path = '' as $$ select app.refuse_purchase(purchase_id, idempotency_key, code) $$;

create function public.finish_purchase_check(purchase_id uuid) returns void
language sql set search_path = '' as $$ select app.finish_purchase_check(purchase_id) $$;
