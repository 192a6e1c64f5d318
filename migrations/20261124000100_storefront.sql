-- The storefront: raffles as everyone sees them.

create extension if not exists unaccent schema extensions;

create table app.popular_raffles (
  raffle_id uuid primary key references public.raffles (id),
  sold_lately bigint not null
);
comment on table app.popular_raffles is 'Tickets sold within a day, for each raffle that can be bought. Counted anew by the clock.';

-- Counts anew what is popular. Run by the clock.
create function app.refresh_popular() returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('refresh_popular', 0));
  delete from app.popular_raffles;
  insert into app.popular_raffles (raffle_id, sold_lately)
  select r.id, sum(p.quantity) from public.raffles r
  join public.purchases p on p.raffle_id = r.id and p.status = 'CONFIRMED' and p.created_at > app.clock() - interval '1 day'
  where r.state in ('OPEN', 'FULL')
  group by r.id;
end
$$;

-- A raffle as the API shows it; p_whole with its terms.
create function app.describe_raffle(p_raffle public.raffles, p_whole boolean) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', p_raffle.id, 'title', coalesce(p_raffle.title, p.title), 'description', coalesce(p_raffle.description, p.description),
    'state', p_raffle.state,
    'prize', jsonb_build_object('id', p.id, 'title', p.title, 'value_cents', p.value_cents, 'currency', p.currency,
      'image_urls', p.image_urls),
    'ticket_price_cents', p_raffle.ticket_price_cents, 'currency', p_raffle.currency,
    'tickets_required', p_raffle.tickets_required, 'tickets_sold', taken,
    'tickets_remaining', p_raffle.tickets_required - taken,
    'max_per_user', p_raffle.max_per_user, 'numbering', p_raffle.numbering, 'winners_count', p_raffle.winners_count,
    'draw_method', p_raffle.draw_method, 'opens_at', p_raffle.opens_at, 'closes_at', p_raffle.closes_at)
  || case when c.id is null then '{}' else jsonb_build_object('category', jsonb_build_object(
      'id', c.id, 'name', c.name, 'color', c.color)) end
  || case when not p_whole then '{}' else jsonb_build_object(
    'terms', jsonb_build_object(
      'min_tickets', p_raffle.min_tickets, 'prize_tiers', p_raffle.prize_tiers, 'rake_cents', p_raffle.rake_cents,
      'prize_fund_cents', p_raffle.prize_fund_cents, 'prize_per_winner_cents', p_raffle.prize_per_winner_cents,
      'boost_price_cents', p_raffle.boost_price_cents, 'boost_limit', p_raffle.boost_limit,
      'retry_of', p_raffle.retry_of, 'retry_price_cents', p_raffle.retry_price_cents,
      'lottery_id', p_raffle.lottery_id, 'lottery_draw_date', p_raffle.lottery_draw_date, 'unsold_rule', p_raffle.unsold_rule),
    'cancel_reason', p_raffle.cancel_reason)
    || coalesce((select jsonb_build_object('draw', app.describe_seal(d)) from public.draws d where raffle_id = p_raffle.id), '{}') end
  from public.prizes p
  left join public.raffle_categories c on c.id = p_raffle.category_id
  cross join lateral (select app.count_taken(p_raffle.id) as taken) counted
  where p.id = p_raffle.prize_id
$$;

-- A text as it is searched: without case and accents, however those are written.
create function app.fold(p_text text) returns text
language sql stable set search_path = '' as $$
  select lower(extensions.unaccent('extensions.unaccent', normalize(p_text, nfkc)))
$$;

-- Published raffles. Anyone. The search is for a part of the text, and nothing in it has a meaning of its own.
-- Sorted by their ending are those that can be bought, then those that are full, over, and cancelled.
create function app.list_raffles(
  p_skip integer, p_page_size integer, p_state public.raffle_state, p_category uuid, p_search text, p_sort text
) returns jsonb
language sql stable security definer set search_path = '' as $$
  with wanted as materialized (
    select app.fold(p_search) as text
  ), found as (
    select r.* from public.raffles r join public.prizes p on p.id = r.prize_id
    where r.state <> 'DRAFT' and r.published_at is not null
      and (p_state is null or r.state = p_state)
      and (p_category is null or r.category_id = p_category)
      and (p_search is null or strpos(
        app.fold(concat_ws(E'\n', coalesce(r.title, p.title), coalesce(r.description, p.description), p.title)),
        (select text from wanted)) > 0)
  ), page as (
    select f.*, row_number() over (order by
      case when p_sort = 'ending' then case
        when f.state = 'OPEN' and f.closes_at > app.clock() then 1
        when f.state = 'CANCELLED' then 4 when f.state = 'FULL' and f.closes_at > app.clock() then 2 else 3 end end,
      case when p_sort = 'ending' and f.closes_at > app.clock() then f.closes_at end,
      case when p_sort = 'ending' then f.closes_at end desc,
      case when p_sort = 'popular' then l.sold_lately end desc nulls last,
      f.published_at desc, f.id) as place
    from found f left join app.popular_raffles l on l.raffle_id = f.id
    order by place limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_raffle(r, false) order by page.place)
      from page join public.raffles r on r.id = page.id), '[]'),
    'total', (select count(*) from found))
$$;

-- One published raffle with its terms. Anyone. Raises raffle_not_found.
create function app.get_raffle(p_raffle_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
begin
  select * into v_raffle from public.raffles where id = p_raffle_id and published_at is not null;
  if not found then
    perform app.fail('raffle_not_found');
  end if;
  return app.describe_raffle(v_raffle, true);
end
$$;
