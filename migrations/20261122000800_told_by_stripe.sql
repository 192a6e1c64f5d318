-- What we believe because we were told in Stripe's name, so that Stripe itself can be asked.

-- What our books of the last days rest on because we were told so: payments, what their charges say was refunded
-- (at least), refunds, disputes, payouts, transfers. Each with the facts that Stripe's object must
-- have if it was Stripe who told us and not somebody with our secret key: whose it is, how much, and how it may
-- stand (null: anyhow). Those that Stripe has just listed with these facts are left out. Called by `reconcile` as
-- service_role.
create function app.told_by_stripe(p_days integer, p_listed jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  with since as (
    select app.clock() - make_interval(days => p_days) as at
  ), told as (
    select 'payment_intent' as object, p.intent_id as id, null as account, p.amount_cents as cents, p.currency,
      coalesce((select t.id from public.wallet_topups t where t.intent_id = p.intent_id and t.status = 'COMPLETED'),
        (select b.id from public.purchases b where b.provider_txn_id = p.intent_id))::text as owner,
      array['succeeded'] as statuses
    from app.card_payments p, since where p.received_at > since.at
    union all
    select 'charge', p.intent_id, null, p.charge_refunded_cents, p.currency, p.intent_id, null
    from app.card_payments p, since where p.charge_told_at > since.at
    union all
    select 'payout', w.provider_txn_id, w.destination, w.amount_cents, w.currency, w.id::text,
      -- What a bank has sent back meanwhile will be told.
      case w.status when 'COMPLETED' then array['paid', 'failed'] else array['failed', 'canceled'] end
    from public.wallet_withdrawals w, since
    where w.provider_txn_id is not null and greatest(w.completed_at, w.failed_at) > since.at
    union all
    select 'transfer', w.transfer_id, null, w.amount_cents, w.currency, w.id::text,
      case when w.transfer_reversed_at is null then array['sent', 'reversed'] else array['reversed'] end
    from public.wallet_withdrawals w, since where greatest(w.transfer_booked_at, w.transfer_reversed_at) > since.at
    union all
    select lower(r.kind::text), r.id, null, r.amount_cents, p.currency, r.intent_id,
      case
        when r.rank = 2 then array[r.status]
        -- It has taken money, which an inquiry does not.
        when r.kind = 'DISPUTE' and r.rank = 1 then array['needs_response', 'under_review', 'prevented', 'won', 'lost']
      end
    from app.card_reversals r join app.card_payments p using (intent_id), since where r.told_at > since.at
  )
  select coalesce(jsonb_agg(told), '[]') from told
  where not exists (
    select from jsonb_to_recordset(p_listed) as l (id text, cents bigint, currency text, owner text, status text)
    where (l.id, l.cents, l.currency, l.owner) = (told.id, told.cents, told.currency, told.owner)
      and (told.statuses is null or l.status = any(told.statuses)))
$$;

-- Tells the operators of an object that Stripe has not, or has otherwise: p_fact. Called by `reconcile` as
-- service_role.
create function app.report_denial(p_object text, p_id text, p_fact jsonb) returns void
language sql security definer set search_path = '' as $$
  select app.alert_operators('stripe_denies', p_id, jsonb_build_object('object', p_object, 'stripe', p_fact))
$$;
