-- House balances: the sums of house accounts, which keep no balance that buyers would queue on. They are rolled
-- up in the background, so that asking for one reads only what was entered since.

create table public.house_balances (
  account_id bigint primary key references public.wallet_accounts (id),
  kind public.account_kind not null,
  raffle_id uuid,
  currency char(3) not null references public.currencies (code),
  balance_cents bigint not null
);
comment on table public.house_balances is 'What house accounts had when they were last rolled up, each minute.';
create index house_balances_currency on public.house_balances (currency);
alter table public.house_balances enable row level security;

create table app.ledger_mark (
  only_row boolean primary key default true check (only_row),
  rolled_up bigint not null default 0,
  noted bigint not null default 0,
  noted_at timestamptz not null default clock_timestamp(),
  noted_xmax xid8 not null default '0'
);
comment on table app.ledger_mark is 'Up to which entry the house balances are rolled up, and which comes next.';
insert into app.ledger_mark default values;

-- Adds the entries up to the noted one, once whoever could still be writing one below it is done, and notes
-- the next. Run by the clock. Locks the mark.
create function app.roll_up_balances() returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_mark app.ledger_mark;
begin
  select * into v_mark from app.ledger_mark for update;
  -- A number is drawn a moment before its transaction shows itself: hence the seconds.
  if v_mark.noted_at > clock_timestamp() - interval '10 seconds'
    or pg_snapshot_xmin(pg_current_snapshot()) < v_mark.noted_xmax
  then
    return false;
  end if;
  insert into public.house_balances as b (account_id, kind, raffle_id, currency, balance_cents)
  select a.id, a.kind, a.raffle_id, a.currency, sum(case l.direction when 'CREDIT' then l.amount_cents else -l.amount_cents end)
  from public.wallet_accounts a join public.wallet_ledger l on l.account_id = a.id
  where a.kind <> 'USER' and l.id > v_mark.rolled_up and l.id <= v_mark.noted
  group by a.id
  on conflict (account_id) do update set balance_cents = b.balance_cents + excluded.balance_cents;
  update app.ledger_mark set rolled_up = v_mark.noted, noted_at = clock_timestamp(),
    noted = coalesce((select last_value from public.wallet_ledger_id_seq), 0),
    noted_xmax = pg_snapshot_xmax(pg_current_snapshot());
  return true;
end
$$;

-- What a house account has at this moment.
create function app.house_balance(p_account_id bigint) returns bigint
language sql stable security definer set search_path = '' as $$
  select coalesce((select balance_cents from public.house_balances where account_id = p_account_id), 0) + coalesce((
    select sum(case direction when 'CREDIT' then amount_cents else -amount_cents end) from public.wallet_ledger
    where account_id = p_account_id and id > (select rolled_up from app.ledger_mark)), 0)::bigint
$$;
