-- Chargebacks: refunds and disputes. Whatever order they are told in, what they have taken of a payment in
-- the end is the same; it comes from the wallet, and what is not there becomes a debt.

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
  update app.card_payments set charge_refunded_cents = greatest(charge_refunded_cents, v_refunded),
    charge_told_at = case when v_refunded > charge_refunded_cents then app.clock() else charge_told_at end
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
  v_outcome app.event_outcome;
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
  on conflict (id) do update set status = excluded.status, rank = excluded.rank, told_at = excluded.told_at
  where excluded.rank > r.rank;
  if p_kind = 'DISPUTE' and v_known.id is null then
    perform app.alert_operators('dispute', p_object ->> 'id', jsonb_build_object(
      'payment_intent', v_payment.intent_id, 'amount_cents', v_amount, 'reason', p_object -> 'reason'));
  end if;
  v_outcome := app.settle_reversals(v_payment, p_kind, p_object ->> 'id');
  return case when app.follow_card_refund(p_object ->> 'id', app.metadata_id(p_object, 'refund_id'))
    then 'applied' else v_outcome end;
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
