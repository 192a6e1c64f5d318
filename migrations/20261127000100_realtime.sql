-- Realtime: what a frontend can watch. Buyers write neither of these rows, so that watching costs them nothing.

create table public.raffle_progress (
  raffle_id uuid primary key references public.raffles (id) on delete cascade,
  state public.raffle_state not null,
  tickets_sold integer not null,
  updated_at timestamptz not null default clock_timestamp()
);
comment on table public.raffle_progress is 'How far each published raffle is, at most a few seconds old. Made for Supabase Realtime.';
alter table public.raffle_progress enable row level security;

-- Brings raffle_progress up to date: the raffles that are sold at this moment, and those that have changed
-- their state. Run by the clock; of several at once, one does it.
create function app.publish_progress() returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_changed bigint;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('publish_progress', 0)) then
    return 0;
  end if;
  with changed as (
    insert into public.raffle_progress as p (raffle_id, state, tickets_sold)
    select r.id, r.state, app.count_taken(r.id) from public.raffles r
    left join public.raffle_progress known on known.raffle_id = r.id
    where r.published_at is not null and (r.state in ('OPEN', 'FULL') or known.state is distinct from r.state)
    on conflict (raffle_id) do update
      set state = excluded.state, tickets_sold = excluded.tickets_sold, updated_at = clock_timestamp()
      where (p.state, p.tickets_sold) is distinct from (excluded.state, excluded.tickets_sold)
    returning 1
  )
  select count(*) into v_changed from changed;
  return v_changed;
end
$$;

do $$
begin
  if exists (select from pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.raffle_progress;
  end if;
end
$$;
