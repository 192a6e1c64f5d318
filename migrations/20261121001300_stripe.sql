-- Stripe: what it tells us becomes an effect once, in any order, however often it is told, whether an
-- event brings it or our own question does. Each apply_ function takes one of Stripe's objects, locks our
-- row, compares, and moves the row only forwards. What does not fit our row is quarantined.

create type app.event_outcome as enum ('applied', 'duplicate', 'ignored', 'quarantined');

create table app.stripe_events (
  id text primary key,
  type text not null,
  account text,
  object_id text,
  intent_id text,
  object jsonb not null,
  outcome app.event_outcome,
  created_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp()
);
comment on table app.stripe_events is 'The inbox: every event that Stripe delivered and signed, with what came of it.';
create index stripe_events_quarantined on app.stripe_events (intent_id) where outcome = 'quarantined';
create index stripe_events_received on app.stripe_events (received_at);

insert into app.settings (name, value, minimum, maximum, description) values
  ('stripe_event_retention_days', 90, 30, 3650, 'How long the inbox keeps an event. Stripe forgets them after 30 days.');

create table app.card_payments (
  intent_id text primary key,
  account_id bigint not null references public.wallet_accounts (id),
  amount_cents bigint not null check (amount_cents > 0),
  currency char(3) not null,
  livemode boolean not null,
  charge_refunded_cents bigint not null default 0,
  taken_cents bigint not null default 0
);
comment on table app.card_payments is 'Card money that reached us, and how much of it Stripe has taken back.';
comment on column app.card_payments.charge_refunded_cents is 'The most that a charge said had been refunded of it.';
comment on column app.card_payments.taken_cents is 'What refunds and disputes have taken so far, as posted.';
create index card_payments_account on app.card_payments (account_id);

create type app.reversal_kind as enum ('REFUND', 'DISPUTE');
create table app.card_reversals (
  id text primary key,
  intent_id text not null references app.card_payments (intent_id),
  kind app.reversal_kind not null,
  amount_cents bigint not null check (amount_cents > 0),
  status text not null,
  rank smallint not null
);
comment on table app.card_reversals is 'Refunds and disputes, each with the furthest status that Stripe has told of it.';
comment on column app.card_reversals.rank is '0 open, 1 done, 2 over; a status never goes back to a lower rank.';
create index card_reversals_intent on app.card_reversals (intent_id);


-- What does not fit ---------------------------------------------------------------------------------

-- Sets an object aside and tells the operators. Nothing is credited. Called by the apply_ functions.
create function app.quarantine(p_object jsonb, p_reason text) returns app.event_outcome
language sql security definer set search_path = '' as $$
  select app.alert_operators('stripe_mismatch', coalesce(p_object ->> 'id', 'no id'), jsonb_build_object(
    'reason', p_reason, 'object', p_object ->> 'object', 'amount', coalesce(p_object -> 'amount', p_object -> 'amount_total'),
    'currency', p_object -> 'currency', 'livemode', p_object -> 'livemode', 'status', p_object -> 'status',
    'payment_intent', p_object -> 'payment_intent'));
  select 'quarantined'::app.event_outcome
$$;

-- Why an object is not the one we know, or null if it is.
create function app.mismatch(p_object jsonb, p_amount bigint, p_currency text, p_livemode boolean) returns text
language sql immutable set search_path = '' as $$
  select case
    when coalesce(p_object -> 'amount_total', p_object -> 'amount') is distinct from to_jsonb(p_amount) then 'another amount'
    when upper(p_object ->> 'currency') is distinct from p_currency then 'another currency'
    when p_object -> 'livemode' is distinct from to_jsonb(p_livemode) then 'another mode'
  end
$$;

