-- What the benchmark buys in: 20,000 people with money, one raffle of 9,000,000 tickets that everybody
-- wants (number 0), and 200 of 100,000.

update app.rate_limits set burst = 1000000000, per_seconds = 1;

insert into auth.users (id, aud, role, email, email_confirmed_at, raw_user_meta_data)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'authenticated', 'authenticated',
  n || '@example.test', now(), '{}'
from generate_series(1, 20000) n;
update public.profiles set birth_date = '1990-01-01';

insert into public.wallet_accounts (kind, user_id, currency, balance_cents, held_cents, debt_cents)
select 'USER', id, 'EUR', 0, 0, 0 from public.profiles;
select app.post_payouts('PRIZE_PAYOUT', app.account_of('REVENUE', 'EUR'), array(
  select (id, 1000000000, null)::app.payout_item from public.wallet_accounts where kind = 'USER'), null);

insert into public.prizes (id, title, value_cents, stock)
values ('00000000-0000-4000-8000-000000000001', 'A prize', 100, 1000);
insert into public.raffles (id, prize_id, ticket_price_cents, tickets_required, closes_at)
select ('00000000-0000-4000-8000-1' || lpad(n::text, 11, '0'))::uuid, '00000000-0000-4000-8000-000000000001',
  500, case n when 0 then 9000000 else 100000 end, now() + interval '1 year'
from generate_series(0, 200) n;
insert into public.user_roles (user_id, role) values ('00000000-0000-4000-8000-000000000001', 'operator');
select set_config('request.jwt.claims', '{"role":"authenticated","sub":"00000000-0000-4000-8000-000000000001"}', false);
select app.publish_raffle(id) from public.raffles;

create table app.bench_rows (id bigint generated always as identity primary key, a integer, b text);

-- What PostgREST does for a request: the claims, then the call.
create function app.bench_buy(p_user integer, p_raffle integer, p_quantity integer, p_key bigint) returns json
language plpgsql as $$
begin
  perform set_config('request.jwt.claims',
    '{"role":"authenticated","sub":"00000000-0000-4000-8000-' || lpad(p_user::text, 12, '0') || '"}', true);
  return public.begin_purchase(p_key::text, ('00000000-0000-4000-8000-1' || lpad(p_raffle::text, 11, '0'))::uuid,
    p_quantity, null, 'ENTRY', 'wallet', true, null);
end
$$;

-- What a purchase writes, and nothing that it asks: neither whether it may, nor what it costs, nor who sent it
-- before. No purchase on these tables can be faster.
create function app.bench_write(p_user integer, p_key bigint) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := ('00000000-0000-4000-8000-' || lpad(p_user::text, 12, '0'))::uuid;
  v_raffle_id uuid := '00000000-0000-4000-8000-100000000000';
  v_id uuid := app.new_id();
  v_transaction_id bigint := nextval('app.ledger_transactions');
  v_num integer;
  v_account_id bigint;
  v_ticket_id bigint;
begin
  update app.raffle_lanes set fresh = fresh - 1 where raffle_id = v_raffle_id and lane_no = 1 + pg_backend_pid() % 16
  returning end_num - fresh into v_num;
  update public.wallet_accounts set balance_cents = balance_cents - 500
  where user_id = v_user_id and raffle_id is null and currency = 'EUR' and kind = 'USER'
  returning id into v_account_id;
  insert into public.purchases (id, user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method,
    redeem, redeemed, confirmed_at)
  values (v_id, v_user_id, v_raffle_id, 'ENTRY', 'CONFIRMED', 1, 500, 'EUR', 'wallet', true, true, now());
  insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
  values (v_raffle_id, v_num, v_user_id, v_id) returning id into v_ticket_id;
  insert into public.wallet_ledger (
    transaction_id, account_id, user_id, direction, amount_cents, currency, reason, purchase_id, raffle_id)
  values (v_transaction_id, v_account_id, v_user_id, 'DEBIT', 500, 'EUR', 'TICKET_PURCHASE', v_id, v_raffle_id),
    (v_transaction_id, (select id from public.wallet_accounts where raffle_id = v_raffle_id), null, 'CREDIT', 500, 'EUR',
      'TICKET_PURCHASE', v_id, v_raffle_id);
  insert into app.outbox (event, user_id, subject_id) values ('purchase_confirmed', v_user_id, v_id);
  insert into app.idempotency_keys (user_id, endpoint, key, request_hash, answer, subject_id)
  values (v_user_id, 'purchase', p_key::text, '', '[0, 0]', v_id);
  return v_ticket_id;
end
$$;
select app.account_of('RAFFLE_ESCROW', 'EUR', null, '00000000-0000-4000-8000-100000000000');
