-- Transfers and payouts, as Stripe tells of them: the two steps of a withdrawal.

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
  elsif v_reason is null and p_payout ->> 'status' not in ('failed', 'canceled') and v_withdrawal.status = 'FAILED'
    and v_withdrawal.provider_txn_id is null then
    v_reason := 'sent after it was given up';
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
