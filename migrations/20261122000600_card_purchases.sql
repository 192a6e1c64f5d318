-- Card purchases: the seats are reserved, Stripe is asked for the money, and what it says is applied. Money
-- that comes too late is honoured if there are seats, else it goes back to its card.

create table app.card_refunds (
  id uuid primary key default gen_random_uuid(),
  intent_id text not null references app.card_payments (intent_id),
  purchase_id uuid not null references public.purchases (id),
  amount_cents bigint not null check (amount_cents > 0),
  refund_id text unique,
  check_at timestamptz default clock_timestamp(),
  checks smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  failed_at timestamptz
);
comment on table app.card_refunds is 'Card money that we send back: asked of Stripe by the sweeper, once.';
comment on column app.card_refunds.failed_at is 'Since then the buyer has it in the wallet: the bank did not take it.';
create index card_refunds_intent on app.card_refunds (intent_id);
create index card_refunds_purchase on app.card_refunds (purchase_id);
create index card_refunds_check on app.card_refunds (check_at) where check_at is not null;


-- Asking Stripe -----------------------------------------------------------------------------------

-- The key before the purchase, as those do who buy: they hold the key when they wait for a purchase.
create function app.lock_purchase_key(p_purchase_id uuid, p_key text) returns void
language sql security definer set search_path = '' as $$
  select from app.idempotency_keys
  where user_id = (select user_id from public.purchases where id = p_purchase_id) and endpoint = 'purchase' and key = p_key
  for update
$$;

