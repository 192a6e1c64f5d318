-- Raffles that an official lottery decides: the ticket with its number wins; last figures may win too.

create table public.lottery_draws (
  raffle_id uuid not null references public.draws (raffle_id),
  draw_date date not null,
  lottery_id uuid not null references public.lotteries (id),
  winning_number text,
  primary key (raffle_id, draw_date)
);
comment on table public.lottery_draws is
  'The official draws that a sealed raffle looks to: that of its terms and, by the rule NEXT_DRAW, further ones '
  'for as long as their numbers are unsold.';
create index lottery_draws_lottery on public.lottery_draws (lottery_id, draw_date) where winning_number is null;
alter table public.lottery_draws enable row level security;

-- The raffles that a confirmed result decides.
create function app.due_lotteries(p_max integer, p_raffle_id uuid default null) returns setof uuid
language sql stable security definer set search_path = '' as $$
  select d.raffle_id from public.lottery_draws d
  join public.lottery_results r on r.lottery_id = d.lottery_id and r.draw_date = d.draw_date
  join public.raffles on raffles.id = d.raffle_id and raffles.state = 'CLOSED'
  where d.winning_number is null and (p_raffle_id is null or d.raffle_id = p_raffle_id)
  order by d.draw_date, d.raffle_id limit p_max
$$;

-- Draws a sealed raffle by the official result, if that is confirmed. A number that nobody has follows the
-- rule of the terms: the next official draw, everybody's money back, or the house. Harmless at any time.
-- Locks as whoever cancels does. Answers whether it is drawn now.
create function app.draw_by_lottery(p_raffle_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
  v_draw public.lottery_draws;
  v_number text;
  v_is_sold boolean;
begin
  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  select * into v_draw from public.lottery_draws where raffle_id = p_raffle_id and winning_number is null;
  select winning_number into v_number from public.lottery_results
  where lottery_id = v_draw.lottery_id and draw_date = v_draw.draw_date;
  if v_number is null or v_raffle.state is distinct from 'CLOSED' then
    return false;
  end if;
  update public.lottery_draws set winning_number = v_number where raffle_id = p_raffle_id and draw_date = v_draw.draw_date;
  v_is_sold := exists (select from public.tickets where raffle_id = p_raffle_id and ticket_num = v_number::integer);
  if not v_is_sold and v_raffle.unsold_rule = 'NEXT_DRAW' then
    perform from public.lotteries where id = v_draw.lottery_id for share; -- its calendar stays as it is looked at
    perform app.await_lottery(v_raffle, app.next_lottery_date(v_draw.lottery_id, v_draw.draw_date));
    return false;
  elsif not v_is_sold and v_raffle.unsold_rule = 'REFUND' then
    perform app.stop_raffle(p_raffle_id, 'The winning number ' || v_number || ' was not sold.', 'number_not_sold');
    perform app.refund_purchases(p_raffle_id);
    return false;
  end if;
  perform app.record_lottery_winners(v_raffle, v_number::integer);
  update public.draws set drawn_at = clock_timestamp() where raffle_id = p_raffle_id;
  update public.raffles set state = 'DRAWN' where id = p_raffle_id;
  return true;
end
$$;

-- The next official draw that decides a raffle. Without one a person must decide.
create function app.await_lottery(p_raffle public.raffles, p_draw_date date) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if p_draw_date is null then
    perform app.alert_operators('lottery_without_draw', p_raffle.id::text);
    return;
  end if;
  insert into public.lottery_draws (raffle_id, draw_date, lottery_id) values (p_raffle.id, p_draw_date, p_raffle.lottery_id);
end
$$;

-- Place 1 has the number; behind it come those whose last figures are the same, each in the best tier it
-- reaches. What a tier pays is shared equally; cents that do not divide stay with the house.
create function app.record_lottery_winners(p_raffle public.raffles, p_number integer) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.winners (raffle_id, place, ticket_num, display_name, amount_cents, figures)
  with tiers as (
    select (tier ->> 'figures')::integer as figures, (tier ->> 'amount_cents')::bigint as cents
    from jsonb_array_elements(p_raffle.prize_tiers) as tier where tier ? 'figures'
  ), reached as (
    select t.ticket_num, t.user_id, max(tiers.figures) as figures
    from public.tickets t left join tiers on t.ticket_num <> p_number
      and t.ticket_num % (10 ^ tiers.figures)::bigint = p_number % (10 ^ tiers.figures)::bigint
    where t.raffle_id = p_raffle.id
    group by t.ticket_num, t.user_id having t.ticket_num = p_number or max(tiers.figures) is not null
  ), shared as (
    select r.*, tiers.cents / count(*) over (partition by r.figures) as share
    from reached r left join tiers on tiers.figures = r.figures
  )
  select p_raffle.id, case when ticket_num = p_number then 1
      else 1 + row_number() over (partition by ticket_num = p_number order by s.figures desc, ticket_num) end,
    ticket_num, p.display_name,
    case when ticket_num = p_number then app.prize_money(p_raffle, 1) else share end, s.figures
  from shared s left join public.profiles p on p.id = s.user_id
  where ticket_num = p_number or share > 0;
end
$$;

-- The official results that raffles wait for and the feed has not given yet. For our own functions.
create function app.awaited_results(p_max integer) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('lottery_id', id, 'name', name, 'draw_date', draw_date)), '[]') from (
    select distinct l.id, l.name, d.draw_date from public.lottery_draws d join public.lotteries l on l.id = d.lottery_id
    join public.raffles r on r.id = d.raffle_id and r.state = 'CLOSED'
    where d.winning_number is null and app.lottery_moment(l.id, d.draw_date) <= clock_timestamp()
      and not exists (select from app.lottery_entries e
        where e.lottery_id = l.id and e.draw_date = d.draw_date and e.source = 'FEED')
    order by d.draw_date, l.id limit p_max
  ) awaited
$$;
