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
