-- Messages: what a notification says. Its facts are read from the rows it is about when it is sent; how they are
-- put into words stands in shared/notifications. Null: there is nothing left to tell.

-- Minor units as a decimal: 1250 EUR is 12.50.
create function app.decimal_of(p_cents bigint, p_currency text) returns text
language sql stable set search_path = '' as $$
  select round(p_cents / 10::numeric ^ minor_units, minor_units)::text from public.currencies where code = p_currency
$$;

-- An amount as every message has it.
create function app.money_of(p_cents bigint, p_currency text) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('amount_cents', p_cents, 'amount', app.decimal_of(p_cents, p_currency), 'currency', p_currency)
$$;

-- Whom a message goes to. Null for whoever has been deleted.
create function app.describe_person(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('id', p.id, 'email', u.email, 'name', p.display_name, 'phone', p.phone, 'locale', p.locale,
    'channels', case jsonb_typeof(p.preferences -> 'channels') when 'object' then p.preferences -> 'channels' else '{}' end)
  from public.profiles p join auth.users u on u.id = p.id where p.id = p_user_id
$$;

-- Of a raffle, its name.
create function app.name_raffle(p_raffle_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('raffle_id', r.id, 'raffle_title', coalesce(r.title, p.title))
  from public.raffles r join public.prizes p on p.id = r.prize_id where r.id = p_raffle_id
$$;

-- The numbers a person has in a raffle, or of one purchase; none where they would be too many for a message.
create function app.numbers_held(p_raffle_id uuid, p_user_id uuid, p_purchase_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select case when count(*) between 1 and 100 then jsonb_agg(ticket_num order by ticket_num) else '[]' end from public.tickets
  where raffle_id = p_raffle_id and user_id = p_user_id and (p_purchase_id is null or purchase_id = p_purchase_id)
$$;

create function app.facts_of_purchase(p_event text, p_purchase_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select app.name_raffle(b.raffle_id) || app.money_of(b.amount_cents, b.currency)
    || jsonb_build_object('purchase_id', b.id, 'quantity', b.quantity)
    || case p_event
      when 'purchase_confirmed' then jsonb_build_object(
        'type', b.type, 'payment_method', b.payment_method, 'confirmed_at', b.confirmed_at,
        'numbers', app.numbers_held(b.raffle_id, b.user_id, b.id),
        'ticket_root', (select ticket_root from public.draws where raffle_id = b.raffle_id))
      when 'purchase_refunded' then jsonb_build_object(
        'code', b.failure_code, 'numbers', app.numbers_held(b.raffle_id, b.user_id, b.id),
        'to', case b.failure_code when 'paid_too_late' then 'card' else 'wallet' end)
      else jsonb_build_object('code', b.failure_code) end
  from public.purchases b where b.id = p_purchase_id
$$;

create function app.facts_of_raffle(p_event text, p_raffle_id uuid, p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select app.name_raffle(r.id) || case p_event
    when 'raffle_full' then jsonb_build_object('tickets_required', r.tickets_required)
    when 'raffle_cancelled' then jsonb_build_object('reason', r.cancel_reason, 'code', r.cancel_code) || (
      select app.money_of(sum(amount_cents)::bigint, r.currency) from public.purchases
      where raffle_id = r.id and user_id = p_user_id and confirmed_at is not null)
    when 'raffle_sealed' then (
      select jsonb_build_object('ticket_count', d.ticket_count, 'ticket_root', d.ticket_root,
        'numbers', app.numbers_held(r.id, p_user_id), 'chain_hash', d.chain_hash, 'round', d.round, 'round_at', d.round_at,
        'lottery', (select name from public.lotteries where id = r.lottery_id), 'lottery_draw_date', r.lottery_draw_date)
      from public.draws d where d.raffle_id = r.id)
    when 'won' then jsonb_build_object('currency', r.currency,
      'prize_title', (select title from public.prizes where id = r.prize_id),
      'wins', (
        select jsonb_agg(jsonb_build_object('place', w.place, 'ticket_num', w.ticket_num, 'amount_cents', w.amount_cents,
          'amount', app.decimal_of(w.amount_cents, r.currency)) order by w.place)
        from public.winners w join public.tickets t using (raffle_id, ticket_num)
        where w.raffle_id = r.id and t.user_id = p_user_id))
    when 'not_won' then jsonb_build_object('winning_numbers', coalesce((
      select jsonb_agg(ticket_num order by place) from (
        select ticket_num, place from public.winners where raffle_id = r.id order by place limit 10) first), '[]'))
    end
  from public.raffles r where r.id = p_raffle_id
$$;

create function app.facts_of_prize(p_event text, p_raffle_id uuid, p_details jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select app.name_raffle(c.raffle_id)
    || jsonb_build_object('place', c.place, 'prize_title', (
      select p.title from public.prizes p join public.raffles r on r.prize_id = p.id where r.id = c.raffle_id))
    || case p_event
      when 'prize_sent' then p_details - 'place'
      else jsonb_build_object('ticket_num', w.ticket_num, 'claim_until', c.claim_until) end
  from public.prize_claims c join public.winners w using (raffle_id, place)
  -- Who has claimed it meanwhile need not be asked to.
  where c.raffle_id = p_raffle_id and c.place = (p_details ->> 'place')::integer and (p_event = 'prize_sent' or c.status = 'OFFERED')
$$;

create function app.facts_of_withdrawal(p_event text, p_withdrawal_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select app.money_of(amount_cents, currency) || jsonb_build_object('withdrawal_id', id)
    || case p_event when 'withdrawal_failed' then jsonb_build_object('code', failure_code) else '{}' end
  from public.wallet_withdrawals where id = p_withdrawal_id
$$;

-- What a notification says. Called by claim_notifications.
create function app.facts_of(p_notification public.notifications) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_event text := p_notification.event;
  v_id uuid := p_notification.subject_id;
  v_details jsonb := p_notification.details;
begin
  return case
    when v_event like 'purchase\_%' or v_event = 'refund_to_wallet' then app.facts_of_purchase(v_event, v_id)
    when v_event like 'prize\_%' then app.facts_of_prize(v_event, v_id, v_details)
    when v_event like 'raffle\_%' or v_event in ('won', 'not_won') then
      app.facts_of_raffle(v_event, v_id, p_notification.user_id)
    when v_event like 'withdrawal\_%' then app.facts_of_withdrawal(v_event, v_id)
    when v_event = 'topup_completed' then (
      select app.money_of(amount_cents, currency) || jsonb_build_object('topup_id', id) from public.wallet_topups where id = v_id)
    when v_event = 'operator_alert' then (
      select jsonb_build_object('alert_id', id, 'kind', kind, 'subject', subject) from public.operator_alerts
      where id = (v_details ->> 'alert_id')::bigint and resolved_at is null)
    when v_event = 'welcome' then (
      select jsonb_build_object('name', display_name) from public.profiles where id = p_notification.user_id)
    else coalesce(v_details, '{}') end;
end
$$;
