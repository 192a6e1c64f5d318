-- The wallet: what a person can spend, what is held of it, what they owe, and what staff may do to it.

insert into app.error_codes (code, status) values
  ('hold_not_active', 409);


-- Holds -----------------------------------------------------------------------------------------

create type public.hold_status as enum ('ACTIVE', 'CAPTURED', 'RELEASED');

create table public.wallet_holds (
  id bigint generated always as identity primary key,
  account_id bigint not null references public.wallet_accounts (id),
  user_id uuid not null references public.profiles (id),
  amount_cents bigint not null check (amount_cents > 0),
  reason public.ledger_reason not null,
  status public.hold_status not null default 'ACTIVE',
  expires_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  resolved_at timestamptz,
  constraint wallet_holds_resolved check ((status = 'ACTIVE') = (resolved_at is null))
);
comment on table public.wallet_holds is
  'Money that is promised elsewhere: still in the balance, no longer to be spent. Each ends once.';
comment on column public.wallet_holds.expires_at is 'Null: only its outcome ends it.';
create index wallet_holds_active on public.wallet_holds (account_id) where status = 'ACTIVE';
create index wallet_holds_account on public.wallet_holds (account_id);
create index wallet_holds_user on public.wallet_holds (user_id);
create index wallet_holds_expiry on public.wallet_holds (expires_at) where status = 'ACTIVE';

alter table public.wallet_holds enable row level security;
insert into app.state_changes (subject, from_state, to_state) values
  ('wallet_holds', 'ACTIVE', 'CAPTURED'),
  ('wallet_holds', 'ACTIVE', 'RELEASED');
create trigger enforce_state_change before update on public.wallet_holds
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();

