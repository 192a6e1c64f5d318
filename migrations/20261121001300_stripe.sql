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

-- Nothing else is an id of Stripe's: an address is made of it, and an alert.
create function app.is_stripe_id(p_id text) returns boolean
language sql immutable set search_path = '' as $$
  select coalesce(p_id ~ '^[a-z]+_\w{1,240}$', false)
$$;

create table app.card_payments (
  intent_id text primary key check (app.is_stripe_id(intent_id)),
  account_id bigint not null references public.wallet_accounts (id),
  amount_cents bigint not null check (amount_cents > 0),
  currency char(3) not null,
  livemode boolean not null,
  charge_refunded_cents bigint not null default 0,
  taken_cents bigint not null default 0,
  received_at timestamptz not null default app.clock(),
  charge_told_at timestamptz
);
comment on table app.card_payments is 'Card money that reached us, and how much of it Stripe has taken back.';
comment on column app.card_payments.charge_refunded_cents is 'The most that a charge said had been refunded of it.';
comment on column app.card_payments.charge_told_at is 'When a charge said so.';
comment on column app.card_payments.taken_cents is 'What refunds and disputes have taken so far, as posted.';
create index card_payments_account on app.card_payments (account_id);
create index card_payments_received on app.card_payments (received_at);
create index card_payments_charge_told on app.card_payments (charge_told_at) where charge_told_at is not null;

create type app.reversal_kind as enum ('REFUND', 'DISPUTE');
create table app.card_reversals (
  id text primary key,
  intent_id text not null references app.card_payments (intent_id),
  kind app.reversal_kind not null,
  amount_cents bigint not null check (amount_cents > 0),
  status text not null,
  rank smallint not null,
  told_at timestamptz not null default app.clock()
);
comment on table app.card_reversals is 'Refunds and disputes, each with the furthest status that Stripe has told of it.';
comment on column app.card_reversals.rank is '0 open, 1 done, 2 over; a status never goes back to a lower rank.';
comment on column app.card_reversals.told_at is 'When Stripe told of this status.';
create index card_reversals_intent on app.card_reversals (intent_id);
create index card_reversals_told on app.card_reversals (told_at);


-- What does not fit ---------------------------------------------------------------------------------

-- Under what the operators are told of an object that is set aside: its id, and more where they have been told
-- of something else under that, lest one hide the other.
create function app.mismatch_subject(p_object jsonb) returns text
language sql stable security definer set search_path = '' as $$
  select case when exists (select from public.operator_alerts
      where kind = 'stripe_mismatch' and subject = object_id and resolved_at is null
        and (details ->> 'object', details ->> 'payment_intent') is distinct from (p_object ->> 'object', p_object ->> 'payment_intent'))
    then concat_ws(' ', object_id, left(p_object ->> 'object', 255), left(p_object ->> 'payment_intent', 255))
    else object_id end
  from coalesce(left(p_object ->> 'id', 255), 'no id') as object_id
$$;

-- Sets an object aside and tells the operators. Nothing is credited. Called by the apply_ functions.
create function app.quarantine(p_object jsonb, p_reason text) returns app.event_outcome
language sql security definer set search_path = '' as $$
  select app.alert_operators('stripe_mismatch', app.mismatch_subject(p_object), jsonb_build_object(
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
      where kind = 'stripe_mismatch' and subject = app.mismatch_subject(v_event.object) and resolved_at is null
        and details ->> 'payment_intent' = p_intent_id and details -> 'object' = v_event.object -> 'object';
    end if;
  end loop;
end
$$;
