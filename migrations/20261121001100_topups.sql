-- Top-ups: money from a card into the wallet. Our row is made first, then Stripe is asked, then what it
-- said is recorded; whatever is lost in between, the row is still there to go on from.

insert into app.error_codes (code, status) values
  ('self_excluded', 403),
  ('deposit_limit_reached', 403),
  ('topup_not_found', 404);

insert into app.settings (name, value, minimum, maximum, description) values
  ('topup_minimum_cents', 100, 100, 1000000, 'The smallest top-up.'),
  ('topup_maximum_cents', 1000000, 100, 1000000, 'The largest top-up.'),
  ('topup_expiry_minutes', 60, 40, 1440, 'After so long an unpaid top-up is cancelled.');

insert into app.rate_limits (class, burst, per_seconds) values
  ('verify', 30, 60);

create type public.payment_status as enum ('CREATED', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED');
create type public.payment_form as enum ('checkout', 'payment_intent');

create table public.wallet_topups (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id),
  account_id bigint not null references public.wallet_accounts (id),
  amount_cents bigint not null check (amount_cents > 0),
  currency char(3) not null references public.currencies (code),
  method public.payment_form not null,
  status public.payment_status not null default 'CREATED',
  provider text not null default 'stripe',
  provider_txn_id text unique,
  intent_id text unique,
  livemode boolean,
  failure_code text,
  attempt smallint not null default 0,
  check_at timestamptz,
  checks smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  completed_at timestamptz,
  constraint wallet_topups_processing check (status <> 'PROCESSING' or provider_txn_id is not null),
  constraint wallet_topups_completed check (
    (status = 'COMPLETED') = (completed_at is not null) and (status <> 'COMPLETED' or intent_id is not null))
);
comment on table public.wallet_topups is
  'CREATED: Stripe may have been asked. PROCESSING: Stripe waits for the customer. The rest are ends; '
  'money that arrives after a failure or a cancellation completes the top-up all the same.';
comment on column public.wallet_topups.provider_txn_id is 'The Checkout session or the PaymentIntent that we asked for.';
comment on column public.wallet_topups.intent_id is 'The PaymentIntent; for a session, once somebody has tried to pay.';
comment on column public.wallet_topups.attempt is 'Counts what Stripe refused: each further try has an idempotency key of its own.';
comment on column public.wallet_topups.check_at is 'When the sweeper asks Stripe about it next; null once there is nothing to ask.';
create index wallet_topups_user on public.wallet_topups (user_id, created_at desc, id);
create index wallet_topups_account on public.wallet_topups (account_id);
create index wallet_topups_currency on public.wallet_topups (currency);
create index wallet_topups_check on public.wallet_topups (check_at) where check_at is not null;

alter table public.wallet_topups enable row level security;
insert into app.state_changes (subject, from_state, to_state) values
  ('wallet_topups', 'CREATED', 'PROCESSING'),
  ('wallet_topups', 'CREATED', 'COMPLETED'),
  ('wallet_topups', 'CREATED', 'FAILED'),
  ('wallet_topups', 'CREATED', 'CANCELLED'),
  ('wallet_topups', 'PROCESSING', 'COMPLETED'),
  ('wallet_topups', 'PROCESSING', 'FAILED'),
  ('wallet_topups', 'PROCESSING', 'CANCELLED'),
  ('wallet_topups', 'FAILED', 'PROCESSING'),
  ('wallet_topups', 'FAILED', 'CANCELLED'),
  ('wallet_topups', 'FAILED', 'COMPLETED'),
  ('wallet_topups', 'CANCELLED', 'COMPLETED');
create trigger enforce_state_change before update on public.wallet_topups
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();


-- The customer that Stripe keeps a person's saved cards under. Made when a card is first to be saved.
create table app.stripe_customers (
  user_id uuid primary key references public.profiles (id),
  customer_id text not null unique
);