-- Records the PaymentIntent of a pending purchase, and stores the answer. Doing it again gives the same
-- answer. Called by the function `purchase` as service_role, with Stripe's own object. Locks the key, the
-- purchase.
create function app.record_purchase_payment(p_purchase_id uuid, p_key text, p_intent jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  perform app.lock_purchase_key(p_purchase_id, p_key);
  select * into strict v_purchase from public.purchases where id = p_purchase_id for update;
  if v_purchase.status = 'PENDING' and coalesce(v_purchase.provider_txn_id, p_intent ->> 'id') = p_intent ->> 'id' then
    update public.purchases set provider_txn_id = p_intent ->> 'id', livemode = (p_intent ->> 'livemode')::boolean,
      check_at = expires_at, failure_code = null
    where id = p_purchase_id
    returning * into v_purchase;
  end if;
  if v_purchase.status not in ('PENDING', 'CONFIRMED') or v_purchase.provider_txn_id is distinct from p_intent ->> 'id' then
    return null; -- expired in the meantime
  end if;
  return app.store_answer(v_purchase.user_id, 'purchase', p_key, jsonb_build_object(
    'purchase', app.describe_purchase(v_purchase), 'tickets', app.describe_tickets(v_purchase),
    'payment', jsonb_build_object('provider', 'stripe',
      'payment_intent_id', p_intent ->> 'id', 'client_secret', p_intent ->> 'client_secret')));
end
$$;

-- Records that Stripe could not be asked, or refused; the same key may be tried again while the seats are
-- reserved. Called by the function `purchase` as service_role.
create function app.record_purchase_failure(p_purchase_id uuid, p_key text, p_code text, p_refused boolean) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid;
begin
  perform app.lock_purchase_key(p_purchase_id, p_key);
  update public.purchases set attempt = attempt + p_refused::integer,
    failure_code = case status when 'PENDING' then p_code else failure_code end
  where id = p_purchase_id;
  select user_id into v_user_id from public.purchases where id = p_purchase_id;
  perform app.release_key(v_user_id, 'purchase', p_key);
end
$$;

-- Records that Stripe will never take this payment: the seats are free again at once. The key may be tried
-- again, and begins anew. Called by the function `purchase` as service_role. Locks the key, the purchase, its
-- lanes.
create function app.refuse_purchase(p_purchase_id uuid, p_key text, p_code text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  perform app.lock_purchase_key(p_purchase_id, p_key);
  perform app.enter_raffle((select raffle_id from public.purchases where id = p_purchase_id));
  select * into strict v_purchase from public.purchases where id = p_purchase_id for update;
  if v_purchase.status = 'PENDING' and v_purchase.provider_txn_id is null then
    perform app.end_reservation(v_purchase, 'FAILED', p_code);
  end if;
  perform app.release_key(v_purchase.user_id, 'purchase', p_key);
end
$$;

-- What the caller's verification of a purchase needs. Locks the rate bucket.
-- Raises not_authenticated, purchase_not_found, rate_limited.
create function app.begin_purchase_check(p_purchase_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases := app.own_purchase(p_purchase_id);
begin
  perform app.take_token('verify', v_purchase.user_id);
  return jsonb_build_object('purchase', app.describe_purchase(v_purchase), 'provider_txn_id', v_purchase.provider_txn_id);
end
$$;


-- What Stripe says ----------------------------------------------------------------------------------

-- Applies a PaymentIntent to its purchase. Locks the buyer's turn, the purchase, the profile, its lanes, the
-- raffle, accounts.
create function app.apply_purchase_intent(p_intent jsonb, p_type text) returns app.event_outcome
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
  v_reason text;
  v_status text := p_intent ->> 'status';
begin
  select * into v_purchase from public.purchases
  where provider_txn_id = p_intent ->> 'id' or id = app.metadata_id(p_intent, 'purchase_id') limit 1;
  perform app.take_turn(v_purchase.user_id);
  perform app.enter_raffle(v_purchase.raffle_id);
  select * into v_purchase from public.purchases
  where provider_txn_id = p_intent ->> 'id'
    or provider_txn_id is null and id = app.metadata_id(p_intent, 'purchase_id') and payment_method = 'card'
  for update;
  if not found then
    return case when v_status = 'succeeded' then app.quarantine(p_intent, 'not ours') else 'ignored' end;
  end if;
  v_reason := coalesce(
    app.mismatch(p_intent, v_purchase.amount_cents, v_purchase.currency,
      coalesce(v_purchase.livemode, (p_intent ->> 'livemode')::boolean)),
    app.unpaid_reason(p_intent, p_type));
  if v_reason is not null then
    return app.quarantine(p_intent, v_reason);
  end if;
  if v_purchase.provider_txn_id is null then
    update public.purchases set provider_txn_id = p_intent ->> 'id', livemode = (p_intent ->> 'livemode')::boolean
    where id = v_purchase.id
    returning * into v_purchase;
  end if;
  if v_status = 'succeeded' then
    return app.news(app.receive_purchase(v_purchase, p_intent));
  elsif v_purchase.status = 'PENDING' and v_status = 'canceled' then
    perform app.end_reservation(v_purchase, 'FAILED', 'canceled');
    return 'applied';
  elsif v_purchase.status = 'PENDING' and app.decline_code(p_intent, p_type) is not null then
    -- Another card may be tried until the reservation expires.
    update public.purchases set failure_code = app.decline_code(p_intent, p_type) where id = v_purchase.id;
    return 'applied';
  end if;
  return 'duplicate';
end
$$;

-- The money of a purchase has come. Whoever is in time is confirmed; who is late is, if there are seats.
-- Returns whether that was news.
create function app.receive_purchase(p_purchase public.purchases, p_intent jsonb) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_account_id bigint;
begin
  if exists (select from app.card_payments where intent_id = p_purchase.provider_txn_id) then
    return false;
  end if;
  if p_purchase.status = 'PENDING' then
    perform app.confirm_purchase(p_purchase, app.seats_of(p_purchase.id), true);
  elsif not app.honour_late_payment(p_purchase) then
    v_account_id := app.account_of('REFUNDS_DUE', p_purchase.currency);
  end if;
  perform app.record_card_payment(p_purchase.provider_txn_id,
    coalesce(v_account_id, app.account_of('USER', p_purchase.currency, p_purchase.user_id)),
    p_purchase.amount_cents, p_purchase.currency, p_intent);
  if v_account_id is not null then
    perform app.refund_late_payment(p_purchase, v_account_id);
  end if;
  perform app.apply_quarantined(p_purchase.provider_txn_id);
  return true;
end
$$;

-- Confirms a purchase whose seats it has: the money goes to the raffle's escrow, the tickets are issued.
create function app.confirm_purchase(p_purchase public.purchases, p_seats app.seats[], p_reserved boolean) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
begin
  if p_reserved then
    perform app.pay_seats(p_purchase.raffle_id, p_seats);
  end if;
  perform app.fill_if_sold_out(p_purchase.raffle_id, p_seats);
  select * into strict v_raffle from public.raffles where id = p_purchase.raffle_id;
  update public.purchases
  set status = 'CONFIRMED', confirmed_at = app.clock(), failure_code = null, expires_at = null, check_at = null
  where id = p_purchase.id
  returning * into p_purchase;
  perform app.post_transaction('TICKET_PURCHASE', array[
    (app.account_of('STRIPE_CLEARING', p_purchase.currency), -p_purchase.amount_cents),
    (app.account_of('RAFFLE_ESCROW', p_purchase.currency, null, p_purchase.raffle_id), p_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => p_purchase.id, p_raffle_id => p_purchase.raffle_id,
    p_external_id => p_purchase.provider_txn_id);
  if p_purchase.redeem then
    perform app.redeem_seats(p_purchase, v_raffle, null);
  end if;
  perform app.tell('purchase_confirmed', p_purchase.user_id, p_purchase.id);
end
$$;

-- Gives a late payment seats if the buyer could buy the same now: the raffle is open and has as many, the
-- numbers that were chosen are free, the terms allow this user more, and nothing keeps them from playing.
-- Returns whether it did.
create function app.honour_late_payment(p_purchase public.purchases) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_seats app.seats[];
  v_raffle public.raffles;
begin
  if not exists (select from public.raffles where id = p_purchase.raffle_id and state = 'OPEN' and closes_at > app.clock()) then
    return false;
  end if;
  begin
    perform app.require_player(p_purchase.user_id);
    perform app.require_active_wallet(app.find_account('USER', p_purchase.currency, p_purchase.user_id, null));
    v_seats := (app.take_seats(p_purchase.raffle_id, p_purchase.quantity, false)).seats;
    select * into strict v_raffle from public.raffles where id = p_purchase.raffle_id;
    perform app.price_for(v_raffle, p_purchase.user_id, p_purchase.type, p_purchase.quantity, p_purchase.ticket_id);
    perform app.within_spend_limits(p_purchase.user_id, p_purchase.currency, p_purchase.amount_cents);
    if p_purchase.numbers is not null then
      perform app.claim_numbers(v_raffle, p_purchase.id, p_purchase.numbers);
    end if;
  exception when sqlstate 'PT401' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' then
    return false; -- sold out or closed since, or beyond what this user may have or do by now
  end;
  perform app.reserve_seats(p_purchase.id, v_seats);
  perform app.confirm_purchase(p_purchase, v_seats, false);
  return true;
end
$$;

-- Books card money that buys nothing any more, and has it sent back.
create function app.refund_late_payment(p_purchase public.purchases, p_account_id bigint) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.post_transaction('REFUND', array[
    (app.account_of('STRIPE_CLEARING', p_purchase.currency), -p_purchase.amount_cents), (p_account_id, p_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => p_purchase.id, p_raffle_id => p_purchase.raffle_id,
    p_external_id => p_purchase.provider_txn_id);
  insert into app.card_refunds (intent_id, purchase_id, amount_cents)
  values (p_purchase.provider_txn_id, p_purchase.id, p_purchase.amount_cents);
  update public.purchases set status = 'REFUNDED', failure_code = 'paid_too_late', check_at = null where id = p_purchase.id;
  perform app.tell('purchase_refunded', p_purchase.user_id, p_purchase.id);
end
$$;


-- Reservations that end ---------------------------------------------------------------------------------

-- Gives the seats of a pending purchase back, and has its payment cancelled. The caller has locked the
-- purchase. Locks its lanes.
create function app.end_reservation(p_purchase public.purchases, p_status public.purchase_status, p_code text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_seats app.seats[] := app.seats_of(p_purchase.id);
begin
  perform app.return_seats(p_purchase.raffle_id, v_seats);
  delete from app.reservations where purchase_id = p_purchase.id;
  delete from app.number_claims where purchase_id = p_purchase.id;
  update public.purchases set status = p_status, failure_code = coalesce(failure_code, p_code),
    check_at = app.clock()
  where id = p_purchase.id;
  perform app.tell('purchase_' || lower(p_status::text), p_purchase.user_id, p_purchase.id);
end
$$;

-- Ends the reservations whose time is over. Run by the clock, as often and as late as it likes.
create function app.expire_purchases() returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
  v_purchases public.purchases[];
  v_raffle_id uuid;
  v_count bigint := 0;
begin
  for v_raffle_id in
    select distinct raffle_id from public.purchases where status = 'PENDING' and expires_at <= app.clock()
    order by raffle_id limit 1000
  loop
    perform app.enter_raffle(v_raffle_id);
    -- All of them, then their lanes in order: one after another they would come in the order of purchases.
    v_purchases := array(select p from public.purchases p
      where raffle_id = v_raffle_id and status = 'PENDING' and expires_at <= app.clock()
      order by id limit 1000 for update skip locked);
    perform from app.raffle_lanes where raffle_id = v_raffle_id order by lane_no for update;
    foreach v_purchase in array v_purchases loop
      perform app.end_reservation(v_purchase, 'EXPIRED', 'expired');
      v_count := v_count + 1;
    end loop;
  end loop;
  return v_count;
end
$$;

-- What the sweeper is to look at: what the chapters before know, purchases whose payment is to be asked
-- after or cancelled, and refunds to be sent. Called by `reconcile` as service_role.
create function app.claim_unfinished(p_max integer) returns jsonb
language sql security definer set search_path = '' as $$
  -- One that Stripe has refused to send for an hour: a person must look at it.
  select app.alert_operators('refund_stuck', id::text, jsonb_build_object(
    'purchase_id', purchase_id, 'payment_intent', intent_id, 'amount_cents', amount_cents))
  from app.card_refunds where check_at <= app.clock() and checks > 6;

  with purchases as (
    update public.purchases set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '6 hours')
    where id in (select id from public.purchases where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  ), refunds as (
    update app.card_refunds set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '6 hours')
    where id in (select id from app.card_refunds where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  )
  select app.claim_unfinished_money(p_max) || jsonb_build_object(
    'purchases', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'status', status, 'provider_txn_id', provider_txn_id, 'created_at', created_at)) from purchases), '[]'),
    'refunds', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'intent_id', intent_id, 'amount_cents', amount_cents)) from refunds), '[]'))
