-- Cancelling: everybody gets back what they paid, set by set. What is interrupted goes on where it was:
-- a purchase is refunded in the transaction that says so.

insert into app.error_codes (code, status) values
  ('raffle_not_cancellable', 409),
  ('refund_not_available', 409);

-- What cancelling a raffle would give back.
create function app.describe_cancellation(p_raffle_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'raffle_id', p_raffle_id,
    'people', count(distinct user_id),
    'purchases', count(*),
    'tickets', coalesce(sum(quantity), 0),
    'amount_cents', coalesce(sum(amount_cents), 0),
    'currency', (select currency from public.raffles where id = p_raffle_id))
  from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED'
$$;

-- Cancels a raffle that has not been drawn, nor could be: who wins must not be a reason. Sales stop at once, what is pending fails, tickets are voided,
-- the prizes go back to stock, and every purchase is refunded to its buyer's wallet. A dry run, which is
-- the default, only says to how many people and how much. Operators.
-- Locks the lanes, then the raffle, then the accounts.
-- Raises not_permitted, raffle_not_found, raffle_not_cancellable, request_invalid.
create function app.cancel_raffle(p_raffle_id uuid, p_reason text, p_dry_run boolean) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_state public.raffle_state;
  v_plan jsonb;
begin
  perform app.require_role('operator');
  perform app.require_note('reason', p_reason);
  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select state into v_state from public.raffles where id = p_raffle_id for update;
  if not found then
    perform app.fail('raffle_not_found');
  elsif v_state in ('DRAWN', 'SETTLED', 'CANCELLED') or app.draw_is_near(p_raffle_id) then
    perform app.fail('raffle_not_cancellable');
  end if;
  v_plan := app.describe_cancellation(p_raffle_id);
  if not coalesce(p_dry_run, true) then
    perform app.stop_raffle(p_raffle_id, btrim(p_reason));
    perform app.refund_purchases(p_raffle_id);
  end if;
  return v_plan || jsonb_build_object('dry_run', coalesce(p_dry_run, true));
end
$$;

-- Makes a raffle CANCELLED; the code says it to whoever does not read the reason's language. The caller has
-- locked its lanes and the raffle.
create function app.stop_raffle(p_raffle_id uuid, p_reason text, p_code text default null) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
begin
  update app.raffle_lanes set open = false where raffle_id = p_raffle_id;
  update public.raffles set state = 'CANCELLED', cancelled_at = app.clock(), cancel_reason = p_reason, cancel_code = p_code
  where id = p_raffle_id
  returning * into v_raffle;
  update public.prizes set stock = stock + v_raffle.prizes_taken where id = v_raffle.prize_id;
  with pending as (
    update public.purchases set status = 'FAILED', failure_code = 'raffle_cancelled', check_at = app.clock()
    where raffle_id = p_raffle_id and status = 'PENDING'
    returning id, user_id
  )
  insert into app.outbox (event, user_id, subject_id)
  select 'purchase_failed', user_id, id from pending;
  update public.tickets set voided_at = app.clock() where raffle_id = p_raffle_id and voided_at is null;
  delete from app.reservations where purchase_id in (select id from public.purchases where raffle_id = p_raffle_id);
  perform app.tell('raffle_cancelled', null, p_raffle_id);
end
$$;

-- Refunds what confirmed purchases of a cancelled raffle paid. What has been refunded is so no more.
create function app.refund_purchases(p_raffle_id uuid, p_max integer default 200000) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_items app.payout_item[];
  v_currency text := (select currency from public.raffles where id = p_raffle_id and state = 'CANCELLED');
begin
  insert into public.wallet_accounts (kind, user_id, currency, balance_cents, held_cents, debt_cents)
  select distinct 'USER'::public.account_kind, user_id, v_currency, 0, 0, 0
  from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED' and payment_method = 'card'
  on conflict on constraint wallet_accounts_once do nothing;

  with refunded as (
    update public.purchases set status = 'REFUNDED'
    where id in (select id from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED' limit p_max for update)
    returning id, user_id, amount_cents
  ), told as (
    insert into app.outbox (event, user_id, subject_id)
    select 'purchase_refunded', user_id, id from refunded
  )
  select array_agg((a.id, r.amount_cents, r.id)::app.payout_item) into v_items
  from refunded r join public.wallet_accounts a on a.kind = 'USER' and a.user_id = r.user_id and a.currency = v_currency;
  if v_items is null then
    return 0;
  end if;
  perform app.post_payouts('REFUND', app.account_of('RAFFLE_ESCROW', v_currency, null, p_raffle_id), v_items, p_raffle_id);
  return cardinality(v_items);
end
$$;

-- Goes on with refunds that did not fit into one go. Run by the clock.
create function app.refund_cancelled() returns bigint
language sql security definer set search_path = '' as $$
  select coalesce(sum(app.refund_purchases(id)), 0)::bigint from (
    select id from public.raffles r where state = 'CANCELLED'
      and exists (select from public.purchases p where p.raffle_id = r.id and p.status = 'CONFIRMED')
    order by id limit 10
  ) unfinished
$$;

-- Sends the refund of a card purchase on to its card: out of the wallet, and back by Stripe. The buyer.
-- Locks the purchase, the payment, the account.
-- Raises not_authenticated, rate_limited, purchase_not_found, refund_not_available, balance_insufficient,
-- wallet_suspended.
create function app.request_card_refund(p_purchase_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_purchase public.purchases;
  v_due bigint;
begin
  perform app.take_token('money', v_user_id);
  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = v_user_id for update;
  if not found then
    perform app.fail('purchase_not_found');
  end if;
  -- Before the account, as those do who take a payment back: what they do meanwhile is seen below.
  perform from app.card_payments where intent_id = v_purchase.provider_txn_id for update;
  if v_purchase.status <> 'REFUNDED' or v_purchase.payment_method <> 'card'
    or exists (select from app.card_refunds where purchase_id = p_purchase_id)
    or not exists (select from app.card_payments where intent_id = v_purchase.provider_txn_id and taken_cents = 0)
  then
    perform app.fail('refund_not_available');
  end if;
  v_due := app.account_of('REFUNDS_DUE', v_purchase.currency);
  perform app.post_transaction('REFUND', array[
    (app.account_of('USER', v_purchase.currency, v_user_id), -v_purchase.amount_cents), (v_due, v_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => v_purchase.id, p_raffle_id => v_purchase.raffle_id);
  update app.card_payments set account_id = v_due where intent_id = v_purchase.provider_txn_id;
  insert into app.card_refunds (intent_id, purchase_id, amount_cents)
  values (v_purchase.provider_txn_id, p_purchase_id, v_purchase.amount_cents);
  return jsonb_build_object('purchase', app.describe_purchase(v_purchase));
end
$$;
