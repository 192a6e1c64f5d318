-- Withdrawals: money from the wallet to the person's bank. The amount is held, then Stripe moves it to
-- the person's connected account (a transfer) and from there to the bank (a payout). Each of the two is
-- asked for once: whoever asks has claimed that step before. If the answer is lost, Stripe is asked what
-- it knows, and nothing is sent again.

insert into app.error_codes (code, status) values
  ('kyc_required', 403),
  ('payout_account_missing', 403),
  ('withdrawal_not_found', 404);

insert into app.settings (name, value, minimum, maximum, description) values
  ('withdrawal_minimum_cents', 100, 1, 1000000, 'The smallest withdrawal.'),
  ('withdrawal_unknown_minutes', 15, 5, 1440,
    'After so long, a transfer or payout that Stripe does not know was never made.');

alter table public.profiles add column payout_account text
  constraint profiles_payout_account check (payout_account ~ '^acct_[A-Za-z0-9]{1,64}$');
comment on column public.profiles.payout_account is 'The Stripe account that withdrawals go to. Set by operators.';

-- Sets the Stripe account that a person's withdrawals go to; null takes it away. What is under way goes
-- where it was going. Operators; for staff, admins. Raises not_permitted, user_not_found, request_invalid.
create function app.set_payout_account(p_user_id uuid, p_account text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_power_over(p_user_id, 'operator');
  update public.profiles set payout_account = p_account where id = p_user_id;
end
$$;

create table public.wallet_withdrawals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id),
  account_id bigint not null references public.wallet_accounts (id),
  hold_id bigint not null unique references public.wallet_holds (id),
  amount_cents bigint not null check (amount_cents > 0),
  currency char(3) not null references public.currencies (code),
  status public.payment_status not null default 'CREATED',
  provider text not null default 'stripe',
  destination text not null,
  transfer_id text unique,
  provider_txn_id text unique,
  livemode boolean,
  payout_claimed_at timestamptz,
  transfer_booked_at timestamptz,
  transfer_reversed_at timestamptz,
  capture_id bigint,
  failure_code text,
  check_at timestamptz,
  checks smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  completed_at timestamptz,
  failed_at timestamptz
);
comment on table public.wallet_withdrawals is
  'CREATED: nothing has been sent. PROCESSING: it may have been. COMPLETED: the bank has it; a bank may '
  'still send it back, and then the withdrawal is FAILED and the money in the wallet again.';
comment on column public.wallet_withdrawals.destination is 'The connected account, as it was when the withdrawal was made.';
comment on column public.wallet_withdrawals.provider_txn_id is 'The payout.';
comment on column public.wallet_withdrawals.payout_claimed_at is 'Since then the payout may have been asked for.';
comment on column public.wallet_withdrawals.capture_id is 'The ledger transaction that took the money from the wallet.';
comment on column public.wallet_withdrawals.check_at is 'When the sweeper looks at it next; null once there is nothing to do.';
create index wallet_withdrawals_user on public.wallet_withdrawals (user_id, created_at desc, id);
create index wallet_withdrawals_account on public.wallet_withdrawals (account_id);
create index wallet_withdrawals_currency on public.wallet_withdrawals (currency);
create index wallet_withdrawals_check on public.wallet_withdrawals (check_at) where check_at is not null;

alter table public.wallet_withdrawals enable row level security;
insert into app.state_changes (subject, from_state, to_state) values
  ('wallet_withdrawals', 'CREATED', 'PROCESSING'),
  ('wallet_withdrawals', 'CREATED', 'CANCELLED'),
  ('wallet_withdrawals', 'PROCESSING', 'COMPLETED'),
  ('wallet_withdrawals', 'PROCESSING', 'FAILED'),
  ('wallet_withdrawals', 'COMPLETED', 'FAILED');
create trigger enforce_state_change before update on public.wallet_withdrawals
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();


-- Reading -----------------------------------------------------------------------------------------

create function app.describe_withdrawal(p_withdrawal public.wallet_withdrawals) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', p_withdrawal.id, 'status', p_withdrawal.status, 'amount_cents', p_withdrawal.amount_cents,
    'currency', p_withdrawal.currency, 'failure_code', p_withdrawal.failure_code,
    'created_at', p_withdrawal.created_at, 'completed_at', p_withdrawal.completed_at)
$$;

-- One of the caller's withdrawals. Raises not_authenticated, withdrawal_not_found (others' too).
create function app.get_withdrawal(p_withdrawal_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  select * into v_withdrawal from public.wallet_withdrawals
  where id = p_withdrawal_id and user_id = app.signed_in_user();
  if not found then
    perform app.fail('withdrawal_not_found');
  end if;
  return jsonb_build_object('withdrawal', app.describe_withdrawal(v_withdrawal));
end
$$;

-- The caller's withdrawals, newest first. Raises not_authenticated.
create function app.list_withdrawals(p_skip integer, p_page_size integer) returns jsonb
language sql stable security definer set search_path = '' as $$
  with own as (
    select * from public.wallet_withdrawals where user_id = app.signed_in_user()
  ), page as (
    select * from own order by created_at desc, id limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_withdrawal(page) order by created_at desc, id) from page), '[]'),
    'total', (select count(*) from own))