-- Why a payment that is said to have succeeded has not, or null.
create function app.unpaid_reason(p_intent jsonb, p_type text) returns text
language sql immutable set search_path = '' as $$
  select 'not paid in full'
  where p_type = 'payment_intent.succeeded' and p_intent ->> 'status' is distinct from 'succeeded'
    or p_intent ->> 'status' = 'succeeded'
      and coalesce(p_intent -> 'amount_received', p_intent -> 'amount') <> p_intent -> 'amount'
$$;

-- Why a card was declined, or null if none was.
create function app.decline_code(p_intent jsonb, p_type text) returns text
language sql immutable set search_path = '' as $$
  select coalesce(p_intent -> 'last_payment_error' ->> 'decline_code', p_intent -> 'last_payment_error' ->> 'code', 'payment_failed')
  where p_intent ->> 'status' <> 'succeeded' and (p_type = 'payment_intent.payment_failed'
    or p_intent ->> 'status' = 'requires_payment_method' and p_intent -> 'last_payment_error' ->> 'code' is not null)
$$;

-- An id in the metadata that we set, if it is one.
create function app.metadata_id(p_object jsonb, p_name text) returns uuid
language sql immutable set search_path = '' as $$
  select (substring(p_object -> 'metadata' ->> p_name from '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))::uuid
$$;


-- Payments --------------------------------------------------------------------------------------------

-- The top-up that a session or intent belongs to, locked: by Stripe's id, or, while we have not recorded
-- that id, by our own in the metadata that only we can set.
create function app.topup_of(p_object jsonb) returns public.wallet_topups
language plpgsql security definer set search_path = '' as $$
declare
  v_id text := p_object ->> 'id';
  v_topup public.wallet_topups;
begin
  select * into v_topup from public.wallet_topups where provider_txn_id = v_id or intent_id = v_id for update;
  if not found then
    select * into v_topup from public.wallet_topups where id = app.metadata_id(p_object, 'topup_id') for update;
    if v_id <> (case when v_topup.method = 'checkout' and p_object ->> 'object' = 'payment_intent'
      then v_topup.intent_id else v_topup.provider_txn_id end)
    then
      return null; -- made by a try that was given up
    end if;
  end if;
  return v_topup;
end
$$;

create function app.apply_checkout_session(p_session jsonb, p_type text) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups := app.topup_of(p_session);
  v_reason text := app.mismatch(p_session, v_topup.amount_cents, v_topup.currency,
    coalesce(v_topup.livemode, (p_session ->> 'livemode')::boolean));
  v_paid boolean := p_session ->> 'payment_status' = 'paid';
begin
  if v_topup.id is null then
    return case when v_paid then app.quarantine(p_session, 'not ours') else 'ignored' end;
  end if;
  if v_reason is null and p_type = 'checkout.session.async_payment_succeeded' and not v_paid then
    v_reason := 'not paid';
  end if;
  if v_reason is not null then
    return app.quarantine(p_session, v_reason);
  end if;
  if v_topup.provider_txn_id is null then
    v_topup := app.adopt_topup(v_topup, p_session);
  end if;
  if v_paid and v_topup.status <> 'COMPLETED' then
    return app.receive_topup(v_topup, p_session ->> 'payment_intent', p_session);
  end if;
  if not v_paid and (p_type = 'checkout.session.expired' or p_session ->> 'status' = 'expired') then
    return app.news(app.end_topup(v_topup, 'CANCELLED', 'expired'));
  end if;
  if not v_paid and p_type = 'checkout.session.async_payment_failed' then
    return app.news(app.end_topup(v_topup, 'FAILED', 'payment_failed'));
  end if;
  return 'duplicate';
end
$$;

-- A payment belongs to a purchase or to a top-up: the ids say to which.
create function app.apply_payment_intent(p_intent jsonb, p_type text) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
begin
  if p_intent -> 'metadata' ? 'purchase_id'
    or exists (select from public.purchases where provider_txn_id = p_intent ->> 'id')
  then
    return app.apply_purchase_intent(p_intent, p_type);
  end if;
  return app.apply_topup_intent(p_intent, p_type);
end
$$;

create function app.apply_topup_intent(p_intent jsonb, p_type text) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups := app.topup_of(p_intent);
  v_status text := p_intent ->> 'status';
  v_reason text := app.mismatch(p_intent, v_topup.amount_cents, v_topup.currency,
    coalesce(v_topup.livemode, (p_intent ->> 'livemode')::boolean));
begin
  if v_topup.id is null then
    return case when v_status = 'succeeded' then app.quarantine(p_intent, 'not ours') else 'ignored' end;
  end if;
  v_reason := coalesce(v_reason, app.unpaid_reason(p_intent, p_type));
  if v_reason is not null then
    return app.quarantine(p_intent, v_reason);
  end if;
  if v_topup.provider_txn_id is null and v_topup.method = 'payment_intent' then
    v_topup := app.adopt_topup(v_topup, p_intent);
  end if;
  if v_status = 'succeeded' and v_topup.status <> 'COMPLETED' then
    return app.receive_topup(v_topup, p_intent ->> 'id', p_intent);
  end if;
  if v_topup.method = 'checkout' then
    return 'duplicate'; -- the customer tries again on the same page; the session says how it ends
  end if;
  if v_status = 'canceled' then
    return app.news(app.end_topup(v_topup, 'CANCELLED', coalesce(p_intent ->> 'cancellation_reason', 'canceled')));
  end if;
  if app.decline_code(p_intent, p_type) is not null then
    return app.news(app.end_topup(v_topup, 'FAILED', app.decline_code(p_intent, p_type)));
  end if;
  return 'duplicate';
end
$$;

create function app.news(p_changed boolean) returns app.event_outcome
language sql immutable set search_path = '' as $$
  select case when p_changed then 'applied' else 'duplicate' end::app.event_outcome
$$;

-- Lets nothing be told of a payment while the payment itself is coming in, or the other way round: what
-- comes first is set aside, and the payment would not see it.
create function app.lock_payment(p_intent_id text) returns void
language sql security definer set search_path = '' as $$
  select pg_advisory_xact_lock(hashtextextended('payment ' || p_intent_id, 0))
$$;

-- Remembers card money, for whatever Stripe may take back of it, and from whom.
create function app.record_card_payment(
  p_intent_id text, p_account_id bigint, p_amount_cents bigint, p_currency text, p_object jsonb
) returns void
language sql security definer set search_path = '' as $$
  select app.lock_payment(p_intent_id);
  insert into app.card_payments (intent_id, account_id, amount_cents, currency, livemode)
  values (p_intent_id, p_account_id, p_amount_cents, p_currency, (p_object ->> 'livemode')::boolean)
$$;

-- The money of a top-up has come: credits it, and takes back what refunds and disputes already have.
create function app.receive_topup(p_topup public.wallet_topups, p_intent_id text, p_object jsonb) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
begin
  if p_intent_id is null or p_intent_id is distinct from coalesce(p_topup.intent_id, p_intent_id) then
    return app.quarantine(p_object, 'another payment');
  end if;
  perform app.record_card_payment(p_intent_id, p_topup.account_id, p_topup.amount_cents, p_topup.currency, p_object);
  perform app.complete_topup(p_topup, p_intent_id);
  perform app.apply_quarantined(p_intent_id);
  return 'applied';
end
$$;

-- Applies what had come about a payment before the payment itself.
create function app.apply_quarantined(p_intent_id text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_event app.stripe_events;
  v_outcome app.event_outcome;
begin
  for v_event in
    select * from app.stripe_events where intent_id = p_intent_id and outcome = 'quarantined' order by id for update
  loop
    v_outcome := app.apply_stripe_object(v_event.object, v_event.type, v_event.account);
    update app.stripe_events set outcome = v_outcome where id = v_event.id;
    if v_outcome <> 'quarantined' then
      update public.operator_alerts set resolved_at = app.clock()
      where kind = 'stripe_mismatch' and subject = v_event.object_id and resolved_at is null;
    end if;
  end loop;
end
$$;


-- Refunds and disputes ---------------------------------------------------------------------------------

-- Posts the difference between what refunds and disputes should have taken of a payment and what they
-- have. A charge also counts refunds that nobody told us of; of those that failed it may not know yet.
-- Refunds never take more than was paid. The caller has locked the payment.
create function app.settle_reversals(p_payment app.card_payments, p_kind app.reversal_kind, p_id text) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_target bigint;
begin
  select least(p_payment.amount_cents, greatest(
      coalesce(sum(amount_cents) filter (where kind = 'REFUND' and status not in ('failed', 'canceled')), 0),
      p_payment.charge_refunded_cents
        - coalesce(sum(amount_cents) filter (where kind = 'REFUND' and status in ('failed', 'canceled')), 0)))
    + coalesce(sum(amount_cents) filter (where kind = 'DISPUTE' and status <> 'won' and status not like 'warning%'), 0)
  into v_target from app.card_reversals where intent_id = p_payment.intent_id;
  if v_target = p_payment.taken_cents then
    return 'duplicate';
  end if;
  update app.card_payments set taken_cents = v_target where intent_id = p_payment.intent_id;
  perform app.charge_back(p_payment.account_id, v_target - p_payment.taken_cents,
    case p_kind when 'REFUND' then 'REFUND' else 'CHARGEBACK' end::public.ledger_reason, p_id);
  return 'applied';
end
$$;

-- The payment that a charge, refund or dispute is about, locked, whether or not it has come yet.
create function app.payment_of(p_object jsonb) returns app.card_payments
language sql security definer set search_path = '' as $$
  select app.lock_payment(p_object ->> 'payment_intent');
  select * from app.card_payments where intent_id = p_object ->> 'payment_intent' for update
$$;

create function app.apply_charge(p_charge jsonb) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_payment app.card_payments := app.payment_of(p_charge);
  v_refunded bigint := (p_charge ->> 'amount_refunded')::bigint;
  v_reason text := app.mismatch(p_charge, v_payment.amount_cents, v_payment.currency, v_payment.livemode);
begin
  if v_payment.intent_id is null then
    return app.quarantine(p_charge, 'no such payment');
  end if;
  if v_reason is null and v_refunded not between 0 and v_payment.amount_cents then
    v_reason := 'refunded more than was paid';
  end if;
  if v_reason is not null then
    return app.quarantine(p_charge, v_reason);
  end if;
  update app.card_payments set charge_refunded_cents = greatest(charge_refunded_cents, v_refunded)
  where intent_id = v_payment.intent_id
  returning * into v_payment;
  return app.settle_reversals(v_payment, 'REFUND', p_charge ->> 'id');
end
$$;

create function app.apply_reversal(p_object jsonb, p_kind app.reversal_kind, p_rank smallint) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_payment app.card_payments := app.payment_of(p_object);
  v_amount bigint := (p_object ->> 'amount')::bigint;
  v_known app.card_reversals;
  v_reason text;
begin
  if v_payment.intent_id is null then
    return app.quarantine(p_object, 'no such payment');
  end if;
  select * into v_known from app.card_reversals where id = p_object ->> 'id';
  v_reason := case
    when v_amount is null or v_amount not between 1 and v_payment.amount_cents then 'more than was paid'
    when upper(p_object ->> 'currency') is distinct from v_payment.currency then 'another currency'
    when coalesce((p_object ->> 'livemode')::boolean, v_payment.livemode) <> v_payment.livemode then 'another mode'
    when v_known.id is not null and (v_known.kind, v_known.intent_id, v_known.amount_cents)
      is distinct from (p_kind, v_payment.intent_id, v_amount) then 'it was another before'
  end;
  if v_reason is not null then
    return app.quarantine(p_object, v_reason);
  end if;
  insert into app.card_reversals as r (id, intent_id, kind, amount_cents, status, rank)
  values (p_object ->> 'id', v_payment.intent_id, p_kind, v_amount, coalesce(p_object ->> 'status', 'pending'), p_rank)
  on conflict (id) do update set status = excluded.status, rank = excluded.rank where excluded.rank > r.rank;
  if p_kind = 'DISPUTE' and v_known.id is null then
    perform app.alert_operators('dispute', p_object ->> 'id', jsonb_build_object(
      'payment_intent', v_payment.intent_id, 'amount_cents', v_amount, 'reason', p_object -> 'reason'));
  end if;
  return app.settle_reversals(v_payment, p_kind, p_object ->> 'id');
end
$$;

create function app.apply_refund(p_refund jsonb) returns app.event_outcome
language sql security definer set search_path = '' as $$
  select app.apply_reversal(p_refund, 'REFUND', case
    when p_refund ->> 'status' in ('failed', 'canceled') then 2
    when p_refund ->> 'status' = 'succeeded' then 1 else 0 end::smallint)
$$;

create function app.apply_dispute(p_dispute jsonb) returns app.event_outcome
language sql security definer set search_path = '' as $$
  select app.apply_reversal(p_dispute, 'DISPUTE', case
    when p_dispute ->> 'status' in ('won', 'lost', 'warning_closed') then 2
    when p_dispute ->> 'status' like 'warning%' then 0 else 1 end::smallint)
$$;


-- Withdrawals --------------------------------------------------------------------------------------------

create function app.apply_transfer(p_transfer jsonb) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_withdrawal public.wallet_withdrawals;
  v_reason text;
  v_booked boolean;
begin
  select * into v_withdrawal from public.wallet_withdrawals
  where transfer_id = p_transfer ->> 'id'
    or transfer_id is null and id = app.metadata_id(p_transfer, 'withdrawal_id')
  for update;
  if not found then
    return app.quarantine(p_transfer, 'not ours');
  end if;
  v_reason := app.mismatch(p_transfer, v_withdrawal.amount_cents, v_withdrawal.currency,
    coalesce(v_withdrawal.livemode, (p_transfer ->> 'livemode')::boolean));
  if v_reason is null and p_transfer ->> 'destination' is distinct from v_withdrawal.destination then
    v_reason := 'another destination';
  elsif v_reason is null and v_withdrawal.status in ('CREATED', 'CANCELLED') then
    v_reason := 'nothing was sent';
  elsif v_reason is null and (p_transfer ->> 'amount_reversed')::bigint not in (0, v_withdrawal.amount_cents) then
    v_reason := 'reversed in part';
  end if;
  if v_reason is not null then
    return app.quarantine(p_transfer, v_reason);
  end if;

  v_booked := app.book_transfer(v_withdrawal, p_transfer);
  if not coalesce((p_transfer ->> 'reversed')::boolean, false) then
    return app.news(v_booked);
  end if;
  select * into v_withdrawal from public.wallet_withdrawals where id = v_withdrawal.id;
  if app.book_transfer_reversal(v_withdrawal) then
    v_booked := true;
    -- Where a payout was asked for, it decides; where none was, this was the end of it.
    if v_withdrawal.payout_claimed_at is null then
      perform app.fail_withdrawal(v_withdrawal, 'transfer_reversed');
    elsif v_withdrawal.status <> 'FAILED' then
      perform app.alert_operators('transfer_reversed', v_withdrawal.id::text);
    end if;
  end if;
  return app.news(v_booked);
end
$$;

create function app.apply_payout(p_payout jsonb, p_account text) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_withdrawal public.wallet_withdrawals;
  v_reason text;
begin
  select * into v_withdrawal from public.wallet_withdrawals
  where provider_txn_id = p_payout ->> 'id'
    or provider_txn_id is null and id = app.metadata_id(p_payout, 'withdrawal_id')
  for update;
  if not found and p_account is null then
    return 'ignored'; -- to the bank of the house
  elsif not found then
    return app.quarantine(p_payout, 'not ours');
  end if;
  v_reason := app.mismatch(p_payout, v_withdrawal.amount_cents, v_withdrawal.currency,
    coalesce(v_withdrawal.livemode, (p_payout ->> 'livemode')::boolean));
  if v_reason is null and p_account is distinct from v_withdrawal.destination then
    v_reason := 'another account';
  elsif v_reason is null and v_withdrawal.status in ('CREATED', 'CANCELLED') then
    v_reason := 'nothing was sent';
  elsif v_reason is null and p_payout ->> 'status' = 'paid' and v_withdrawal.status = 'FAILED'
    and v_withdrawal.provider_txn_id is null then
    v_reason := 'paid after it was given up';
  end if;
  if v_reason is not null then
    return app.quarantine(p_payout, v_reason);
  end if;

  if v_withdrawal.provider_txn_id is null then
    update public.wallet_withdrawals set provider_txn_id = p_payout ->> 'id',
      check_at = case status when 'PROCESSING' then app.clock() + interval '1 hour' else check_at end
    where id = v_withdrawal.id
    returning * into v_withdrawal;
  end if;
  return app.news(case
    when p_payout ->> 'status' = 'paid' then app.complete_withdrawal(v_withdrawal)
    when p_payout ->> 'status' in ('failed', 'canceled')
      then app.fail_withdrawal(v_withdrawal, coalesce(p_payout ->> 'failure_code', p_payout ->> 'status'))
    else false end);
end
$$;


-- The doors -----------------------------------------------------------------------------------------------

create function app.apply_stripe_object(p_object jsonb, p_type text default null, p_account text default null)
returns app.event_outcome
language sql security definer set search_path = '' as $$
  select case
    -- Connected accounts have nothing of ours but payouts.
    when p_account is not null and p_object ->> 'object' <> 'payout' then app.quarantine(p_object, 'another account')
  else case p_object ->> 'object'
    when 'checkout.session' then app.apply_checkout_session(p_object, p_type)
    when 'payment_intent' then app.apply_payment_intent(p_object, p_type)
    when 'charge' then app.apply_charge(p_object)
    when 'refund' then app.apply_refund(p_object)
    when 'dispute' then app.apply_dispute(p_object)
    when 'transfer' then app.apply_transfer(p_object)
    when 'payout' then app.apply_payout(p_object, p_account)
    else 'ignored'
  end end
$$;

-- Takes an event in: the inbox row and the effect are one transaction, so that what failed can come
-- again. An event that is already there, or being worked on, waits for that and changes nothing. Events
-- that are not about anything of ours leave no trace.
-- Called by the functions `stripe-webhook` and `reconcile` as service_role, with events whose signature
-- is verified or that Stripe's API listed.
-- Locks the event, then our row, then the hold, then the account.
create function app.receive_stripe_event(p_event jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id text := p_event ->> 'id';
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event #> '{data,object}';
  v_outcome app.event_outcome;
begin
  if v_type not in ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.async_payment_succeeded',
    'checkout.session.async_payment_failed', 'payment_intent.succeeded', 'payment_intent.payment_failed',
    'payment_intent.canceled', 'charge.refunded', 'refund.created', 'refund.updated', 'refund.failed',
    'charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.closed', 'payout.paid', 'payout.failed',
    'payout.canceled', 'transfer.created', 'transfer.reversed')
  then
    return jsonb_build_object('event_id', v_id, 'outcome', 'ignored');
  end if;
  insert into app.stripe_events (id, type, account, object_id, intent_id, object, created_at)
  values (v_id, v_type, p_event ->> 'account', v_object ->> 'id', v_object ->> 'payment_intent',
    app.pare(v_object), to_timestamp((p_event ->> 'created')::bigint))
  on conflict (id) do nothing;
  if not found then
    return jsonb_build_object('event_id', v_id, 'outcome', 'duplicate');
  end if;
  v_outcome := app.apply_stripe_object(v_object, v_type, p_event ->> 'account');
  update app.stripe_events set outcome = v_outcome where id = v_id;
  return jsonb_build_object('event_id', v_id, 'outcome', v_outcome);
end
$$;

-- Of an object only what we use: the inbox is no place for people's addresses and cards.
create function app.pare(p_object jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(p_object)
  where key in ('id', 'object', 'amount', 'amount_total', 'amount_received', 'amount_refunded', 'amount_reversed',
    'currency', 'livemode', 'status', 'payment_status', 'payment_intent', 'charge', 'destination', 'reversed',
    'reason', 'failure_code', 'cancellation_reason', 'metadata')
$$;

-- The connected accounts that withdrawals of the last days went to: their payouts are events of their own.
-- Called by `reconcile` as service_role.
create function app.recent_destinations(p_days integer) returns text[]
language sql stable security definer set search_path = '' as $$
  select array(select distinct destination from public.wallet_withdrawals
    where created_at > app.clock() - make_interval(days => p_days) and status <> 'CREATED')
$$;

-- Of these events, those that have not come in. Called by `reconcile` as service_role.
create function app.missing_events(p_ids text[]) returns text[]
language sql stable security definer set search_path = '' as $$
  select array(
    select id from unnest(p_ids) as given (id) where not exists (select from app.stripe_events e where e.id = given.id))
$$;

create function app.purge_stripe_events() returns bigint
language sql security definer set search_path = '' as $$
  with gone as (
    delete from app.stripe_events
    where received_at < app.clock() - make_interval(days => app.setting('stripe_event_retention_days'))
    returning 1
  )
  select count(*) from gone
$$;


-- What was left unfinished ------------------------------------------------------------------------------------

-- The top-ups and withdrawals that are due to be looked at, each handed to one caller for a while, longer
-- each time. Skipping what others hold is right here: they are looking at it.
-- Called by app.claim_unfinished(), which adds what later chapters know.
create function app.claim_unfinished_money(p_max integer) returns jsonb
language sql security definer set search_path = '' as $$
  with topups as (
    update public.wallet_topups set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '6 hours')
    where id in (select id from public.wallet_topups where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  ), withdrawals as (
    update public.wallet_withdrawals set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '1 hour')
    where id in (select id from public.wallet_withdrawals where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  )
  select jsonb_build_object(
    'topups', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'method', method, 'provider_txn_id', provider_txn_id, 'created_at', created_at,
      'expired', created_at < app.clock() - make_interval(mins => app.setting('topup_expiry_minutes')))) from topups), '[]'),
    'withdrawals', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'status', status, 'destination', destination, 'transfer_id', transfer_id,
      'provider_txn_id', provider_txn_id, 'payout_claimed_at', payout_claimed_at,
      'transfer_reversed', transfer_reversed_at is not null, 'created_at', created_at,
      'given_up', coalesce(payout_claimed_at, created_at)
        < app.clock() - make_interval(mins => app.setting('withdrawal_unknown_minutes')))) from withdrawals), '[]'))
$$;

-- Cancels a top-up that nobody can pay any more. Called by `reconcile` as service_role, after it has
-- asked Stripe. Returns whether it was cancelled.
create function app.cancel_topup(p_topup_id uuid, p_code text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups;
begin
  select * into strict v_topup from public.wallet_topups where id = p_topup_id for update;
  return app.end_topup(v_topup, 'CANCELLED', p_code);
end
$$;

-- Cancels a withdrawal of which nothing was sent, and frees what it held.
-- Called by `reconcile` as service_role.
create function app.cancel_withdrawal(p_withdrawal_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  update public.wallet_withdrawals set status = 'CANCELLED', check_at = null
  where id = p_withdrawal_id and status = 'CREATED'
  returning * into v_withdrawal;
  if not found then
    return false;
  end if;
  perform app.release_hold(v_withdrawal.hold_id);
  return true;
end
$$;