-- The caller's id, address, and customer at Stripe if there is one. Raises not_authenticated.
create function app.get_customer() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('user_id', u.id, 'email', u.email, 'customer_id', c.customer_id)
  from auth.users u left join app.stripe_customers c on c.user_id = u.id
  where u.id = app.signed_in_user()
$$;

-- Remembers it; of two that were made at once the first stays. Called as service_role.
create function app.record_customer(p_user_id uuid, p_customer_id text) returns text
language sql security definer set search_path = '' as $$
  insert into app.stripe_customers (user_id, customer_id) values (p_user_id, p_customer_id)
  on conflict (user_id) do nothing;
  select customer_id from app.stripe_customers where user_id = p_user_id
$$;


-- Reading -----------------------------------------------------------------------------------------

create function app.describe_topup(p_topup public.wallet_topups) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', p_topup.id, 'status', p_topup.status, 'amount_cents', p_topup.amount_cents,
    'currency', p_topup.currency, 'method', p_topup.method, 'failure_code', p_topup.failure_code,
    'created_at', p_topup.created_at, 'completed_at', p_topup.completed_at)
$$;

-- One of the caller's top-ups. Raises not_authenticated, topup_not_found (others' too).
create function app.own_topup(p_topup_id uuid) returns public.wallet_topups
language plpgsql stable security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups;
begin
  select * into v_topup from public.wallet_topups where id = p_topup_id and user_id = app.signed_in_user();
  if not found then
    perform app.fail('topup_not_found');
  end if;
  return v_topup;
end
$$;

create function app.get_topup(p_topup_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('topup', app.describe_topup(app.own_topup(p_topup_id)))
$$;

-- What the caller's verification of a top-up needs: the row, and what to ask Stripe for.
-- Locks the rate bucket. Raises not_authenticated, topup_not_found, rate_limited.
create function app.begin_topup_check(p_topup_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups := app.own_topup(p_topup_id);
begin
  perform app.take_token('verify', v_topup.user_id);
  return jsonb_build_object('topup', app.describe_topup(v_topup), 'provider_txn_id', v_topup.provider_txn_id);
end
$$;

-- The caller's top-ups, newest first. Raises not_authenticated.
create function app.list_topups(p_skip integer, p_page_size integer) returns jsonb
language sql stable security definer set search_path = '' as $$
  with own as (
    select * from public.wallet_topups where user_id = app.signed_in_user()
  ), page as (
    select * from own order by created_at desc, id limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_topup(page) order by created_at desc, id) from page), '[]'),
    'total', (select count(*) from own))
$$;


-- Limits --------------------------------------------------------------------------------------------

-- Refuses a deposit beyond one of the user's own limits. A day, a week, a month are the 24 hours,
-- 7 days and 30 days before now; deposits under way count as made. The caller holds the user's rate bucket,
-- which makes their deposits one after another. Raises deposit_limit_reached.
create function app.check_deposit_limits(p_account_id bigint, p_amount_cents bigint) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_limit record;
begin
  select l.period, l.currency, app.limit_in_force(l) as amount_cents, sum(t.amount_cents)::bigint as used_cents
  into v_limit
  from public.wallet_accounts a
  join public.play_limits l on l.user_id = a.user_id and l.currency = a.currency and l.kind = 'deposit'
  left join public.wallet_topups t on t.account_id = a.id
    and t.status in ('CREATED', 'PROCESSING', 'COMPLETED')
    and t.created_at > app.clock() - app.length_of(l.period)
  where a.id = p_account_id
  group by l.user_id, l.kind, l.period, l.currency
  having coalesce(sum(t.amount_cents), 0) + p_amount_cents > app.limit_in_force(l)
  order by l.period limit 1;
  if found then
    perform app.fail('deposit_limit_reached', jsonb_build_object(
      'period', v_limit.period, 'currency', v_limit.currency, 'limit_cents', v_limit.amount_cents,
      'remaining_cents', greatest(v_limit.amount_cents - coalesce(v_limit.used_cents, 0), 0)));
  end if;
