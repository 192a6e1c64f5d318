-- Demo data for the local stack only: `npm start` runs it once, on a database it has just made.
-- Everybody's password is rafflebase-demo.

insert into auth.users (
  id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data,
  confirmation_token, recovery_token, email_change_token_new, email_change, created_at, updated_at
)
select
  id::uuid, 'authenticated', 'authenticated', email, extensions.crypt('rafflebase-demo', extensions.gen_salt('bf', 10)),
  now(), '{"provider":"email","providers":["email"]}', jsonb_build_object('display_name', display_name),
  '', '', '', '', now(), now()
from (values
  ('00000000-0000-4000-8000-000000000001', 'admin@example.com', 'Ada Admin'),
  ('00000000-0000-4000-8000-000000000002', 'operator@example.com', 'Otto Operator'),
  ('00000000-0000-4000-8000-000000000003', 'operator2@example.com', 'Olga Operator'),
  ('00000000-0000-4000-8000-000000000004', 'ana@example.com', 'Ana'),
  ('00000000-0000-4000-8000-000000000005', 'ben@example.com', 'Ben')
) as person (id, email, display_name);

insert into auth.identities (id, provider, provider_id, user_id, identity_data, created_at, updated_at)
select gen_random_uuid(), 'email', id::text, id,
  jsonb_build_object('sub', id, 'email', email, 'email_verified', true), now(), now()
from auth.users;

update public.profiles set birth_date = '1990-01-01', country = 'ES', kyc_status = 'VERIFIED';

insert into public.user_roles (user_id, role) values
  ('00000000-0000-4000-8000-000000000001', 'admin'),
  ('00000000-0000-4000-8000-000000000002', 'operator'),
  ('00000000-0000-4000-8000-000000000003', 'operator');

-- Ana and Ben have something to spend, and somewhere to withdraw it to.
update public.profiles set payout_account = case display_name when 'Ana' then 'acct_demoAna' else 'acct_demoBen' end
where display_name in ('Ana', 'Ben');

select app.post_transaction('ADJUSTMENT', array[
  (app.account_of('USER', 'EUR', id), 10000), (app.account_of('ADJUSTMENT', 'EUR'), -10000)
]::app.posting[], p_note => 'A present to begin with')
from public.profiles where display_name in ('Ana', 'Ben');

-- Official lotteries of Colombia, by the days on which they draw. Operators enter their results.
insert into public.lotteries (id, name, digits, draw_days, results_url) values
  ('00000000-0000-4000-8000-000000000301', 'Baloto', 4, '{1,4}', 'https://www.baloto.com/resultados'),
  ('00000000-0000-4000-8000-000000000302', 'Chance', 4, '{1,2,3,4,5,6,7}', null),
  ('00000000-0000-4000-8000-000000000303', 'Lotería de Bogotá', 4, '{4}', 'https://www.loteriadebogota.com'),
  ('00000000-0000-4000-8000-000000000304', 'Lotería del Valle', 4, '{3}', 'https://www.loteriadelvalle.com'),
  ('00000000-0000-4000-8000-000000000305', 'Lotería del Meta', 4, '{3}', null),
  ('00000000-0000-4000-8000-000000000306', 'Lotería del Cauca', 4, '{6}', null);

-- Three raffles: one to buy in, one where numbers are chosen, and one that closes in a minute.
insert into public.prizes (id, title, description, value_cents, stock, sponsor, image_urls) values
  ('00000000-0000-4000-8000-000000000101', 'A bicycle', 'Seven gears and a bell.', 45000, 10,
    '{"name": "Cycles Example"}', '{https://example.com/bicycle.jpg}'),
  ('00000000-0000-4000-8000-000000000102', 'A weekend by the sea', 'Two nights for two.', 30000, 10, null, '{}');
insert into public.raffles (id, prize_id, title, ticket_price_cents, tickets_required, numbering, closes_at) values
  ('00000000-0000-4000-8000-000000000201', '00000000-0000-4000-8000-000000000101', 'Win a bicycle', 500, 100, 'SEQUENTIAL',
    now() + interval '30 days'),
  ('00000000-0000-4000-8000-000000000202', '00000000-0000-4000-8000-000000000102', 'Pick your weekend', 300, 50, 'PICK',
    now() + interval '30 days'),
  ('00000000-0000-4000-8000-000000000203', '00000000-0000-4000-8000-000000000101', 'The last minute', 500, 100, 'SEQUENTIAL',
    now() + interval '1 minute');

-- Draws here use the local beacon, whose key everybody knows.
update app.beacon_chains set in_use = false;
update app.beacon_chains set in_use = true where name = 'rafflebase-local';

-- Published by the operator.
select set_config('request.jwt.claims', '{"role":"authenticated","sub":"00000000-0000-4000-8000-000000000002"}', false);
select app.publish_raffle(id) from public.raffles order by id;
select set_config('request.jwt.claims', '', false);
