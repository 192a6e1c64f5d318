-- Lanes: the seats of a raffle, in ranges that are sold side by side, so that buyers of one raffle do not
-- queue on one row. A seat is a position from 1 to tickets_required; which number it stands for depends on
-- the raffle's numbering. Taking seats locks a lane; whoever changes terms, seals or cancels locks them all.

insert into app.error_codes (code, status) values
  ('raffle_sold_out', 409),
  ('raffle_not_open', 409);

create domain app.seat_count as integer check (value >= 0);

create table app.raffle_lanes (
  raffle_id uuid not null references public.raffles (id),
  lane_no smallint not null,
  open boolean not null default true,
  start_num integer not null,
  end_num integer not null,
  fresh app.seat_count not null,
  returned app.seat_count not null default 0,
  unpaid app.seat_count not null default 0,
  primary key (raffle_id, lane_no)
) with (fillfactor = 50);
comment on table app.raffle_lanes is 'The only rows of a raffle that its buyers change.';
comment on column app.raffle_lanes.open is 'False once sealed or cancelled: here, where every buyer passes.';
comment on column app.raffle_lanes.fresh is 'Seats that have never been taken: the last ones of the lane.';
comment on column app.raffle_lanes.returned is 'Seats that were taken and came back: those in raffle_gaps.';
comment on column app.raffle_lanes.unpaid is 'Seats that are reserved for payments under way.';

create table app.raffle_gaps (
  raffle_id uuid not null,
  lane_no smallint not null,
  start_num integer not null,
  end_num integer not null check (end_num >= start_num),
  primary key (raffle_id, start_num),
  foreign key (raffle_id, lane_no) references app.raffle_lanes (raffle_id, lane_no)
);
comment on table app.raffle_gaps is 'Seats that came back, in ranges. They are sold once a lane has no others.';
create index raffle_gaps_lane on app.raffle_gaps (raffle_id, lane_no);

create table app.raffle_keys (
  raffle_id uuid primary key references public.raffles (id),
  key text not null default encode(extensions.gen_random_bytes(16), 'hex')
);
comment on table app.raffle_keys is 'What makes the order of a RANDOM raffle''s numbers unforeseeable.';

create type app.seats as (lane_no smallint, start_num integer, end_num integer);
comment on type app.seats is 'A range of seats of one lane.';
create type app.taking as (seats app.seats[], the_last boolean, raffle public.raffles);
comment on type app.taking is
  'Seats that were taken, whether their lanes have none left that were never taken, and the terms they are sold on.';

-- Divides a raffle's seats into lanes; called when it is published, or its terms change before a sale.
create function app.make_lanes(p_raffle_id uuid, p_seats integer, p_lanes integer) returns void
language sql security definer set search_path = '' as $$
  insert into app.raffle_lanes (raffle_id, lane_no, start_num, end_num, fresh)
  select p_raffle_id, lane, first, last, last - first + 1
  from generate_series(1, p_lanes) as lane,
    lateral (select (lane - 1)::bigint * p_seats / p_lanes + 1 as first, lane::bigint * p_seats / p_lanes as last) as range
$$;

-- How many lanes help: buyers of a small raffle get consecutive numbers.
create function app.default_lanes(p_seats integer) returns integer
language sql immutable set search_path = '' as $$
  select case when p_seats < 1000 then 1 when p_seats < 10000 then 4 when p_seats < 100000 then 8 else 16 end
$$;

-- Who changes purchases that are there and then their lanes enters the raffle first; who locks all lanes and
-- then changes purchases waits for them, and keeps others out. Buyers only add purchases, and need neither.
create function app.enter_raffle(p_raffle_id uuid) returns void
language sql security definer set search_path = '' as $$
  select pg_advisory_xact_lock_shared(hashtextextended('raffle ' || p_raffle_id, 0))
$$;
create function app.clear_raffle(p_raffle_id uuid) returns void
language sql security definer set search_path = '' as $$
  select pg_advisory_xact_lock(hashtextextended('raffle ' || p_raffle_id, 0))
$$;

