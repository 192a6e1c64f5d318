-- Drawing: the round that was named is out, and everything follows from it. Then the money is paid.

create table public.winners (
  raffle_id uuid not null references public.draws (raffle_id),
  place integer not null check (place > 0),
  ticket_num integer not null,
  display_name text,
  amount_cents bigint check (amount_cents > 0),
  figures smallint,
  drawn_at timestamptz not null default clock_timestamp(),
  primary key (raffle_id, place),
  foreign key (raffle_id, ticket_num) references public.tickets (raffle_id, ticket_num),
  unique (raffle_id, ticket_num)
);
comment on table public.winners is 'Who won, by the name they show. Places beyond winners_count took over a prize that nobody claimed.';
comment on column public.winners.amount_cents is 'What the place is paid in money; null where the prize itself is won.';
comment on column public.winners.figures is 'How many last figures won it, where a lottery decides; null for the whole number.';
alter table public.winners enable row level security;
create trigger refuse_change before update or delete or truncate on public.winners
  for each statement execute function app.refuse_change();

-- Records the beacon that a sealed raffle waited for, and draws its winners. The signature has been checked
-- by who calls; what SQL can check, it checks: the round, that the randomness is the signature's, and who wins.
-- The same again changes nothing. For our own functions. Locks the raffle, then its draw.
-- Raises raffle_not_found, raffle_not_sealed, beacon_invalid.
create function app.draw_raffle(p_raffle_id uuid, p_round bigint, p_signature text, p_randomness text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
  v_draw public.draws;
begin
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  select * into v_draw from public.draws where raffle_id = p_raffle_id for update;
  if v_raffle.id is null then
    perform app.fail('raffle_not_found');
  elsif v_draw.round is null then
    perform app.fail('raffle_not_sealed');
  elsif v_raffle.state <> 'CLOSED' then
    return false;
  end if;
  if p_round is distinct from v_draw.round or v_draw.round_at > clock_timestamp()
    or coalesce(p_signature, '') !~ '^[0-9a-f]{96}$'
    or p_randomness is distinct from encode(sha256(decode(p_signature, 'hex')), 'hex')
  then
    perform app.fail('beacon_invalid');
  end if;
  update public.draws set signature = p_signature, randomness = p_randomness, drawn_at = clock_timestamp()
  where raffle_id = p_raffle_id;
  perform app.record_winners(p_raffle_id, 1, v_raffle.winners_count);
  update public.raffles set state = 'DRAWN' where id = p_raffle_id;
  return true;
end
$$;

-- The numbers that a draw put on its first places, in order. Made anew from the tickets and the beacon.
create function app.drawn_numbers(p_raffle_id uuid, p_places integer) returns integer[]
language plpgsql stable security definer set search_path = '' as $$
declare
  v_draw public.draws;
  v_numbers integer[] := array(
    select ticket_num from public.tickets where raffle_id = p_raffle_id order by ticket_num);
begin
  select * into strict v_draw from public.draws where raffle_id = p_raffle_id;
  return array(
    select v_numbers[position + 1]
    from unnest(app.rank_tickets(
      app.seed_of(p_raffle_id, decode(v_draw.ticket_root, 'hex'), v_draw.round, decode(v_draw.randomness, 'hex')),
      cardinality(v_numbers), p_places)) with ordinality as ranking (position, place)
    order by place);
end
$$;

-- Writes down who has these places. Never more than there are tickets.
create function app.record_winners(p_raffle_id uuid, p_from integer, p_to integer) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.winners (raffle_id, place, ticket_num, display_name, amount_cents)
  select p_raffle_id, place, t.ticket_num, p.display_name, app.prize_money(r, place::integer)
  from unnest(app.drawn_numbers(p_raffle_id, p_to)) with ordinality as drawn (num, place)
  join public.tickets t on t.raffle_id = p_raffle_id and t.ticket_num = num
  join public.raffles r on r.id = p_raffle_id
  left join public.profiles p on p.id = t.user_id
  where place >= p_from;
end
$$;

-- What a place is paid in money; null where the prize itself is won.
create function app.prize_money(p_raffle public.raffles, p_place integer) returns bigint
language plpgsql stable set search_path = '' as $$
begin
  return nullif(coalesce(p_raffle.prize_per_winner_cents, 0) + coalesce((
    select (tier ->> 'amount_cents')::bigint from jsonb_array_elements(p_raffle.prize_tiers) as tier
    where (tier ->> 'place')::integer = p_place), 0), 0);
end
$$;

-- Pays the prizes that are money to the winners' wallets, opens a claim for each that is not, and gives the
-- house the rest. Once. Locks the raffle, then the accounts.
create function app.settle_raffle(p_raffle_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_raffle public.raffles;
  v_escrow_id bigint;
  v_rest bigint;
  v_items app.payout_item[];
begin
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if v_raffle.state is distinct from 'DRAWN' then
    return false;
  end if;
  v_escrow_id := app.account_of('RAFFLE_ESCROW', v_raffle.currency, null, p_raffle_id);
  select array_agg((app.account_of('USER', v_raffle.currency, t.user_id), w.amount_cents, t.purchase_id)::app.payout_item
    order by w.place) into v_items
  from public.winners w join public.tickets t using (raffle_id, ticket_num)
  where w.raffle_id = p_raffle_id and w.amount_cents is not null;
  if v_items is not null then
    perform app.post_payouts('PRIZE_PAYOUT', v_escrow_id, v_items, p_raffle_id);
  end if;
  v_rest := app.house_balance(v_escrow_id);
  if v_rest > 0 then
    perform app.post_transaction('FEE', array[
      (v_escrow_id, -v_rest), (app.account_of('REVENUE', v_raffle.currency), v_rest)]::app.posting[], p_raffle_id => p_raffle_id);
  end if;
  perform app.tell('raffle_drawn', null, p_raffle_id);
  perform app.offer_prize(v_raffle, place) from public.winners
  where raffle_id = p_raffle_id and amount_cents is null order by place;
  -- What was taken from stock and is won by nobody goes back.
  update public.prizes set stock = stock + v_raffle.prizes_taken - (
    select count(*) from public.prize_claims where raffle_id = p_raffle_id)
  where id = v_raffle.prize_id;
  update public.raffles set state = 'SETTLED' where id = p_raffle_id;
  return true;
end
$$;