$$;


-- Asking for one --------------------------------------------------------------------------------------

-- Makes a withdrawal and holds its amount, or finds the one that an earlier try under the same key made.
-- Answers {replayed, answer} when all has been done before, else {withdrawal} for Stripe to be asked.
-- Locks the key, the rate bucket, the profile, the account.
-- Raises not_authenticated, account_suspended, email_unverified, kyc_required, payout_account_missing,
-- wallet_suspended, balance_insufficient, request_invalid, rate_limited, and what claim_key raises.
create function app.begin_withdrawal(p_key text, p_amount_cents bigint, p_currency text, p_request jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := app.claim_key(v_user_id, 'withdraw', p_key, p_request);
  v_withdrawal public.wallet_withdrawals;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  select * into v_withdrawal from public.wallet_withdrawals
  where id = app.subject_of_key(v_user_id, 'withdraw', p_key) and status in ('CREATED', 'PROCESSING', 'COMPLETED');
  if not found then
    v_withdrawal := app.create_withdrawal(p_amount_cents, p_currency);
    perform app.set_subject_of_key(v_user_id, 'withdraw', p_key, v_withdrawal.id);
  end if;
  return jsonb_build_object('replayed', false, 'withdrawal', app.describe_withdrawal(v_withdrawal));
end
$$;

-- The row and the hold of a new withdrawal, after all that may speak against it. Called by begin_withdrawal.
create function app.create_withdrawal(p_amount_cents bigint, p_currency text) returns public.wallet_withdrawals
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.active_user();
  v_profile public.profiles;
  v_account_id bigint;
  v_withdrawal public.wallet_withdrawals;
begin
  perform app.require_currency(p_currency);
  if p_amount_cents is null or p_amount_cents < app.setting('withdrawal_minimum_cents') then
    perform app.fail_field('amount_cents', format('must be at least %s', app.setting('withdrawal_minimum_cents')));
  end if;
  select * into strict v_profile from public.profiles where id = v_user_id;
  if v_profile.kyc_status <> 'VERIFIED' then
    perform app.fail('kyc_required');
  end if;
  if v_profile.payout_account is null then
    perform app.fail('payout_account_missing');
  end if;
  -- Who owes in one currency takes nothing out in another.
  if exists (select from public.wallet_accounts where user_id = v_user_id and debt_cents > 0) then
    perform app.fail('wallet_suspended');
  end if;
  v_account_id := app.account_of('USER', p_currency, v_user_id);
  insert into public.wallet_withdrawals (user_id, account_id, hold_id, amount_cents, currency, destination, check_at)
  values (v_user_id, v_account_id, app.place_hold(v_account_id, p_amount_cents, 'WITHDRAWAL'), p_amount_cents,
    p_currency, v_profile.payout_account, app.clock() + interval '2 minutes')
  returning * into v_withdrawal;
  return v_withdrawal;
end
$$;

-- Stores what the request is answered; or, if Stripe refused, answers {refused} and frees the key.
-- Called by the function `withdraw` as service_role, once what became of the withdrawal is recorded, or
-- unknown.
create function app.answer_withdrawal(p_withdrawal_id uuid, p_key text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  select * into strict v_withdrawal from public.wallet_withdrawals where id = p_withdrawal_id;
  if v_withdrawal.status in ('FAILED', 'CANCELLED') then
    perform app.release_key(v_withdrawal.user_id, 'withdraw', p_key);
    return jsonb_build_object('refused', v_withdrawal.failure_code);
  end if;
  return app.store_answer(v_withdrawal.user_id, 'withdraw', p_key,
    jsonb_build_object('withdrawal', app.describe_withdrawal(v_withdrawal)));
end
$$;


-- Its steps ---------------------------------------------------------------------------------------------

-- Claims the right to ask Stripe for the transfer; of many callers one gets it, the others null.
-- Called as service_role, immediately before asking.
create function app.claim_transfer(p_withdrawal_id uuid) returns jsonb
language sql security definer set search_path = '' as $$
  update public.wallet_withdrawals set status = 'PROCESSING', check_at = app.clock() + interval '2 minutes'
  where id = p_withdrawal_id and status = 'CREATED'
  returning jsonb_build_object('id', id, 'amount_cents', amount_cents, 'currency', currency, 'destination', destination)
$$;

-- The same for the payout, once the transfer is there.
create function app.claim_payout(p_withdrawal_id uuid) returns jsonb
language sql security definer set search_path = '' as $$
  update public.wallet_withdrawals set payout_claimed_at = app.clock(), check_at = app.clock() + interval '2 minutes'
  where id = p_withdrawal_id and status = 'PROCESSING' and transfer_id is not null and payout_claimed_at is null
  returning jsonb_build_object('id', id, 'amount_cents', amount_cents, 'currency', currency, 'destination', destination)
$$;

-- The money has left our balance at Stripe. Doing it again changes nothing. The caller has locked the
-- withdrawal. Returns whether that was news.
create function app.book_transfer(p_withdrawal public.wallet_withdrawals, p_transfer jsonb) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if p_withdrawal.transfer_id is not null then
    return false;
  end if;
  update public.wallet_withdrawals
  set transfer_id = p_transfer ->> 'id', transfer_booked_at = app.clock(), livemode = (p_transfer ->> 'livemode')::boolean,
    -- One that turns up after we had given it up is fetched back.
    check_at = case status when 'FAILED' then app.clock() else check_at end
  where id = p_withdrawal.id;
  perform app.post_transaction('WITHDRAWAL', array[
    (app.account_of('WITHDRAWALS', p_withdrawal.currency), -p_withdrawal.amount_cents),
    (app.account_of('STRIPE_CLEARING', p_withdrawal.currency), p_withdrawal.amount_cents)
  ]::app.posting[], p_withdrawal_id => p_withdrawal.id, p_external_id => p_transfer ->> 'id');
  return true;
end
$$;

-- The money has come back to our balance at Stripe. The caller has locked the withdrawal.
-- Returns whether that was news.
create function app.book_transfer_reversal(p_withdrawal public.wallet_withdrawals) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if p_withdrawal.transfer_reversed_at is not null then
    return false;
  end if;
  update public.wallet_withdrawals
  set transfer_reversed_at = app.clock(), check_at = case status when 'FAILED' then null else check_at end
  where id = p_withdrawal.id;
  perform app.post_transaction('WITHDRAWAL', array[
    (app.account_of('WITHDRAWALS', p_withdrawal.currency), p_withdrawal.amount_cents),
    (app.account_of('STRIPE_CLEARING', p_withdrawal.currency), -p_withdrawal.amount_cents)
  ]::app.posting[], p_withdrawal_id => p_withdrawal.id, p_external_id => p_withdrawal.transfer_id);
  return true;
end
$$;

-- The bank has the money: captures the hold, once. The caller has locked the withdrawal.
-- Returns whether that was news.
create function app.complete_withdrawal(p_withdrawal public.wallet_withdrawals) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_capture_id bigint;
begin
  if p_withdrawal.status <> 'PROCESSING' then
    return false;
  end if;
  v_capture_id := app.capture_hold(p_withdrawal.hold_id, app.account_of('WITHDRAWALS', p_withdrawal.currency),
    p_withdrawal.id, p_withdrawal.provider_txn_id);
  update public.wallet_withdrawals
  set status = 'COMPLETED', capture_id = v_capture_id, completed_at = app.clock(), failure_code = null,
    check_at = case when transfer_id is null then check_at end
  where id = p_withdrawal.id;
  perform app.tell('withdrawal_paid', p_withdrawal.user_id, p_withdrawal.id);
  return true;
end
$$;

-- The money will not reach the bank, or has come back from it: the person has it again. What the
-- transfer moved is fetched back afterwards by the sweeper. The caller has locked the withdrawal.
-- Returns whether that was news.
create function app.fail_withdrawal(p_withdrawal public.wallet_withdrawals, p_code text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if p_withdrawal.status not in ('PROCESSING', 'COMPLETED') then
    return false;
  end if;
  if p_withdrawal.capture_id is null then
    perform app.release_hold(p_withdrawal.hold_id);
  else
    perform app.reverse_transaction(p_withdrawal.capture_id, p_code);
  end if;
  update public.wallet_withdrawals
  set status = 'FAILED', failure_code = p_code, completed_at = null, failed_at = app.clock(),
    check_at = case when transfer_id is not null and transfer_reversed_at is null then app.clock() end
  where id = p_withdrawal.id;
  perform app.tell('withdrawal_failed', p_withdrawal.user_id, p_withdrawal.id);
  return true;
end
$$;

-- Records that Stripe refused a step for good, or does not know of it, and tells the operators.
-- Called as service_role.
create function app.refuse_withdrawal(p_withdrawal_id uuid, p_code text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  select * into strict v_withdrawal from public.wallet_withdrawals where id = p_withdrawal_id for update;
  if app.fail_withdrawal(v_withdrawal, p_code) then
    perform app.alert_operators('withdrawal_refused', p_withdrawal_id::text, jsonb_build_object(
      'code', p_code, 'destination', v_withdrawal.destination, 'user_id', v_withdrawal.user_id));
  end if;
end
$$;
