-- Sealing: a raffle's tickets are fixed, and what will decide it is named before anybody can know it.

insert into app.error_codes (code, status) values
  ('raffle_not_sealed', 409),
  ('beacon_invalid', 422);

create table app.beacon_chains (
  hash text primary key check (hash ~ '^[0-9a-f]{64}$'),
  name text not null unique,
  period_seconds integer not null check (period_seconds > 0),
  genesis timestamptz not null,
  in_use boolean not null default false
);
comment on table app.beacon_chains is 'The drand chains we know; their keys are in shared/drand.ts. One is in use for new draws.';
create unique index beacon_chains_in_use on app.beacon_chains (in_use) where in_use;
insert into app.beacon_chains (hash, name, period_seconds, genesis, in_use) values
  ('52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971', 'quicknet', 3, to_timestamp(1692803367), true),
  ('5499b42b8900d4986ad0a58a96a9987ec486ce1aa686c47bad3cafbb4da34c19', 'rafflebase-local', 3, to_timestamp(1700000000), false);

create table public.draws (
  raffle_id uuid primary key references public.raffles (id),
  ticket_count integer not null,
  ticket_root text not null check (ticket_root ~ '^[0-9a-f]{64}$'),
  chain_hash text references app.beacon_chains (hash),
  round bigint,
  round_at timestamptz,
  sealed_at timestamptz not null,
  signature text check (signature ~ '^[0-9a-f]{96}$'),
  randomness text check (randomness ~ '^[0-9a-f]{64}$'),
  drawn_at timestamptz,
  constraint draws_round check (num_nulls(chain_hash, round, round_at) in (0, 3)),
  constraint draws_beacon check (num_nulls(signature, randomness) in (0, 2) and (signature is null or round is not null))
);
comment on table public.draws is 'What a sealed raffle is drawn from. Published as it stands, and never changed but to add the beacon.';
comment on column public.draws.round_at is 'When the round will be out; null for raffles that a lottery decides.';
create index draws_chain on public.draws (chain_hash);
create index draws_waiting on public.draws (round_at) where randomness is null and round is not null;
alter table public.draws enable row level security;

create table app.draw_blocks (
  raffle_id uuid primary key references public.draws (raffle_id),
  hashes bytea not null
);
comment on table app.draw_blocks is
  'The nodes of a raffle''s tree that stand over 1024 tickets each, so that a proof for one need not hash all.';

-- What was sealed stays as it is: the beacon is added, once, and when it was drawn.
create function app.enforce_sealed_draw() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'a sealed draw is never changed' using errcode = 'insufficient_privilege';
end
$$;
create trigger enforce_sealed_draw before update on public.draws
  for each row when (
    (old.raffle_id, old.ticket_count, old.ticket_root, old.chain_hash, old.round, old.round_at, old.sealed_at)
      is distinct from (new.raffle_id, new.ticket_count, new.ticket_root, new.chain_hash, new.round, new.round_at, new.sealed_at)
    or old.drawn_at is not null)
  execute function app.enforce_sealed_draw();
create trigger refuse_deletion before delete or truncate on public.draws
  for each statement execute function app.refuse_change();

-- The first round of a chain that comes out at this time or later.
create function app.round_from(p_chain app.beacon_chains, p_time timestamptz) returns bigint
language plpgsql immutable set search_path = '' as $$
begin
  return greatest(1, ceil(extract(epoch from p_time - p_chain.genesis) / p_chain.period_seconds) + 1)::bigint;
end
$$;

-- Seals one raffle if that is due: its tickets can no longer change, and the round that decides is one whose
-- randomness does not exist yet. A raffle below its minimum is cancelled instead. Answers its new state, or
-- null if nothing was due. Harmless to call at any time, by anyone.
-- Locks as whoever cancels does: clears the raffle, then its lanes in order, then the raffle.
create function app.seal_raffle(p_raffle_id uuid) returns public.raffle_state
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
begin
  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if not (v_raffle.state = 'FULL' or v_raffle.state = 'OPEN' and v_raffle.closes_at <= clock_timestamp()) then
    return null;
  end if;
  if v_raffle.min_tickets > (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED')
  then
    perform app.stop_raffle(p_raffle_id, 'Fewer tickets were sold than its minimum.', 'minimum_not_reached');
    perform app.refund_purchases(p_raffle_id);
    return 'CANCELLED';
  end if;
  perform app.end_sales(v_raffle);
  perform app.record_seal(v_raffle);
  update public.raffles set state = 'CLOSED' where id = p_raffle_id;
  return 'CLOSED';
end
$$;

-- Ends what is unpaid, and issues the tickets of what is paid but was not redeemed. Called by seal_raffle.
create function app.end_sales(p_raffle public.raffles) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  for v_purchase in
    select * from public.purchases where raffle_id = p_raffle.id and status = 'PENDING' order by id for update
  loop
    perform app.end_reservation(v_purchase, 'EXPIRED', 'raffle_not_open');
  end loop;
  for v_purchase in
    select * from public.purchases where raffle_id = p_raffle.id and status = 'CONFIRMED' and not redeemed order by id for update
  loop
    perform app.redeem_seats(v_purchase, p_raffle, null);
  end loop;
  update app.raffle_lanes set open = false where raffle_id = p_raffle.id;
end
$$;

-- Publishes what the draw will be made of. The time is taken last: however long the root took, the round
-- is still ahead. Called by seal_raffle.
create function app.record_seal(p_raffle public.raffles) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_hashes bytea := app.hash_tickets(p_raffle.id);
  v_blocks bytea := app.fold_blocks(v_hashes);
  v_root bytea := app.root_of(v_blocks);
  v_chain app.beacon_chains;
  v_sealed_at timestamptz := clock_timestamp();
  v_round bigint;
begin
  if p_raffle.draw_method = 'BEACON' then
    select * into strict v_chain from app.beacon_chains where in_use;
    v_round := app.round_from(v_chain, v_sealed_at + interval '60 seconds');
  end if;
  insert into public.draws (raffle_id, ticket_count, ticket_root, chain_hash, round, round_at, sealed_at)
  values (p_raffle.id, length(v_hashes) / 32, encode(v_root, 'hex'), v_chain.hash, v_round,
    v_chain.genesis + make_interval(secs => (v_round - 1) * v_chain.period_seconds), v_sealed_at);
  insert into app.draw_blocks (raffle_id, hashes) values (p_raffle.id, v_blocks);
  if p_raffle.draw_method = 'LOTTERY' then
    perform app.await_lottery(p_raffle, p_raffle.lottery_draw_date);
  end if;
  perform app.tell('raffle_sealed', null, p_raffle.id);
end
$$;

-- Raffles that are due to be sealed, the longest due first.
create function app.due_raffles(p_max integer, p_raffle_id uuid default null) returns setof uuid
language sql stable security definer set search_path = '' as $$
  select id from public.raffles
  where (state = 'FULL' or state = 'OPEN' and closes_at <= clock_timestamp()) and (p_raffle_id is null or id = p_raffle_id)
  order by closes_at, id limit p_max
$$;

-- Whether what decides a raffle may be known to somebody.
create function app.draw_is_near(p_raffle_id uuid) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (
    select from public.draws where raffle_id = p_raffle_id and round_at < clock_timestamp() + interval '10 seconds')
    or exists (
      select from public.lottery_draws where raffle_id = p_raffle_id and winning_number is null
        and app.lottery_moment(lottery_id, draw_date) < clock_timestamp() + interval '10 seconds');
end
$$;
