-- Publishing: a draft's terms are checked as a whole, completed from its category, and fixed.

insert into app.settings (name, value, minimum, maximum, description) values
  ('lottery_cutoff_minutes', 60, 15, 1440, 'How long before an official draw the sale of its tickets ends.');

-- What is wrong with the prize money. It must be there even if only the minimum is sold, each ticket in the
-- cheapest way there is. Numeric, because a draft may hold numbers whose product is no bigint.
create function app.find_tier_faults(p_raffle public.raffles) returns setof text
language plpgsql stable security definer set search_path = '' as $$
declare
  v_tiers jsonb := p_raffle.prize_tiers;
  v_lowest numeric := least(p_raffle.ticket_price_cents, p_raffle.boost_price_cents, p_raffle.retry_price_cents);
  v_fund numeric := greatest(0, v_lowest * p_raffle.min_tickets
    - div(p_raffle.rake_cents::numeric * p_raffle.min_tickets, nullif(p_raffle.tickets_required, 0)));
begin
  if jsonb_typeof(v_tiers) <> 'array' or jsonb_array_length(v_tiers) > 1000 or exists (
    select from jsonb_array_elements(v_tiers) as tier
    where jsonb_typeof(tier) <> 'object' or not (tier ? 'place' or tier ? 'figures') or not tier ? 'amount_cents'
      or exists (select from jsonb_each(case jsonb_typeof(tier) when 'object' then tier else '{}' end) as field
        where key not in ('place', 'figures', 'amount_cents') or value::text !~ '^[1-9][0-9]{0,14}$'))
  then
    return next 'must be a list such as [{"place":1,"amount_cents":50000}]';
    return;
  end if;
  if exists (select from jsonb_array_elements(v_tiers) as tier where (tier ->> 'place')::bigint > p_raffle.winners_count) then
    return next 'must not name a place beyond winners_count';
  end if;
  if exists (select from jsonb_array_elements(v_tiers) as tier group by tier ->> 'place', tier ->> 'figures' having count(*) > 1) then
    return next 'must not name anything twice';
  end if;
  if p_raffle.draw_method = 'BEACON' and exists (select from jsonb_array_elements(v_tiers) as tier where tier ? 'figures') then
    return next 'pays for figures in lotteries only';
  end if;
  if (select coalesce(sum((tier ->> 'amount_cents')::bigint), 0) from jsonb_array_elements(v_tiers) as tier)
    + coalesce(p_raffle.prize_per_winner_cents, 0)::numeric * p_raffle.winners_count > v_fund
  then
    return next 'must not be more than the prize fund, even if only min_tickets are sold, at the lowest price (ticket, boost or retry)';
  end if;
end
$$;