-- Takes seats; p_unpaid says that they are only reserved. First from this connection's own lane, unless
-- somebody else is in it; then from any that has enough, waiting for it; only when no lane has enough left,
-- from all of them in order: then nothing is left behind, and "sold out" is said only when it is true.
-- Locks one lane, or all of the raffle's in their order.
-- Raises raffle_sold_out, raffle_not_open, raffle_not_found.
create function app.take_seats(p_raffle_id uuid, p_quantity integer, p_unpaid boolean) returns app.taking
language plpgsql security definer set search_path = '' as $$
declare
  v_unpaid integer := case when p_unpaid then p_quantity else 0 end;
  v_lane app.raffle_lanes;
  v_taking app.taking;
begin
  -- An update that had to wait keeps its row locked even if it changes nothing, and whoever waits for the
  -- next lane with that in hand meets those who lock all lanes in order. Undone, it locks nothing.
  begin
    -- The advisory lock is only a hint of which lane is free; the row's update is what is correct. The terms
    -- can be read along, as they were when it began to wait: new terms come with new lanes.
    update app.raffle_lanes l set fresh = l.fresh - p_quantity, unpaid = l.unpaid + v_unpaid
    from public.raffles r
    where r.id = p_raffle_id and l.raffle_id = p_raffle_id and l.open and l.fresh >= p_quantity
      and l.lane_no = 1 + pg_backend_pid() % r.lanes
      and pg_try_advisory_xact_lock(hashtext(p_raffle_id::text), l.lane_no)
    returning array[(l.lane_no, l.end_num - l.fresh - p_quantity + 1, l.end_num - l.fresh)::app.seats], l.fresh = 0, r
    into v_taking;
    if found then
      return v_taking;
    end if;
    raise sqlstate 'LANE0';
  exception when sqlstate 'LANE0' then
    v_lane := app.take_any_lane(p_raffle_id, p_quantity, v_unpaid);
  end;
  if v_lane is null then
    v_taking.seats := app.gather_seats(p_raffle_id, p_quantity, p_unpaid);
  else
    v_taking.seats := array[
      (v_lane.lane_no, v_lane.end_num - v_lane.fresh - p_quantity + 1, v_lane.end_num - v_lane.fresh)::app.seats];
  end if;
  v_taking.the_last := v_lane is null or v_lane.fresh = 0;
  v_taking.raffle := (select r from public.raffles r where id = p_raffle_id);
  return v_taking;
end
$$;

-- Takes seats from a lane that nobody is in, or from any that has enough, waiting for it; null if there is
-- none. Called by take_seats. Locks one lane.
create function app.take_any_lane(p_raffle_id uuid, p_quantity integer, p_unpaid integer) returns app.raffle_lanes
language plpgsql security definer set search_path = '' as $$
declare
  v_lane app.raffle_lanes;
begin
  for v_attempt in 1..2 loop
    begin
      update app.raffle_lanes set fresh = fresh - p_quantity, unpaid = unpaid + p_unpaid
      where raffle_id = p_raffle_id and open and fresh >= p_quantity and lane_no = (
        select lane_no from (
          select lane_no from app.raffle_lanes where raffle_id = p_raffle_id and open and fresh >= p_quantity
          order by random() offset 0
        ) enough
        where v_attempt = 2 or pg_try_advisory_xact_lock(hashtext(p_raffle_id::text), lane_no) limit 1)
      returning * into v_lane;
      if found then
        return v_lane;
      end if;
      raise sqlstate 'LANE0';
    exception when sqlstate 'LANE0' then
      null; -- as above
    end;
  end loop;
  return null;
end
$$;

-- Collects seats from wherever there are any. Called by take_seats. Locks all lanes of the raffle in order.
create function app.gather_seats(p_raffle_id uuid, p_quantity integer, p_unpaid boolean) returns app.seats[]
language plpgsql security definer set search_path = '' as $$
declare
  v_lane app.raffle_lanes;
  v_gap app.raffle_gaps;
  v_taken app.seats[] := '{}';
  v_missing integer := p_quantity;
  v_take integer;
  v_free bigint := 0;
