-- What a crowd plays in: 6,000 people of age, every tenth with little money; raffle 0, which everybody wants; 1 to
-- 20; 21 to 25, soon sold out; 26, of which one may have three tickets; 27, sold and sealed.

insert into auth.users (id, aud, role, email, email_confirmed_at, raw_user_meta_data)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'authenticated', 'authenticated',
  n || '@example.test', now(), '{}'
from generate_series(0, 5999) n;
update public.profiles set birth_date = '1990-01-01';

insert into public.wallet_accounts (kind, user_id, currency, balance_cents, held_cents, debt_cents)
select 'USER', id, 'EUR', 0, 0, 0 from public.profiles;
select app.post_payouts('PRIZE_PAYOUT', app.account_of('REVENUE', 'EUR'), array(
  select (id, case when right(user_id::text, 1) = '0' then 500 else 1000000 end, null)::app.payout_item
  from public.wallet_accounts where kind = 'USER'), null);

insert into public.prizes (id, title, value_cents, stock)
values ('00000000-0000-4000-8000-000000000001', 'A bicycle', 100, 100);
insert into public.raffles (id, title, prize_id, ticket_price_cents, tickets_required, max_per_user, closes_at)
select ('00000000-0000-4000-8000-1' || lpad(n::text, 11, '0'))::uuid, 'Raffle ' || n,
  '00000000-0000-4000-8000-000000000001', 100,
  case when n = 0 then 1000000 when n = 27 then 50 when n between 21 and 25 then 100 else 100000 end,
  case n when 26 then 3 end, now() + interval '1 year'
from generate_series(0, 27) n;

insert into public.user_roles (user_id, role) values ('00000000-0000-4000-8000-000000005999', 'operator');
select set_config('request.jwt.claims', '{"role":"authenticated","sub":"00000000-0000-4000-8000-000000005999"}', true);
select app.publish_raffle(id) from public.raffles;
select public.begin_purchase('all', '00000000-0000-4000-8000-100000000027', 50, null, 'ENTRY', 'wallet', true, null);
select app.seal_raffle('00000000-0000-4000-8000-100000000027');