-- What is wrong with a raffle's terms: one line for each fault, none if it can be published.
create function app.find_faults(p_raffle public.raffles) returns table (path text, message text)
language sql stable security definer set search_path = '' as $$
  select path, message from (values
    ('ticket_price_cents', 'must be more than zero', p_raffle.ticket_price_cents > 0),
    ('tickets_required', 'must be from 1 to 10000000', p_raffle.tickets_required between 1 and 10000000),
    ('tickets_required', 'times the ticket price must be at most 9007199254740991',
      p_raffle.ticket_price_cents::numeric * p_raffle.tickets_required <= 9007199254740991),
    ('min_tickets', 'must be from 1 to tickets_required', p_raffle.min_tickets between 1 and p_raffle.tickets_required),
    ('max_per_user', 'must be at least 1', p_raffle.max_per_user >= 1),
    ('winners_count', 'must be from 1 to min_tickets', p_raffle.winners_count between 1 and p_raffle.min_tickets),
    ('opens_at', 'must be within two years',
      p_raffle.opens_at between app.clock() - interval '2 years' and app.clock() + interval '2 years'),
    ('closes_at', 'must be in the future', p_raffle.closes_at > app.clock()),
    ('closes_at', 'must be after opens_at', p_raffle.closes_at > p_raffle.opens_at),
    ('closes_at', 'must be within two years', p_raffle.closes_at < app.clock() + interval '2 years'),
    ('lanes', 'must be from 1 to 64, and no more than there are tickets',
      p_raffle.lanes between 1 and least(64, p_raffle.tickets_required)),
    ('boost_price_cents', 'must be more than zero', p_raffle.boost_price_cents > 0),
    ('boost_limit', 'must be from 1 to 1000', p_raffle.boost_limit between 1 and 1000),
    ('boost_limit', 'goes with boost_price_cents', (p_raffle.boost_limit is null) = (p_raffle.boost_price_cents is null)),
    ('retry_price_cents', 'must be more than zero', p_raffle.retry_price_cents > 0),
    ('retry_price_cents', 'goes with retry_of', (p_raffle.retry_price_cents is null) = (p_raffle.retry_of is null)),
    ('retry_of', 'must be another raffle, published and not cancelled', p_raffle.retry_of is null or exists (
      select from public.raffles r
      where r.id = p_raffle.retry_of and r.id <> p_raffle.id and r.published_at is not null and r.state <> 'CANCELLED')),
    ('lottery_id', 'goes with the draw method LOTTERY', (p_raffle.lottery_id is not null) = (p_raffle.draw_method = 'LOTTERY')),
    ('lottery_draw_date', 'goes with the draw method LOTTERY',
      (p_raffle.lottery_draw_date is not null) = (p_raffle.draw_method = 'LOTTERY')),
    ('lottery_draw_date', 'must be within two years', p_raffle.lottery_draw_date <= (app.clock() + interval '2 years')::date),
    -- Nobody buys a number that may be known already.
    ('lottery_draw_date', 'must be a date on which the lottery draws',
      p_raffle.lottery_id is null or app.lottery_moment(p_raffle.lottery_id, p_raffle.lottery_draw_date) is not null),
    ('closes_at', 'must be well before the lottery draws',
      p_raffle.closes_at <= app.lottery_moment(p_raffle.lottery_id, p_raffle.lottery_draw_date)
        - make_interval(mins => app.setting('lottery_cutoff_minutes'))),
    ('winners_count', 'must be 1 where a lottery decides', p_raffle.draw_method <> 'LOTTERY' or p_raffle.winners_count = 1),
    ('unsold_rule', 'goes with the draw method LOTTERY', (p_raffle.unsold_rule is not null) = (p_raffle.draw_method = 'LOTTERY')),
    ('tickets_required', 'must fit the figures of the lottery',
      p_raffle.tickets_required <= (select power(10, digits) from public.lotteries where id = p_raffle.lottery_id))
  ) as rule (path, message, holds)
  where not holds
  union all
  select 'prize_tiers', message from app.find_tier_faults(p_raffle) as message
$$;

-- A raffle with what its category says and what has been left to us. The rake is rounded down: what does
-- not divide goes to the prize fund, and both together are all that a full raffle brings in.
create function app.complete_terms(p_raffle public.raffles) returns public.raffles
language plpgsql stable security definer set search_path = '' as $$
declare
  v_category public.raffle_categories;
  v_prize public.prizes;
  v_gross numeric;
begin
  select * into v_category from public.raffle_categories where id = p_raffle.category_id;
  select * into strict v_prize from public.prizes where id = p_raffle.prize_id;
  p_raffle.title := coalesce(p_raffle.title, v_prize.title);
  p_raffle.description := coalesce(p_raffle.description, v_prize.description);
  p_raffle.lanes := coalesce(p_raffle.lanes, app.default_lanes(p_raffle.tickets_required));
  if v_category.id is not null then
    p_raffle.ticket_price_cents := v_category.ticket_price_cents;
    p_raffle.currency := v_category.currency;
    p_raffle.prize_per_winner_cents := v_category.prize_per_winner_cents;
  end if;
  -- Beyond what may be it is a fault, which find_faults names.
  v_gross := least(p_raffle.ticket_price_cents::numeric * p_raffle.tickets_required, 9007199254740991);
  p_raffle.rake_cents := coalesce(
    v_gross - v_category.prize_fund_cents,
    trunc(v_gross * coalesce(v_category.rake_bps, 0) / 10000));
  p_raffle.prize_fund_cents := v_gross - p_raffle.rake_cents;
  -- Places that are paid in money take nothing from stock, but the first prize there is.
  p_raffle.prizes_taken := case when p_raffle.prize_per_winner_cents is not null then 1
    else greatest(1, p_raffle.winners_count - (select count(*) from jsonb_array_elements(
      case jsonb_typeof(p_raffle.prize_tiers) when 'array' then p_raffle.prize_tiers else '[]' end) as tier
      where tier ? 'place')) end;
  return p_raffle;
