-- Official lotteries: when they draw, and what they drew. A result counts once two who do not depend on each
-- other have said the same: two operators, or a feed and an operator.

insert into app.error_codes (code, status) values
  ('lottery_not_found', 404),
  ('lottery_date_in_use', 409);

create type app.lottery_source as enum ('OPERATOR', 'FEED');

-- What each source says. Nobody reads it but through what it leads to.
create table app.lottery_entries (
  lottery_id uuid not null references public.lotteries (id),
  draw_date date not null,
  source app.lottery_source not null,
  operator_id uuid references public.profiles (id),
  winning_number text not null,
  series text,
  entered_at timestamptz not null default clock_timestamp(),
  constraint lottery_entries_once unique nulls not distinct (lottery_id, draw_date, operator_id),
  constraint lottery_entries_source check ((source = 'OPERATOR') = (operator_id is not null))
);
create index lottery_entries_operator on app.lottery_entries (operator_id);

create table public.lottery_results (
  lottery_id uuid not null references public.lotteries (id),
  draw_date date not null,
  winning_number text not null check (winning_number ~ '^[0-9]+$'),
  series text,
  confirmed_at timestamptz not null default clock_timestamp(),
  primary key (lottery_id, draw_date)
);
comment on table public.lottery_results is 'Confirmed results, for ever.';
alter table public.lottery_results enable row level security;
create trigger refuse_change before update or delete or truncate on public.lottery_results
  for each statement execute function app.refuse_change();

-- When a lottery draws on that date; null if it does not.
create function app.lottery_moment(p_lottery_id uuid, p_date date) returns timestamptz
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select (p_date + l.draws_at) at time zone l.time_zone from public.lotteries l
    left join public.lottery_dates d on d.lottery_id = l.id and d.draw_date = p_date
    where l.id = p_lottery_id and coalesce(d.takes_place, extract(isodow from p_date) = any (l.draw_days)));
end
$$;

-- The first date after this one on which a lottery draws; null if there is none within a year.
create function app.next_lottery_date(p_lottery_id uuid, p_after date) returns date
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select day::date from generate_series(p_after + 1, p_after + 366, interval '1 day') as day
    where app.lottery_moment(p_lottery_id, day::date) is not null order by day limit 1);
end
$$;

-- Says that a lottery draws, or does not, on a date that its days of the week tell otherwise. Not of a date
-- that a raffle on sale or sealed looks to: nobody shall move a draw. Admins. Locks the lottery.
-- Raises not_permitted, lottery_not_found, lottery_date_in_use, request_invalid.
create function app.set_lottery_date(p_lottery_id uuid, p_draw_date date, p_takes_place boolean) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_role('admin');
  perform from public.lotteries where id = p_lottery_id for update;
  if not found then
    perform app.fail('lottery_not_found');
  elsif p_draw_date is null or p_takes_place is null then
    perform app.fail_field(case when p_draw_date is null then 'draw_date' else 'takes_place' end, 'is needed');
  elsif exists (select from public.raffles where lottery_id = p_lottery_id and lottery_draw_date = p_draw_date
      and state in ('OPEN', 'FULL', 'CLOSED'))
    or exists (select from public.lottery_draws where lottery_id = p_lottery_id and draw_date = p_draw_date)
  then
    perform app.fail('lottery_date_in_use');
  end if;
  insert into public.lottery_dates (lottery_id, draw_date, takes_place) values (p_lottery_id, p_draw_date, p_takes_place)
  on conflict (lottery_id, draw_date) do update set takes_place = excluded.takes_place;
end
$$;

-- Enters what an operator saw as the official result; entering again corrects their own. Operators.
-- Raises not_permitted, lottery_not_found, request_invalid.
create function app.record_lottery_result(p_lottery_id uuid, p_draw_date date, p_winning_number text, p_series text)
returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_role('operator');
  return app.enter_lottery_result(p_lottery_id, p_draw_date, p_winning_number, p_series, 'OPERATOR', auth.uid());
end
$$;

-- Called by record_lottery_result, and for the feed. Answers whether the result is confirmed by now. Locks
-- the lottery, so that of two who enter at once the second sees the first.
create function app.enter_lottery_result(
  p_lottery_id uuid, p_draw_date date, p_winning_number text, p_series text, p_source app.lottery_source, p_operator_id uuid
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_lottery public.lotteries;
  v_moment timestamptz := app.lottery_moment(p_lottery_id, p_draw_date);
begin
  select * into v_lottery from public.lotteries where id = p_lottery_id for no key update;
  if not found then
    perform app.fail('lottery_not_found');
  elsif v_moment is null or v_moment > clock_timestamp() then
    perform app.fail_field('draw_date', 'must be a date on which this lottery has drawn');
  elsif coalesce(p_winning_number, '') !~ ('^[0-9]{' || v_lottery.digits || '}$') then
    perform app.fail_field('winning_number', 'must have ' || v_lottery.digits || ' figures');
  elsif length(p_series) not between 1 and 20 then
    perform app.fail_field('series', 'must have from 1 to 20 characters');
  end if;
  if not exists (select from public.lottery_results where lottery_id = p_lottery_id and draw_date = p_draw_date) then
    insert into app.lottery_entries (lottery_id, draw_date, source, operator_id, winning_number, series)
    values (p_lottery_id, p_draw_date, p_source, p_operator_id, p_winning_number, p_series)
    on conflict on constraint lottery_entries_once do update set
      winning_number = excluded.winning_number, series = excluded.series, entered_at = clock_timestamp();
    perform app.confirm_lottery_result(p_lottery_id, p_draw_date);
  end if;
  return jsonb_build_object('lottery_id', p_lottery_id, 'draw_date', p_draw_date, 'confirmed', (
    select to_jsonb(r) from public.lottery_results r where lottery_id = p_lottery_id and draw_date = p_draw_date));
end
$$;

-- Confirms a result that two have entered alike and nobody otherwise; tells the operators of a disagreement.
create function app.confirm_lottery_result(p_lottery_id uuid, p_draw_date date) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_entered integer;
  v_versions integer;
begin
  select count(*), count(distinct (winning_number, coalesce(series, ''))) into v_entered, v_versions
  from app.lottery_entries where lottery_id = p_lottery_id and draw_date = p_draw_date;
  if v_versions > 1 then
    perform app.alert_operators('lottery_disagreement', p_lottery_id || ' ' || p_draw_date, (
      select jsonb_agg(jsonb_build_object('source', source, 'operator_id', operator_id, 'winning_number', winning_number,
        'series', series) order by entered_at)
      from app.lottery_entries where lottery_id = p_lottery_id and draw_date = p_draw_date));
  elsif v_entered > 1 then
    insert into public.lottery_results (lottery_id, draw_date, winning_number, series)
    select lottery_id, draw_date, winning_number, series from app.lottery_entries
    where lottery_id = p_lottery_id and draw_date = p_draw_date limit 1;
  end if;
end
$$;