end
$$;


-- Asking for one ---------------------------------------------------------------------------------------

-- Makes the row of a top-up, or finds the one that an earlier try under the same key has begun, even if it
-- has been paid since: a webhook may come before a lost answer is asked for again. Answers
-- {replayed, answer} when all has been done before, else {topup, attempt, expires_at} for Stripe to be asked.
-- Locks the key, the rate bucket, the profile, the account.
-- Raises not_authenticated, account_suspended, email_unverified, self_excluded, deposit_limit_reached,
-- request_invalid, rate_limited, and what claim_key raises.
create function app.begin_topup(
  p_key text, p_amount_cents bigint, p_currency text, p_method public.payment_form, p_request jsonb
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := app.claim_key(v_user_id, 'topup', p_key, p_request);
  v_topup public.wallet_topups;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  select * into v_topup from public.wallet_topups
  where id = app.subject_of_key(v_user_id, 'topup', p_key) and status <> 'CANCELLED'
  for update; -- whoever gives it up sees that this key is being worked on, or this sees that it was given up
  if not found then
    v_topup := app.create_topup(p_amount_cents, p_currency, p_method);
    perform app.set_subject_of_key(v_user_id, 'topup', p_key, v_topup.id);
  elsif v_topup.status = 'FAILED' then
    -- What was declined is tried again with the same payment: it may have been paid since, and another one
    -- beside it would be a second charge.
    perform app.require_deposit(v_topup.account_id, v_topup.amount_cents);
  end if;
  return jsonb_build_object('replayed', false, 'topup', app.describe_topup(v_topup), 'attempt', v_topup.attempt,
    'expires_at', v_topup.created_at + make_interval(mins => app.setting('topup_expiry_minutes')));
end
$$;

-- Refuses who may not deposit so much. Raises not_authenticated, account_suspended, email_unverified,
-- self_excluded, deposit_limit_reached.
create function app.require_deposit(p_account_id bigint, p_amount_cents bigint) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from public.profiles where id = app.active_user() and self_excluded_until > app.clock()) then
    perform app.fail('self_excluded');
  end if;
  perform app.check_deposit_limits(p_account_id, p_amount_cents);
end
$$;

-- The row of a new top-up, after all that may speak against it. Called by begin_topup.
create function app.create_topup(
  p_amount_cents bigint, p_currency text, p_method public.payment_form
) returns public.wallet_topups
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.active_user();
  v_account_id bigint;
  v_topup public.wallet_topups;
begin
  perform app.require_currency(p_currency);
  if p_amount_cents is null
    or p_amount_cents not between app.setting('topup_minimum_cents') and app.setting('topup_maximum_cents')
  then
    perform app.fail_field('amount_cents', format('must be from %s to %s',
      app.setting('topup_minimum_cents'), app.setting('topup_maximum_cents')));
  end if;
  v_account_id := app.account_of('USER', p_currency, v_user_id);
  perform app.require_deposit(v_account_id, p_amount_cents);
  insert into public.wallet_topups (user_id, account_id, amount_cents, currency, method, check_at)
  values (v_user_id, v_account_id, p_amount_cents, p_currency, coalesce(p_method, 'checkout'), app.clock() + interval '2 minutes')
  returning * into v_topup;
  return v_topup;
end
$$;

