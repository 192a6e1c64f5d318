-- Stripe's doors: events as they are delivered, objects as they are asked for, and what is looked at again
-- because something was left unfinished.

-- The doors -----------------------------------------------------------------------------------------------

create function app.apply_stripe_object(p_object jsonb, p_type text default null, p_account text default null)
returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_constraint text;
begin
  return case
    when not app.is_stripe_id(p_object ->> 'id') then app.quarantine(p_object, 'no id of Stripe''s')
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
  end end;
exception when unique_violation then
  get stacked diagnostics v_constraint = constraint_name;
  -- Another of our rows has this id of Stripe's: which of them it belongs to, people must find out.
  if v_constraint in ('card_payments_pkey', 'wallet_topups_intent_id_key', 'wallet_topups_provider_txn_id_key',
    'purchases_provider', 'wallet_withdrawals_transfer_id_key', 'wallet_withdrawals_provider_txn_id_key',
    'card_refunds_refund_id_key')
  then
    return app.quarantine(p_object, 'another row has it');
  end if;
  raise;
end
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
    where created_at > app.clock() - make_interval(days => p_days) and transfer_id is not null)
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
  -- One that Stripe has refused to fetch back for an hour: a person must look at it.
  select app.alert_operators('transfer_stuck', transfer_id, jsonb_build_object(
    'withdrawal_id', id, 'destination', destination, 'amount_cents', amount_cents, 'currency', currency))
  from public.wallet_withdrawals
  where check_at <= app.clock() and checks > 6 and status = 'FAILED' and transfer_id is not null;

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
-- asked Stripe; one whose request is being answered just now, perhaps by charging a card, is left for the
-- next time. Returns whether it was cancelled.
create function app.cancel_topup(p_topup_id uuid, p_code text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups;
begin
  select * into strict v_topup from public.wallet_topups where id = p_topup_id for update;
  if exists (select from app.idempotency_keys where user_id = v_topup.user_id and endpoint = 'topup'
    and subject_id = p_topup_id and answer is null and leased_until > app.clock())
  then
    return false;
  end if;
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
  perform app.tell('withdrawal_failed', v_withdrawal.user_id, v_withdrawal.id);
  return true;
end
$$;