end
$$;

-- Refuses terms that have a fault. Raises raffle_terms_invalid with a line for each.
create function app.require_sound_terms(p_raffle public.raffles) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  v_issues jsonb := (select jsonb_agg(jsonb_build_object('path', path, 'message', message)) from app.find_faults(p_raffle));
begin
  if p_raffle.rake_cents < 0 then
    v_issues := coalesce(v_issues, '[]') || '[{"path":"category_id","message":"has a prize fund beyond what the raffle brings in"}]';
  end if;
  if v_issues is not null then
    perform app.fail('raffle_terms_invalid', jsonb_build_object('issues', v_issues));
  end if;
end
$$;

-- Opens a draft: checks its terms, takes the prizes from stock, makes the lanes. Operators.
-- Locks the raffle, then its lottery, then the prize.
-- Raises not_permitted, raffle_not_found, raffle_not_draft, raffle_terms_invalid, prize_out_of_stock.
create function app.publish_raffle(p_raffle_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
begin
  perform app.require_role('operator');
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if not found then
    perform app.fail('raffle_not_found');
  elsif v_raffle.state <> 'DRAFT' then
    perform app.fail('raffle_not_draft');
  end if;
  v_raffle := app.complete_terms(v_raffle);
  perform from public.lotteries where id = v_raffle.lottery_id for share; -- its calendar stays as it is looked at
  perform app.require_sound_terms(v_raffle);
  update public.prizes set stock = stock - v_raffle.prizes_taken
  where id = v_raffle.prize_id and stock >= v_raffle.prizes_taken;
  if not found then
    perform app.fail('prize_out_of_stock');
  end if;
  update public.raffles set
    state = 'OPEN', published_at = app.clock(), title = v_raffle.title, description = v_raffle.description,
    ticket_price_cents = v_raffle.ticket_price_cents, currency = v_raffle.currency, lanes = v_raffle.lanes,
    rake_cents = v_raffle.rake_cents, prize_fund_cents = v_raffle.prize_fund_cents,
    prize_per_winner_cents = v_raffle.prize_per_winner_cents, prizes_taken = v_raffle.prizes_taken
  where id = p_raffle_id;
  perform app.make_lanes(p_raffle_id, v_raffle.tickets_required, v_raffle.lanes);
  insert into app.raffle_keys (raffle_id) values (p_raffle_id);
end
$$;

-- A new draft with the terms of another raffle, open for as long as that one was. Operators.
-- Raises not_permitted, raffle_not_found.
create function app.duplicate_raffle(p_raffle_id uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := app.clock();
  v_copy public.raffles;
begin
  perform app.require_role('operator');
  select * into v_copy from public.raffles where id = p_raffle_id;
  if not found then
    perform app.fail('raffle_not_found');
  end if;
  insert into public.raffles (
    prize_id, category_id, title, description, ticket_price_cents, currency, tickets_required, min_tickets,
    max_per_user, numbering, winners_count, prize_tiers, draw_method, lottery_id, lottery_draw_date, unsold_rule,
    opens_at, closes_at, lanes, boost_price_cents, boost_limit, retry_of, retry_price_cents)
  values (
    v_copy.prize_id, v_copy.category_id, v_copy.title, v_copy.description, v_copy.ticket_price_cents, v_copy.currency,
    v_copy.tickets_required, v_copy.min_tickets, v_copy.max_per_user, v_copy.numbering, v_copy.winners_count,
    v_copy.prize_tiers, v_copy.draw_method, v_copy.lottery_id, v_copy.lottery_draw_date, v_copy.unsold_rule,
    v_now, v_now + (v_copy.closes_at - v_copy.opens_at), v_copy.lanes, v_copy.boost_price_cents,
    v_copy.boost_limit, v_copy.retry_of, v_copy.retry_price_cents)
  returning * into v_copy;
  return v_copy.id;
end
$$;

-- What decides odds or price changes freely in a draft, with a new check while nothing is sold, and never
-- after the first sale, for any role. Locks the lanes: a buyer has either sold before, or sees the new terms.
-- Raises raffle_terms_frozen, raffle_terms_invalid.
create function app.enforce_frozen_terms() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  begin
    perform from app.raffle_lanes where raffle_id = old.id order by lane_no for update nowait;
  exception when lock_not_available then
    -- A sale is under way. The raffle's row is locked already, and that sale may need it to make it FULL.
    perform app.fail('raffle_terms_frozen');
  end;
  if old.state <> 'OPEN' or new.state <> 'OPEN'
    or exists (select from app.raffle_lanes where raffle_id = old.id and fresh <= end_num - start_num)
  then
    perform app.fail('raffle_terms_frozen');
  end if;
  new := app.complete_terms(new);
  perform from public.lotteries where id = new.lottery_id for share;
  perform app.require_sound_terms(new);
  if (new.prize_id, new.prizes_taken) is distinct from (old.prize_id, old.prizes_taken) then
    perform app.fail('raffle_terms_frozen'); -- the prizes are out of stock already
  end if;
  delete from app.raffle_lanes where raffle_id = old.id;
  perform app.make_lanes(old.id, new.tickets_required, new.lanes);
  return new;
end
$$;
create trigger enforce_frozen_terms before update on public.raffles
  for each row when (old.published_at is not null and (
    old.prize_id, old.category_id, old.ticket_price_cents, old.currency, old.tickets_required, old.min_tickets,
    old.max_per_user, old.numbering, old.winners_count, old.prize_tiers, old.draw_method, old.lottery_id,
    old.lottery_draw_date, old.unsold_rule, old.opens_at, old.closes_at, old.lanes, old.boost_price_cents,
    old.boost_limit, old.retry_of, old.retry_price_cents, old.rake_cents, old.prize_fund_cents,
    old.prize_per_winner_cents, old.published_at
  ) is distinct from (
    new.prize_id, new.category_id, new.ticket_price_cents, new.currency, new.tickets_required, new.min_tickets,
    new.max_per_user, new.numbering, new.winners_count, new.prize_tiers, new.draw_method, new.lottery_id,
    new.lottery_draw_date, new.unsold_rule, new.opens_at, new.closes_at, new.lanes, new.boost_price_cents,
    new.boost_limit, new.retry_of, new.retry_price_cents, new.rake_cents, new.prize_fund_cents,
    new.prize_per_winner_cents, new.published_at
  )) execute function app.enforce_frozen_terms();

-- What people bought tickets for stays what it was: a prize is fixed once a raffle of it has been sold from
-- that is not cancelled, for every role. Locks the lanes: a buyer has either bought before, or sees the new
-- words. Raises prize_frozen.
create function app.enforce_frozen_prize() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  begin
    perform from app.raffle_lanes l join public.raffles r on r.id = l.raffle_id
    where r.prize_id = old.id and r.state <> 'CANCELLED'
    order by l.raffle_id, l.lane_no for update of l nowait;
  exception when lock_not_available then
    -- A sale is under way, or a cancellation, which needs the prize's row that is locked already.
    perform app.fail('prize_frozen');
  end;
  if exists (select from app.raffle_lanes l join public.raffles r on r.id = l.raffle_id
    where r.prize_id = old.id and r.state <> 'CANCELLED' and l.fresh <= l.end_num - l.start_num)
  then
    perform app.fail('prize_frozen');
  end if;
  return new;
end
$$;
create trigger enforce_frozen_prize before update on public.prizes
  for each row when ((old.title, old.description, old.value_cents, old.currency)
    is distinct from (new.title, new.description, new.value_cents, new.currency))
  execute function app.enforce_frozen_prize();

-- A published raffle is cancelled, never deleted.
create function app.refuse_deletion() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception '% are never deleted once they are published', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
create trigger refuse_deletion before delete on public.raffles
  for each row when (old.published_at is not null) execute function app.refuse_deletion();