-- Records what Stripe made for a top-up, and stores the answer. Doing it again gives the same answer.
-- Called by the function `topup` as service_role, with Stripe's own object. Locks the top-up.
create function app.record_topup(p_topup_id uuid, p_key text, p_object jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups;
  v_answer jsonb;
begin
  -- The key before the top-up, as begin_topup does.
  perform from app.idempotency_keys
  where user_id = (select user_id from public.wallet_topups where id = p_topup_id) and endpoint = 'topup' and key = p_key
  for update;
  select * into strict v_topup from public.wallet_topups where id = p_topup_id for update;
  if v_topup.provider_txn_id is null and v_topup.status = 'CREATED' then
    v_topup := app.adopt_topup(v_topup, p_object);
  elsif v_topup.provider_txn_id = p_object ->> 'id' and v_topup.status = 'FAILED' then
    update public.wallet_topups set status = 'PROCESSING', failure_code = null, check_at = app.clock() + interval '5 minutes'
    where id = p_topup_id
    returning * into v_topup;
  end if;
  if v_topup.provider_txn_id is distinct from p_object ->> 'id' then
    return null; -- swept away, or begun anew, in the meantime
  end if;
  v_answer := jsonb_build_object('topup', app.describe_topup(v_topup)) || case v_topup.method
    when 'checkout' then jsonb_build_object('checkout_url', p_object ->> 'url')
    else jsonb_build_object('payment', jsonb_build_object('provider', 'stripe',
      'payment_intent_id', p_object ->> 'id', 'client_secret', p_object ->> 'client_secret')) end;
  return app.store_answer(v_topup.user_id, 'topup', p_key, v_answer);
end
$$;

-- Ties Stripe's object to the top-up it was made for. The caller has locked the top-up.
create function app.adopt_topup(p_topup public.wallet_topups, p_object jsonb) returns public.wallet_topups
language plpgsql security definer set search_path = '' as $$
declare
  v_topup public.wallet_topups;
begin
  update public.wallet_topups set
    provider_txn_id = p_object ->> 'id',
    intent_id = case method when 'payment_intent' then p_object ->> 'id'
      else coalesce(intent_id, p_object ->> 'payment_intent') end,
    livemode = (p_object ->> 'livemode')::boolean,
    status = case status when 'CREATED' then 'PROCESSING'::public.payment_status else status end,
    check_at = case status when 'CREATED' then app.clock() + interval '5 minutes' else check_at end
  where id = p_topup.id
  returning * into v_topup;
  return v_topup;
end
$$;

-- Records that Stripe could not be asked, or refused; the key can be used again at once. A refusal is
-- what Stripe goes on answering to the same idempotency key, so that the next try needs another.
-- Called by the function `topup` as service_role.
create function app.record_topup_failure(p_topup_id uuid, p_key text, p_code text, p_refused boolean) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid;
begin
  update public.wallet_topups set attempt = attempt + p_refused::integer,
    failure_code = case status when 'CREATED' then p_code else failure_code end
  where id = p_topup_id;
  select user_id into v_user_id from public.wallet_topups where id = p_topup_id;
  perform app.release_key(v_user_id, 'topup', p_key);
end
$$;


-- How they end --------------------------------------------------------------------------------------------

-- The money is with Stripe: credits the wallet, once. The caller has locked the top-up.
create function app.complete_topup(p_topup public.wallet_topups, p_intent_id text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.wallet_topups
  set status = 'COMPLETED', completed_at = app.clock(), failure_code = null, intent_id = p_intent_id, check_at = null
  where id = p_topup.id;
  perform app.post_transaction('TOPUP', array[
    (p_topup.account_id, p_topup.amount_cents),
    (app.account_of('STRIPE_CLEARING', p_topup.currency), -p_topup.amount_cents)
  ]::app.posting[], p_topup_id => p_topup.id, p_external_id => p_intent_id);
  perform app.tell('topup_completed', p_topup.user_id, p_topup.id);
end
$$;

-- There will be no money, as far as anybody knows. Being cancelled outranks having failed, so that the
-- order in which Stripe's events come makes no difference. The caller has locked the top-up.
-- Returns whether that was news.
create function app.end_topup(p_topup public.wallet_topups, p_status public.payment_status, p_code text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if p_topup.status in ('COMPLETED', 'CANCELLED', p_status) then
    return false;
  end if;
  update public.wallet_topups set status = p_status, failure_code = p_code,
    -- A failed payment can still be paid with another card; a session that is over cannot.
    check_at = case when p_status = 'FAILED' and method = 'payment_intent' then check_at end
  where id = p_topup.id;
  return true;
end
$$;
