-- Purchases: seats are taken, money moves and tickets are issued in one transaction, or nothing happens.
-- A card purchase reserves its seats until Stripe says that it is paid, or the reservation expires.

insert into app.error_codes (code, status) values
  ('age_restricted', 403),
  ('spend_limit_reached', 403),
  ('purchase_not_found', 404),
  ('ticket_not_found', 404),
  ('ticket_limit_reached', 409),
  ('number_taken', 409),
  ('boost_limit_reached', 409),
  ('retry_not_available', 409),
  ('purchase_not_confirmed', 409),
  ('purchase_already_redeemed', 409),
  ('purchase_not_redeemable', 409),
  ('quantity_out_of_range', 422),
  ('number_out_of_range', 422),
  ('currency_mismatch', 422);

insert into app.settings (name, value, minimum, maximum, description) values
  ('minimum_age', 18, 0, 30, 'In years; 0 lets everybody play. An unknown birth date counts as too young.'),
  ('reservation_minutes', 15, 1, 1440, 'How long a card purchase keeps its tickets unpaid.'),
  ('purchase_maximum_quantity', 100, 1, 100, 'The most tickets in one purchase.');

create type public.purchase_type as enum ('ENTRY', 'BOOST', 'RETRY');
create type public.purchase_status as enum ('PENDING', 'CONFIRMED', 'FAILED', 'EXPIRED', 'REFUNDED');
create type public.payment_method as enum ('wallet', 'card');

-- An id whose order is that of time: new rows of an index lie side by side.
create function app.new_id() returns uuid
language plpgsql volatile set search_path = '' as $$
begin
  return overlay(gen_random_uuid()::text placing
    lpad(to_hex((date_part('epoch', clock_timestamp()) * 1000)::bigint), 12, '0') || '7' from 1 for 15);
end
$$;

create domain app.ticket_quantity as integer check (value between 1 and 100);

create table public.purchases (
  id uuid primary key default app.new_id(),
  user_id uuid not null,
  raffle_id uuid not null,
  type public.purchase_type not null,
  status public.purchase_status not null,
  quantity app.ticket_quantity not null,
  amount_cents app.amount not null,
  currency char(3) not null,
  payment_method public.payment_method not null,
  redeem boolean not null,
  redeemed boolean not null default false,
  ticket_id bigint,
  numbers integer[],
  provider_txn_id text,
  livemode boolean,
  failure_code text,
  attempt smallint not null default 0,
  expires_at timestamptz,
  check_at timestamptz,
  checks smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  confirmed_at timestamptz
) with (fillfactor = 80);
comment on table public.purchases is
  'user_id, raffle_id and currency refer without foreign keys: those would lock rows for each purchase. Every '
  'buyer has a wallet, and that refers to the person.';
comment on column public.purchases.redeem is 'Whether tickets are issued as soon as it is paid.';
comment on column public.purchases.ticket_id is 'The ticket that a boost or a retry refers to.';
comment on column public.purchases.numbers is
  'What was chosen in a PICK raffle, while a card is to pay for it: money that comes late buys these or nothing.';
comment on column public.purchases.provider_txn_id is 'The PaymentIntent of a card purchase.';
create unique index purchases_provider on public.purchases (provider_txn_id) where provider_txn_id is not null;
create index purchases_user on public.purchases (user_id, created_at desc);
create index purchases_raffle on public.purchases (raffle_id, id);
create index purchases_expiry on public.purchases (expires_at) where status = 'PENDING';
create index purchases_check on public.purchases (check_at) where check_at is not null;
-- Each losing ticket is retried once.
create unique index purchases_retry_once on public.purchases (ticket_id)
  where type = 'RETRY' and status in ('PENDING', 'CONFIRMED');
create index purchases_boosts on public.purchases (ticket_id) where type = 'BOOST';

create table public.tickets (
  id bigint generated always as identity,
  raffle_id uuid not null,
  ticket_num integer not null,
  user_id uuid not null,
  purchase_id uuid not null,
  created_at timestamptz not null default clock_timestamp(),
  voided_at timestamptz,
  primary key (raffle_id, ticket_num)
);
create index tickets_user on public.tickets (user_id, purchase_id);

create table app.reservations (
  purchase_id uuid not null references public.purchases (id),
  lane_no smallint not null,
  start_num integer not null,
  end_num integer not null,
  primary key (purchase_id, start_num)
);
comment on table app.reservations is 'The seats of purchases whose tickets have not been issued.';