-- Holds an amount. Called by functions of app. Locks the account.
-- Raises wallet_suspended, balance_insufficient.
create function app.place_hold(
  p_account_id bigint, p_amount_cents bigint, p_reason public.ledger_reason, p_expires_at timestamptz default null
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_account public.wallet_accounts;
  v_hold_id bigint;
begin
  select * into strict v_account from public.wallet_accounts where id = p_account_id for no key update;
  if v_account.status = 'SUSPENDED' then
    perform app.fail('wallet_suspended');
  end if;
  if v_account.balance_cents - v_account.held_cents < p_amount_cents then
    perform app.fail('balance_insufficient', jsonb_build_object(
      'available_cents', v_account.balance_cents - v_account.held_cents, 'currency', v_account.currency));
  end if;
  update public.wallet_accounts set held_cents = held_cents + p_amount_cents where id = p_account_id;
  insert into public.wallet_holds (account_id, user_id, amount_cents, reason, expires_at)
  values (p_account_id, v_account.user_id, p_amount_cents, p_reason, p_expires_at)
  returning id into v_hold_id;
  return v_hold_id;
end
$$;

-- Ends an active hold in one way or the other. Called by the next two. Locks the hold, then the account.
-- Raises hold_not_active.
create function app.resolve_hold(p_hold_id bigint, p_status public.hold_status) returns public.wallet_holds
language plpgsql security definer set search_path = '' as $$
declare
  v_hold public.wallet_holds;
begin
  select * into strict v_hold from public.wallet_holds where id = p_hold_id for update;
  if v_hold.status <> 'ACTIVE' or (p_status = 'CAPTURED' and v_hold.expires_at <= app.clock()) then
    perform app.fail('hold_not_active');
  end if;
  update public.wallet_holds set status = p_status, resolved_at = app.clock() where id = p_hold_id;
  update public.wallet_accounts set held_cents = held_cents - v_hold.amount_cents where id = v_hold.account_id;
  return v_hold;
end
$$;

-- Gives a held amount back to be spent, or to pay a debt. Called by functions of app.
-- Raises hold_not_active.
create function app.release_hold(p_hold_id bigint) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_hold public.wallet_holds := app.resolve_hold(p_hold_id, 'RELEASED');
begin
  perform app.collect_debts(array[(v_hold.account_id, 0)::app.posting]);
end
$$;

-- Spends a held amount: it goes to an account of the house, even if the wallet has been suspended since.
-- Called by functions of app. Raises hold_not_active.
create function app.capture_hold(
  p_hold_id bigint, p_to_account_id bigint, p_withdrawal_id uuid default null, p_external_id text default null
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_hold public.wallet_holds := app.resolve_hold(p_hold_id, 'CAPTURED');
begin
  return app.post_transaction(
    v_hold.reason,
    array[(v_hold.account_id, -v_hold.amount_cents), (p_to_account_id, v_hold.amount_cents)]::app.posting[],
    p_withdrawal_id => p_withdrawal_id,
    p_external_id => p_external_id,
    p_even_suspended => true);
end
$$;

-- Releases the holds whose time is over. Run by the clock, as often and as late as it likes.
create function app.expire_holds() returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_hold_id bigint;
  v_count bigint := 0;
begin
  for v_hold_id in
    select id from public.wallet_holds
    where status = 'ACTIVE' and expires_at <= app.clock()
    order by account_id, id limit 1000
    for update skip locked
  loop
    perform app.release_hold(v_hold_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;


-- Debts -----------------------------------------------------------------------------------------

-- Lets users who owe something pay it from what they can spend. Called whenever something has come in,
-- so that it makes no difference whether the money or the debt came first. Locks the accounts.
create function app.collect_debts(p_postings app.posting[]) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_account public.wallet_accounts;
  v_amount bigint;
begin
  for v_account in
    select * from public.wallet_accounts
    where id in (select account_id from unnest(p_postings)) and debt_cents > 0 and balance_cents > held_cents
    order by id
    for no key update
  loop
    v_amount := least(v_account.debt_cents, v_account.balance_cents - v_account.held_cents);
    update public.wallet_accounts set debt_cents = debt_cents - v_amount where id = v_account.id;
    perform app.post_transaction('DEBT', array[
      (v_account.id, -v_amount),
      (app.account_of('RECEIVABLE', v_account.currency, v_account.user_id), v_amount)
    ]::app.posting[], p_even_suspended => true);
  end loop;
end
$$;

-- Takes money that has left us from a user: from what they can spend, and the rest becomes their debt,
-- which suspends the wallet. A negative amount gives back: first the debt shrinks, then the balance grows.
-- Called when Stripe refunds a payment, opens a dispute, or takes either back. Locks the account.
create function app.charge_back(
  p_account_id bigint, p_amount_cents bigint, p_reason public.ledger_reason, p_external_id text
) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_account public.wallet_accounts;
  v_debt bigint;
  v_wallet bigint;
begin
  select * into strict v_account from public.wallet_accounts where id = p_account_id for no key update;
  if v_account.kind <> 'USER' then
    perform app.post_transaction(p_reason, array[
      (p_account_id, -p_amount_cents), (app.account_of('STRIPE_CLEARING', v_account.currency), p_amount_cents)
    ]::app.posting[], p_external_id => p_external_id);
    return;
  end if;
  v_debt := case when p_amount_cents > 0
    then greatest(p_amount_cents - (v_account.balance_cents - v_account.held_cents), 0)
    else greatest(p_amount_cents, -v_account.debt_cents) end;
  v_wallet := p_amount_cents - v_debt;
  update public.wallet_accounts set debt_cents = debt_cents + v_debt where id = p_account_id;
  perform app.post_transaction(p_reason, array(
    select posting from unnest(array[
      (p_account_id, -v_wallet),
      (app.account_of('RECEIVABLE', v_account.currency, v_account.user_id), -v_debt),
      (app.account_of('STRIPE_CLEARING', v_account.currency), p_amount_cents)
    ]::app.posting[]) as posting where (posting).amount_cents <> 0
  ), p_external_id => p_external_id, p_even_suspended => true);
end
$$;


-- What staff may do -------------------------------------------------------------------------------

create trigger record_change after update of suspended_reason on public.wallet_accounts
  for each row execute function app.record_change('id');

create function app.require_note(p_field text, p_note text) returns void
language plpgsql stable set search_path = '' as $$
begin
  if coalesce(length(btrim(p_note)), 0) not between 1 and 500 then
    perform app.fail_field(p_field, 'must have 1 to 500 characters');
  end if;
end
$$;

-- Stops all debits from a user's wallets, those that come later included. Operators; for staff, admins.
-- Waits for what is under way. Raises not_permitted, user_not_found, request_invalid.
create function app.suspend_wallet(p_user_id uuid, p_reason text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_power_over(p_user_id, 'operator');
  perform app.require_note('reason', p_reason);
  perform from public.profiles where id = p_user_id for no key update;
  -- Whoever has no wallet yet gets one: new ones take after those that are there.
  perform app.account_of('USER', 'EUR', p_user_id);
  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id for no key update;
  update public.wallet_accounts set suspended_reason = btrim(p_reason)
  where user_id = p_user_id and kind = 'USER';
end
$$;

-- Lifts what suspend_wallet did; a debt goes on suspending until it is paid.
-- Operators; for staff, admins. Raises not_permitted, user_not_found.
create function app.reinstate_wallet(p_user_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_power_over(p_user_id, 'operator');
  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id for no key update;
  update public.wallet_accounts set suspended_reason = null
  where user_id = p_user_id and kind = 'USER' and suspended_reason is not null;
end
$$;

-- Corrects a balance, up or down, with a note that says why. Admins, and never their own.
-- Raises not_permitted, user_not_found, request_invalid, wallet_suspended, balance_insufficient.
create function app.adjust_wallet(p_user_id uuid, p_currency text, p_amount_cents bigint, p_note text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_account_id bigint;
  v_transaction_id bigint;
begin
  perform app.require_power_over(p_user_id, 'admin');
  perform app.require_currency(p_currency);
  perform app.require_note('note', p_note);
  if coalesce(p_amount_cents, 0) = 0 or abs(p_amount_cents) > 100000000000 then
    perform app.fail_field('amount_cents', 'must not be zero, nor beyond 100000000000');
  end if;
  v_account_id := app.account_of('USER', p_currency, p_user_id);
  v_transaction_id := app.post_transaction('ADJUSTMENT', array[
    (v_account_id, p_amount_cents), (app.account_of('ADJUSTMENT', p_currency), -p_amount_cents)
  ]::app.posting[], p_note => btrim(p_note));
  insert into public.audit_log (actor_id, actor_kind, action, subject_table, subject_id, after)
  values (auth.uid(), app.actor_kind(), 'adjust', 'wallet_accounts', v_account_id, jsonb_build_object(
    'amount_cents', p_amount_cents, 'note', btrim(p_note), 'transaction_id', v_transaction_id));
  return jsonb_build_object('transaction_id', v_transaction_id);
end
$$;


-- What people see -----------------------------------------------------------------------------------

create view public.wallet_balances with (security_invoker = true) as
select
  a.user_id,
  a.id as account_id,
  a.currency,
  a.status,
  coalesce(l.balance_cents, 0) as balance_cents,
  coalesce(h.held_cents, 0) as held_cents,
  coalesce(l.balance_cents, 0) - coalesce(h.held_cents, 0) as available_cents
from public.wallet_accounts a
left join lateral (
  select sum(case direction when 'CREDIT' then amount_cents else -amount_cents end)::bigint as balance_cents
  from public.wallet_ledger where user_id = a.user_id and account_id = a.id
) l on true
left join lateral (
  select sum(amount_cents)::bigint as held_cents
  from public.wallet_holds where account_id = a.id and status = 'ACTIVE'
) h on true
where a.kind = 'USER';
comment on view public.wallet_balances is
  'Each wallet''s balance, added up from the ledger and the holds; it always equals what the account caches.';
-- A view that cannot be written answers like a table that may not be: a trigger lets the grants speak.
create trigger refuse_change instead of insert or update or delete on public.wallet_balances
  for each row execute function app.refuse_change();
