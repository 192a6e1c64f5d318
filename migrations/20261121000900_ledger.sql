-- The ledger: double entry, append-only, one function that writes it. A credit adds to an account, a
-- debit takes away; the entries of each transaction sum to zero in each currency.

insert into app.error_codes (code, status) values
  ('balance_insufficient', 402),
  ('wallet_suspended', 403),
  ('transaction_not_found', 404),
  ('transaction_already_reversed', 409);

create type public.account_kind as enum (
  'USER',            -- what a person has with us
  'RECEIVABLE',      -- what a person owes us, below zero
  'STRIPE_CLEARING', -- what Stripe keeps for us, below zero
  'WITHDRAWALS',     -- what is under way from Stripe to a person's bank, below zero
  'RAFFLE_ESCROW',   -- what a raffle's tickets brought in: it leaves as refunds or by settlement
  'REFUNDS_DUE',     -- card money that goes back to its card
  'REVENUE',
  'ADJUSTMENT'
);
create type public.wallet_status as enum ('ACTIVE', 'SUSPENDED');
create type public.entry_direction as enum ('DEBIT', 'CREDIT');
create type public.ledger_reason as enum (
  'TOPUP', 'TICKET_PURCHASE', 'REFUND', 'PRIZE_PAYOUT', 'WITHDRAWAL', 'ADJUSTMENT', 'FEE', 'ORDER',
  'CHARGEBACK', 'DEBT');
create type public.entry_status as enum ('POSTED', 'REVERSAL');


-- Accounts ------------------------------------------------------------------------------------

create domain app.note as text check (length(value) between 1 and 500);

create table public.wallet_accounts (
  id bigint generated always as identity primary key,
  kind public.account_kind not null,
  user_id uuid references public.profiles (id),
  -- Refers to a raffle; no foreign key, which comes before it.
  raffle_id uuid,
  currency char(3) not null references public.currencies (code),
  balance_cents bigint,
  held_cents app.cents,
  debt_cents app.cents,
  suspended_reason app.note,
  status public.wallet_status not null default 'ACTIVE',
  created_at timestamptz not null default now(),
  constraint wallet_accounts_once unique nulls not distinct (user_id, raffle_id, currency, kind),
  constraint wallet_accounts_balance check (balance_cents >= held_cents)
) with (fillfactor = 50);
comment on table public.wallet_accounts is
  'One account for each user and currency, made on first use, and the accounts of the house.';
comment on column public.wallet_accounts.balance_cents is 'Cached sum of the entries; only users'' accounts have one.';
comment on column public.wallet_accounts.held_cents is 'Of the balance, what active holds keep from being spent.';
comment on column public.wallet_accounts.debt_cents is
  'What the person owes: money that Stripe took back after it was spent. Collected from whatever comes in.';
comment on column public.wallet_accounts.status is 'Suspended by an operator, or by a debt: no debit.';
create index wallet_accounts_raffle on public.wallet_accounts (raffle_id) where raffle_id is not null;
create index wallet_accounts_house on public.wallet_accounts (id) where kind <> 'USER';
create index wallet_accounts_currency on public.wallet_accounts (currency);

alter table public.wallet_accounts enable row level security;

-- What kind of account has which columns, and the status that follows from them. A trigger on these
-- columns, and after the row is written, so that moving a balance does not pay for it.
create function app.shape_account() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_status public.wallet_status := case
    when new.suspended_reason is null and coalesce(new.debt_cents, 0) = 0 then 'ACTIVE' else 'SUSPENDED' end;
begin
  if (new.kind in ('USER', 'RECEIVABLE')) <> (new.user_id is not null)
    or (new.kind = 'RAFFLE_ESCROW') <> (new.raffle_id is not null)
    -- House accounts keep no balance: it would be a row that everybody queues on.
    or new.kind = 'USER' and num_nulls(new.balance_cents, new.held_cents, new.debt_cents) > 0
    or new.kind <> 'USER' and num_nonnulls(new.balance_cents, new.held_cents, new.debt_cents, new.suspended_reason) > 0
  then
    raise exception 'an account of kind % has other columns', new.kind using errcode = 'check_violation';
  end if;
  update public.wallet_accounts set status = v_status where id = new.id and status <> v_status;
  return null;
end
$$;
create trigger shape_account
  after insert or update of kind, user_id, raffle_id, debt_cents, suspended_reason on public.wallet_accounts
  for each row execute function app.shape_account();