create table app.number_claims (
  raffle_id uuid not null,
  num integer not null,
  purchase_id uuid not null,
  primary key (raffle_id, num)
);
comment on table app.number_claims is 'The numbers that buyers of a PICK raffle have chosen.';
create index number_claims_purchase on app.number_claims (purchase_id);

alter table public.purchases enable row level security;
alter table public.tickets enable row level security;
insert into app.state_changes (subject, from_state, to_state) values
  ('purchases', 'PENDING', 'CONFIRMED'),
  ('purchases', 'PENDING', 'FAILED'),
  ('purchases', 'PENDING', 'EXPIRED'),
  ('purchases', 'PENDING', 'REFUNDED'),
  ('purchases', 'EXPIRED', 'CONFIRMED'),
  ('purchases', 'EXPIRED', 'REFUNDED'),
  ('purchases', 'FAILED', 'CONFIRMED'),
  ('purchases', 'FAILED', 'REFUNDED'),
  ('purchases', 'CONFIRMED', 'REFUNDED');
create trigger enforce_state_change before update on public.purchases
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();

-- An issued ticket is never edited, moved or deleted; it is voided once, with its raffle.
create function app.enforce_issued_ticket() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'tickets are never changed or deleted' using errcode = 'insufficient_privilege';
end
$$;
create trigger enforce_issued_ticket before update on public.tickets
  for each row when (
    (old.id, old.raffle_id, old.ticket_num, old.user_id, old.purchase_id, old.created_at)
      is distinct from (new.id, new.raffle_id, new.ticket_num, new.user_id, new.purchase_id, new.created_at)
    or old.voided_at is not null)
  execute function app.enforce_issued_ticket();
create trigger refuse_deletion before delete or truncate on public.tickets
  for each statement execute function app.refuse_change();


-- Who may buy, and how much -----------------------------------------------------------------------