$$;

-- Nothing is left to be asked about a purchase. Called by `reconcile` as service_role.
create function app.finish_purchase_check(p_purchase_id uuid) returns void
language sql security definer set search_path = '' as $$
  update public.purchases set check_at = null where id = p_purchase_id and status in ('FAILED', 'EXPIRED')
$$;

-- Stripe has a refund of ours: it is not sent any more. If the bank did not take it, the buyer gets the money
-- in the wallet, once, however often and in whatever order that is told, and the payment is the buyer's
-- again, whatever Stripe takes back of it later, or has taken of it meanwhile: more than it was is the buyer's debt.
-- Called by apply_reversal, which has locked the payment and posted what Stripe said. Returns
-- whether it was news. Locks the refund, the payment, the account.
create function app.follow_card_refund(p_refund_id text, p_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_refund app.card_refunds;
  v_payment app.card_payments;
  v_purchase public.purchases;
  v_account_id bigint;
  v_excess bigint;
begin
  update app.card_refunds r set refund_id = p_refund_id, check_at = null
  from app.card_reversals e
  where e.id = p_refund_id and r.id = p_id and r.refund_id is null
    and (e.kind, e.intent_id, e.amount_cents) = ('REFUND', r.intent_id, r.amount_cents);
  update app.card_refunds r set failed_at = app.clock()
  from app.card_reversals e
  where e.id = p_refund_id and e.status in ('failed', 'canceled') and r.refund_id = p_refund_id and r.failed_at is null
  returning r.* into v_refund;
  if not found then
    return false;
  end if;
  select * into strict v_purchase from public.purchases where id = v_refund.purchase_id;
  select * into strict v_payment from app.card_payments where intent_id = v_refund.intent_id;
  v_account_id := app.account_of('USER', v_payment.currency, v_purchase.user_id);
  update app.card_payments set account_id = v_account_id where intent_id = v_payment.intent_id;
  v_excess := v_payment.taken_cents - v_payment.amount_cents;
  if v_excess > 0 then
    perform app.charge_back(v_payment.account_id, -v_excess, 'CHARGEBACK', p_refund_id);
    perform app.charge_back(v_account_id, v_excess, 'CHARGEBACK', p_refund_id);
  elsif v_excess < 0 then
    perform app.post_transaction('REFUND', array[
      (v_payment.account_id, v_excess), (v_account_id, -v_excess)
    ]::app.posting[], p_purchase_id => v_purchase.id, p_raffle_id => v_purchase.raffle_id, p_external_id => p_refund_id);
    perform app.tell('refund_to_wallet', v_purchase.user_id, v_purchase.id);
  end if;
  perform app.alert_operators('refund_failed', p_refund_id, jsonb_build_object(
    'purchase_id', v_purchase.id, 'amount_cents', v_refund.amount_cents, 'currency', v_purchase.currency));
  return true;
end
$$;