begin
  for v_lane in
    select * from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update
  loop
    if not v_lane.open then
      perform app.fail('raffle_not_open');
    end if;
    v_free := v_free + v_lane.fresh + v_lane.returned;
  end loop;
  if not found and exists (select from app.raffle_lanes where raffle_id = p_raffle_id) then
    return (app.take_seats(p_raffle_id, p_quantity, p_unpaid)).seats; -- new terms have made new lanes in the meantime
  elsif not found and exists (select from public.raffles where id = p_raffle_id and state <> 'DRAFT') then
    perform app.fail('raffle_not_open');
  elsif not found then
    perform app.fail('raffle_not_found');
  end if;
  if v_free < p_quantity then
    perform app.fail('raffle_sold_out', jsonb_build_object('remaining', v_free));
  end if;

  for v_gap in select * from app.raffle_gaps where raffle_id = p_raffle_id order by start_num loop
    exit when v_missing = 0;
    v_take := least(v_missing, v_gap.end_num - v_gap.start_num + 1);
    v_taken := v_taken || (v_gap.lane_no, v_gap.start_num, v_gap.start_num + v_take - 1)::app.seats;
    v_missing := v_missing - v_take;
    delete from app.raffle_gaps where raffle_id = p_raffle_id and start_num = v_gap.start_num;
    if v_gap.start_num + v_take <= v_gap.end_num then
      insert into app.raffle_gaps (raffle_id, lane_no, start_num, end_num)
      values (p_raffle_id, v_gap.lane_no, v_gap.start_num + v_take, v_gap.end_num);
    end if;
    update app.raffle_lanes set returned = returned - v_take, unpaid = unpaid + case when p_unpaid then v_take else 0 end
    where raffle_id = p_raffle_id and lane_no = v_gap.lane_no;
  end loop;
  for v_lane in select * from app.raffle_lanes where raffle_id = p_raffle_id and fresh > 0 order by lane_no loop
    exit when v_missing = 0;
    v_take := least(v_missing, v_lane.fresh);
    v_taken := v_taken || (v_lane.lane_no, v_lane.end_num - v_lane.fresh + 1, v_lane.end_num - v_lane.fresh + v_take)::app.seats;
    v_missing := v_missing - v_take;
    update app.raffle_lanes set fresh = fresh - v_take, unpaid = unpaid + case when p_unpaid then v_take else 0 end
    where raffle_id = p_raffle_id and lane_no = v_lane.lane_no;
  end loop;
  return v_taken;
end
$$;

-- What was reserved has been paid. Locks those lanes in order.
create function app.pay_seats(p_raffle_id uuid, p_seats app.seats[]) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_lane record;
begin
  for v_lane in
    select lane_no, sum(end_num - start_num + 1)::integer as seats from unnest(p_seats) group by lane_no order by lane_no
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats where raffle_id = p_raffle_id and lane_no = v_lane.lane_no;
  end loop;
end
$$;

-- What was reserved can be sold again. Locks those lanes in order.
create function app.return_seats(p_raffle_id uuid, p_seats app.seats[]) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_lane record;
begin
  for v_lane in
    select lane_no, sum(end_num - start_num + 1)::integer as seats from unnest(p_seats) group by lane_no order by lane_no
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats, returned = returned + v_lane.seats
    where raffle_id = p_raffle_id and lane_no = v_lane.lane_no;
  end loop;
  insert into app.raffle_gaps (raffle_id, lane_no, start_num, end_num)
  select p_raffle_id, lane_no, start_num, end_num from unnest(p_seats);
end
$$;

-- Seats that are taken, reservations included: what a raffle's page shows as sold.
create function app.count_taken(p_raffle_id uuid) returns integer
language sql stable security definer set search_path = '' as $$
  select coalesce(sum(end_num - start_num + 1 - fresh - returned), 0)::integer from app.raffle_lanes where raffle_id = p_raffle_id
$$;

-- Makes a raffle FULL if its last seat has just been sold and paid. Called by whoever has changed these
-- lanes, after that. Locks the raffle, which comes after its lanes: of two that sell the last seats of two
-- lanes, the second one sees what the first one did.
create function app.fill_if_sold_out(p_raffle_id uuid, p_seats app.seats[]) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from app.raffle_lanes where raffle_id = p_raffle_id
    and lane_no in (select lane_no from unnest(p_seats)) and (fresh > 0 or returned > 0 or unpaid > 0))
  then
    return false;
  end if;
  perform from public.raffles where id = p_raffle_id for no key update;
  update public.raffles set state = 'FULL'
  where id = p_raffle_id and state = 'OPEN' and not exists (
    select from app.raffle_lanes
    where raffle_id = p_raffle_id and (fresh > 0 or returned > 0 or unpaid > 0));
  if not found then
    return false;
  end if;
  perform app.tell('raffle_full', null, p_raffle_id);
  return true;
end
$$;