-- The account of that kind, or null. Three questions, because each has its index.
create function app.find_account(p_kind public.account_kind, p_currency text, p_user_id uuid, p_raffle_id uuid)
returns bigint
language plpgsql stable security definer set search_path = '' as $$
begin
  if p_user_id is not null then
    return (select id from public.wallet_accounts where user_id = p_user_id and currency = p_currency and kind = p_kind);
  elsif p_raffle_id is not null then
    return (select id from public.wallet_accounts where raffle_id = p_raffle_id and currency = p_currency);
  end if;
  return (select id from public.wallet_accounts
    where user_id is null and raffle_id is null and currency = p_currency and kind = p_kind);
end
$$;

-- The account of that kind, made if it is not there; of two that make it at once, both get the same.
-- A user's new account is suspended if the user's others are.
create function app.account_of(
  p_kind public.account_kind, p_currency text, p_user_id uuid default null, p_raffle_id uuid default null
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_id bigint := app.find_account(p_kind, p_currency, p_user_id, p_raffle_id);
  v_cache bigint := case when p_kind = 'USER' then 0 end;
begin
  if v_id is null then
    -- A suspension waits for this account to be there, or this account for the suspension.
    if p_kind = 'USER' then
      perform from public.profiles where id = p_user_id for share;
    end if;
    insert into public.wallet_accounts (kind, user_id, raffle_id, currency, balance_cents, held_cents, debt_cents, suspended_reason)
    select p_kind, p_user_id, p_raffle_id, p_currency, v_cache, v_cache, v_cache, case when p_kind = 'USER' then (
      select max(suspended_reason) from public.wallet_accounts where user_id = p_user_id) end
    on conflict on constraint wallet_accounts_once do nothing;
    v_id := app.find_account(p_kind, p_currency, p_user_id, p_raffle_id);
  end if;
  return v_id;
end
$$;


-- Entries -------------------------------------------------------------------------------------

create sequence app.ledger_transactions;

create table public.wallet_ledger (
  id bigint generated always as identity,
  transaction_id bigint not null,
  account_id bigint not null,
  user_id uuid,
  direction public.entry_direction not null,
  amount_cents app.amount not null,
  currency char(3) not null,
  reason public.ledger_reason not null,
  topup_id uuid,
  withdrawal_id uuid,
  purchase_id uuid,
  raffle_id uuid,
  external_id text,
  note app.note,
  reverses_id bigint,
  status public.entry_status not null default 'POSTED',
  created_at timestamptz not null default clock_timestamp(),
  primary key (account_id, id)
);
comment on table public.wallet_ledger is
  'Every movement of money, for ever. Written by app.post_transaction(), and for many at once by '
  'app.post_payouts() and app.settle_wallet_purchase(). It refers without foreign keys: each entry would lock the '
  'rows that it names, and so everybody the house accounts. app.check_invariants() checks them instead.';
comment on column public.wallet_ledger.user_id is 'Whose wallet it is; null for accounts of the house and for debts.';
comment on column public.wallet_ledger.external_id is 'What Stripe calls it.';
comment on column public.wallet_ledger.reverses_id is 'The entry that this one takes back; each can be taken back once.';
-- Purchases are refunded, never reversed, and are most of the ledger.
create index wallet_ledger_transaction on public.wallet_ledger (transaction_id) where reason <> 'TICKET_PURCHASE';
-- A person's statement is read backwards along it.
create index wallet_ledger_statement on public.wallet_ledger (user_id, id desc) where user_id is not null;
-- Whatever goes wrong above: one top-up is credited once, one withdrawal is captured once, one entry is
-- taken back once.
create unique index wallet_ledger_reversed_once on public.wallet_ledger (reverses_id) where reverses_id is not null;
create unique index wallet_ledger_topup_once on public.wallet_ledger (topup_id)
  where reason = 'TOPUP' and user_id is not null and reverses_id is null;
create unique index wallet_ledger_withdrawal_once on public.wallet_ledger (withdrawal_id)
  where reason = 'WITHDRAWAL' and user_id is not null and reverses_id is null;

alter table public.wallet_ledger enable row level security;
create trigger refuse_change before update or delete or truncate on public.wallet_ledger
  for each statement execute function app.refuse_change();

create type app.posting as (account_id bigint, amount_cents bigint);
comment on type app.posting is 'An amount above zero is credited to the account, one below zero debited.';

-- Writes one transaction and moves the balances of the users in it. Whatever is wrong with it, nothing
-- of it is written. Suspended wallets refuse debits, unless the money has left already.
-- Called by functions of app. Locks the users' accounts in the order of
-- their ids, so that two transactions over the same accounts never wait for each other.
-- Raises balance_insufficient, wallet_suspended.
create function app.post_transaction(
  p_reason public.ledger_reason,
  p_postings app.posting[],
  p_topup_id uuid default null,
  p_withdrawal_id uuid default null,
  p_purchase_id uuid default null,
  p_raffle_id uuid default null,
  p_external_id text default null,
  p_note text default null,
  p_reverses bigint[] default null,
  p_even_suspended boolean default false
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_transaction_id bigint := nextval('app.ledger_transactions');
  v_account public.wallet_accounts;
  v_amount bigint;
  v_owes boolean := false;
begin
  if p_reason = 'ADJUSTMENT' and p_note is null then
    raise exception 'app.post_transaction: an adjustment needs its note' using errcode = 'check_violation';
  end if;
  perform app.write_entries(v_transaction_id, p_reason, p_postings, p_topup_id, p_withdrawal_id, p_purchase_id,
    p_raffle_id, p_external_id, p_note, p_reverses);

  for v_account in
    select * from public.wallet_accounts
    where id = any (array(select account_id from unnest(p_postings))) and kind = 'USER'
    order by id
    for no key update
  loop
    v_amount := (select sum(amount_cents) from unnest(p_postings) where account_id = v_account.id);
    if v_amount < 0 and v_account.status = 'SUSPENDED' and not p_even_suspended then
      perform app.fail('wallet_suspended');
    end if;
    if v_amount < 0 and v_account.balance_cents - v_account.held_cents + v_amount < 0 then
      perform app.fail('balance_insufficient', jsonb_build_object(
        'available_cents', v_account.balance_cents - v_account.held_cents, 'currency', v_account.currency));
    end if;
    update public.wallet_accounts set balance_cents = balance_cents + v_amount where id = v_account.id;
    v_owes := v_owes or v_account.debt_cents > 0;
  end loop;

  if v_owes then
    perform app.collect_debts(p_postings);
  end if;
  return v_transaction_id;
end
$$;

-- Writes the entries of one transaction, and refuses what is not one: a mistake of ours, hence no code.
-- Called by post_transaction, which keeps the balances. Of arrays Postgres would make a new plan each time,
-- which takes longer than the work: hence the generic one.
create function app.write_entries(
  p_transaction_id bigint, p_reason public.ledger_reason, p_postings app.posting[], p_topup_id uuid, p_withdrawal_id uuid,
  p_purchase_id uuid, p_raffle_id uuid, p_external_id text, p_note text, p_reverses bigint[]
) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = 'force_generic_plan' as $$
declare
  v_written bigint;
  v_cents numeric;
  v_first text;
  v_last text;
begin
  with entries as (
    insert into public.wallet_ledger (
      transaction_id, account_id, user_id, direction, amount_cents, currency, reason,
      topup_id, withdrawal_id, purchase_id, raffle_id, external_id, note, reverses_id, status)
    select p_transaction_id, a.id, case when a.kind = 'USER' then a.user_id end,
      case when p.amount_cents > 0 then 'CREDIT' else 'DEBIT' end::public.entry_direction,
      abs(p.amount_cents), a.currency, p_reason,
      p_topup_id, p_withdrawal_id, p_purchase_id, p_raffle_id, p_external_id, p_note, p_reverses[p.ordinality],
      case when p_reverses is null then 'POSTED' else 'REVERSAL' end::public.entry_status
    from unnest(p_postings) with ordinality as p
    -- Looked up one by one: there are two or three, of millions.
    cross join lateral (select * from public.wallet_accounts where id = p.account_id limit 1) a
    where p.amount_cents <> 0
    returning currency, case direction when 'CREDIT' then amount_cents else -amount_cents end as cents
  )
  select count(*), sum(cents), min(currency), max(currency) into v_written, v_cents, v_first, v_last from entries;
  if v_written < 2 or v_written is distinct from cardinality(p_postings) then
    raise exception 'app.post_transaction: needs two or more amounts that are not zero, on accounts that exist';
  end if;
  -- Nearly always there is one currency, and the sum says it all.
  if v_cents <> 0 or v_first <> v_last and exists (
    select from unnest(p_postings) p join public.wallet_accounts a on a.id = p.account_id
    group by a.currency having sum(p.amount_cents) <> 0)
  then
    raise exception 'app.post_transaction: the entries do not sum to zero in each currency';
  end if;
end
$$;

create type app.payout_item as (account_id bigint, amount_cents bigint, purchase_id uuid);
comment on type app.payout_item is 'What one account of the house pays to one wallet.';

-- Writes many transactions at once: from one account of the house to many wallets, one transaction for
-- each item. For refunds and prizes of whole raffles. Locks the wallets in the order of their ids.
-- Called by functions of app.
create function app.post_payouts(
  p_reason public.ledger_reason, p_from_account_id bigint, p_items app.payout_item[], p_raffle_id uuid
) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from unnest(p_items) where amount_cents is null or amount_cents <= 0)
    or exists (select from public.wallet_accounts where id = p_from_account_id and kind = 'USER')
  then
    raise exception 'app.post_payouts: pays amounts above zero, and not from a wallet';
  end if;
  perform from public.wallet_accounts where id in (select account_id from unnest(p_items)) order by id for no key update;
  update public.wallet_accounts a set balance_cents = balance_cents + i.amount_cents
  from (select account_id, sum(amount_cents)::bigint as amount_cents from unnest(p_items) group by account_id) i
  where a.id = i.account_id and a.kind = 'USER';

  with items as (
    select nextval('app.ledger_transactions') as transaction_id, i.*, a.user_id, a.currency
    from unnest(p_items) i join public.wallet_accounts a on a.id = i.account_id and a.kind = 'USER'
    join public.wallet_accounts f on f.id = p_from_account_id and f.currency = a.currency
  )
  insert into public.wallet_ledger (
    transaction_id, account_id, user_id, direction, amount_cents, currency, reason, purchase_id, raffle_id)
  select transaction_id, side.account_id, side.user_id, side.direction, amount_cents, currency, p_reason, purchase_id, p_raffle_id
  from items, lateral (values
    (p_from_account_id, null, 'DEBIT'::public.entry_direction),
    (items.account_id, items.user_id, 'CREDIT')) as side (account_id, user_id, direction);
  if not found and cardinality(p_items) > 0 then
    raise exception 'app.post_payouts: the accounts are not what they should be';
  end if;
  perform app.collect_debts(array(select (account_id, amount_cents)::app.posting from unnest(p_items)));
end
$$;

-- Takes a whole transaction back by a new one that is linked to it entry by entry, even from wallets
-- that are suspended. Not purchases: those are refunded. Called by functions of app. Locks as post_transaction does.
-- Raises transaction_not_found, transaction_already_reversed, balance_insufficient.
create function app.reverse_transaction(p_transaction_id bigint, p_note text default null) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_entries public.wallet_ledger[] := array(
    select l from public.wallet_ledger l where transaction_id = p_transaction_id and reason <> 'TICKET_PURCHASE' order by id);
begin
  if cardinality(v_entries) = 0 then
    perform app.fail('transaction_not_found');
  end if;
  if exists (
    select from unnest(v_entries) e join public.wallet_accounts a on a.id = e.account_id where a.kind = 'RECEIVABLE'
  ) then
    raise exception 'app.reverse_transaction: a debt is given back by app.charge_back';
  end if;
  -- One at a time: of two that take the same back, the second finds it done.
  perform pg_advisory_xact_lock(hashtextextended('reverse ' || p_transaction_id, 0));
  if exists (select from public.wallet_ledger l join unnest(v_entries) e on l.reverses_id = e.id) then
    perform app.fail('transaction_already_reversed');
  end if;
  return app.post_transaction(
    v_entries[1].reason,
    array(select (e.account_id, case e.direction when 'CREDIT' then -e.amount_cents else e.amount_cents end)::app.posting
      from unnest(v_entries) with ordinality e order by e.ordinality),
    p_topup_id => v_entries[1].topup_id,
    p_withdrawal_id => v_entries[1].withdrawal_id,
    p_purchase_id => v_entries[1].purchase_id,
    p_raffle_id => v_entries[1].raffle_id,
    p_external_id => v_entries[1].external_id,
    p_note => coalesce(p_note, v_entries[1].note),
    p_reverses => array(select id from unnest(v_entries) with ordinality e order by e.ordinality),
    p_even_suspended => true);
end
$$;