-- Refuses who may not play, or returns their id. Called by what takes money for play, in the user's turn: a suspension or
-- self-exclusion waits for what is under way, and nothing begins after it.
-- Raises not_authenticated, account_suspended, email_unverified, self_excluded, age_restricted.
create function app.require_player(p_user_id uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  v_minimum_age integer := app.setting('minimum_age');
  v_fault text := (
    select app.find_fault(p.status, u.email_confirmed_at, p.self_excluded_until, p.birth_date, v_minimum_age)
    from public.profiles p, auth.users u where p.id = p_user_id and u.id = p_user_id);
begin
  if v_fault is null then
    return app.require_player(app.signed_in_user()); -- makes a lost profile anew, or refuses
  elsif v_fault = 'account_suspended' then
    perform app.fail('account_suspended');
  elsif v_fault = 'email_unverified' then
    perform app.fail('email_unverified');
  elsif v_fault = 'self_excluded' then
    perform app.fail('self_excluded');
  elsif v_fault = 'age_restricted' then
    perform app.fail('age_restricted', jsonb_build_object('minimum_age', v_minimum_age));
  end if;
  return p_user_id;
end
$$;

-- The code of what keeps somebody from playing, or '' if nothing does.
create function app.find_fault(
  p_status public.account_status, p_email_confirmed_at timestamptz, p_self_excluded_until timestamptz,
  p_birth_date date, p_minimum_age integer
) returns text
language plpgsql volatile set search_path = '' as $$
begin
  return case
    when p_status <> 'ACTIVE' then 'account_suspended'
    when p_email_confirmed_at is null then 'email_unverified'
    when p_self_excluded_until > clock_timestamp() then 'self_excluded'
    when p_minimum_age > 0 and (p_birth_date is null or p_birth_date
      > (clock_timestamp() at time zone 'utc')::date - make_interval(years => p_minimum_age)) then 'age_restricted'
    else '' end;
end
$$;

-- Returns the amount, or refuses it when it is beyond one of the user's own spend limits: the 24 hours, 7 days, 30 days before now.
-- Called in the user's turn. Raises spend_limit_reached.
create function app.within_spend_limits(p_user_id uuid, p_currency text, p_amount_cents bigint) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_limit record;
begin
  for v_limit in
    select l.period, app.limit_in_force(l) as amount_cents, (
      select coalesce(sum(p.amount_cents), 0)::bigint from public.purchases p
      where p.user_id = p_user_id and p.currency = p_currency and p.status in ('PENDING', 'CONFIRMED')
        and p.created_at > app.clock() - app.length_of(l.period)) as used_cents
    from public.play_limits l
    where l.user_id = p_user_id and l.kind = 'spend' and l.currency = p_currency
    order by l.period
  loop
    if v_limit.used_cents + p_amount_cents > v_limit.amount_cents then
      perform app.fail('spend_limit_reached', jsonb_build_object(
        'period', v_limit.period, 'currency', p_currency, 'limit_cents', v_limit.amount_cents,
        'remaining_cents', greatest(v_limit.amount_cents - v_limit.used_cents, 0)));
    end if;
  end loop;
  return p_amount_cents;
end
$$;

-- What a ticket costs this user in this raffle, after all that its terms may say against the purchase.
-- The caller holds a lane of the raffle, so that the terms stay as they are read here.
-- Raises raffle_not_open, ticket_limit_reached, boost_limit_reached, retry_not_available, ticket_not_found.
create function app.price_for(
  p_raffle public.raffles, p_user_id uuid, p_type public.purchase_type, p_quantity integer, p_ticket_id bigint
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_count bigint;
begin
  if p_raffle.state <> 'OPEN' or clock_timestamp() not between p_raffle.opens_at and p_raffle.closes_at then
    perform app.fail('raffle_not_open');
  end if;
  if p_raffle.max_per_user is not null and p_type <> 'BOOST' then
    select coalesce(sum(quantity), 0) into v_count from public.purchases
    where user_id = p_user_id and raffle_id = p_raffle.id and type <> 'BOOST' and status in ('PENDING', 'CONFIRMED');
    if v_count + p_quantity > p_raffle.max_per_user then
      perform app.fail('ticket_limit_reached', jsonb_build_object(
        'limit', p_raffle.max_per_user, 'remaining', p_raffle.max_per_user - v_count));
    end if;
  end if;
  if p_type = 'BOOST' then
    perform app.check_boost(p_raffle, p_user_id, p_quantity, p_ticket_id);
    return p_raffle.boost_price_cents;
  elsif p_type = 'RETRY' then
    perform app.check_retry(p_raffle, p_user_id, p_quantity, p_ticket_id);
    return p_raffle.retry_price_cents;
  end if;
  return p_raffle.ticket_price_cents;
end
$$;

-- A boost is for a ticket that the user holds in this raffle and that is no boost itself, up to the limit
-- for each ticket: what it gives counts towards that limit, and not towards max_per_user.
-- Raises ticket_not_found, boost_limit_reached.
create function app.check_boost(p_raffle public.raffles, p_user_id uuid, p_quantity integer, p_ticket_id bigint) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_bought_as public.purchase_type;
  v_limit integer;
  v_count bigint;
begin
  select p.type into v_bought_as from public.tickets t join public.purchases p on p.id = t.purchase_id
  where t.id = p_ticket_id and t.user_id = p_user_id and t.raffle_id = p_raffle.id;
  if not found then
    perform app.fail('ticket_not_found');
  end if;
  v_limit := case v_bought_as when 'BOOST' then 0 else coalesce(p_raffle.boost_limit, 0) end;
  select coalesce(sum(quantity), 0) into v_count from public.purchases
  where ticket_id = p_ticket_id and type = 'BOOST' and status in ('PENDING', 'CONFIRMED');
  if v_count + p_quantity > v_limit then
    perform app.fail('boost_limit_reached', jsonb_build_object('limit', v_limit, 'remaining', greatest(v_limit - v_count, 0)));
  end if;
end
$$;

-- A retry is for a ticket that the user held in the raffle before, that did not win and was not retried.
-- Raises ticket_not_found, retry_not_available.
create function app.check_retry(p_raffle public.raffles, p_user_id uuid, p_quantity integer, p_ticket_id bigint) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select from public.tickets where id = p_ticket_id and user_id = p_user_id) then
    perform app.fail('ticket_not_found');
  end if;
  if p_quantity <> 1
    or not exists (
      select from public.tickets t join public.raffles r on r.id = t.raffle_id
      where t.id = p_ticket_id and r.id = p_raffle.retry_of and r.state in ('DRAWN', 'SETTLED') and t.voided_at is null
        and not exists (select from public.winners w where w.raffle_id = t.raffle_id and w.ticket_num = t.ticket_num))
    or exists (select from public.purchases
      where ticket_id = p_ticket_id and type = 'RETRY' and status in ('PENDING', 'CONFIRMED'))
  then
    perform app.fail('retry_not_available');
  end if;
end
$$;
