-- Numbers: what a seat stands for. In order, in a shuffled order, or as the buyer chooses.

-- The first number of a raffle: those of a lottery begin with 0, others with 1.
create function app.first_number(p_raffle public.raffles) returns integer
language plpgsql immutable set search_path = '' as $$
begin
  return case p_raffle.draw_method when 'LOTTERY' then 0 else 1 end;
end
$$;

-- The place of a position in a shuffled order of p_size, the same each time: a Feistel network over the
-- next power of four, walked until it falls inside. No two positions share a place.
create function app.shuffle(p_key text, p_size integer, p_position integer) returns integer
language plpgsql immutable strict set search_path = '' as $$
declare
  v_bits integer := greatest(ceil(log(2, greatest(p_size, 2)) / 2), 1);
  v_mask integer := (1 << v_bits) - 1;
  v_left integer;
  v_right integer;
  v_place integer := p_position;
begin
  loop
    v_left := v_place >> v_bits;
    v_right := v_place & v_mask;
    for v_round in 1..4 loop
      select v_right, v_left # (('x' || substr(md5(p_key || ':' || v_round || ':' || v_right), 1, 8))::bit(32)::integer & v_mask)
      into v_left, v_right;
    end loop;
    v_place := (v_left << v_bits) | v_right;
    exit when v_place < p_size;
  end loop;
  return v_place;
end
$$;

-- The numbers that seats stand for, where the buyer does not choose.
create function app.numbers_of(p_raffle public.raffles, p_seats app.seats[]) returns integer[]
language plpgsql stable security definer set search_path = '' as $$
declare
  v_first integer := case p_raffle.draw_method when 'LOTTERY' then 0 else 1 end;
  v_key text;
  v_range app.seats;
  v_numbers integer[] := '{}';
begin
  if p_raffle.numbering = 'SEQUENTIAL' and cardinality(p_seats) = 1 and p_seats[1].start_num = p_seats[1].end_num then
    return array[v_first + p_seats[1].start_num - 1]; -- nearly every sale: one ticket
  end if;
  if p_raffle.numbering = 'RANDOM' then
    select key into strict v_key from app.raffle_keys where raffle_id = p_raffle.id;
  end if;
  foreach v_range in array p_seats loop
    for v_seat in v_range.start_num..v_range.end_num loop
      v_numbers := v_numbers || v_first + case p_raffle.numbering
        when 'RANDOM' then app.shuffle(v_key, p_raffle.tickets_required, v_seat - 1) else v_seat - 1 end;
    end loop;
  end loop;
  return v_numbers;
end
$$;

-- Claims the numbers that a buyer of a PICK raffle has chosen. Two buyers of one number: the second waits
-- for the first and then finds it taken. In ascending order, so that they never wait for each other crosswise.
-- Raises number_out_of_range, number_taken.
create function app.claim_numbers(p_raffle public.raffles, p_purchase_id uuid, p_numbers integer[]) returns integer[]
language plpgsql security definer set search_path = '' as $$
declare
  v_first integer := app.first_number(p_raffle);
  v_wrong integer[] := array(select n from unnest(p_numbers) as n
    where n is null or n not between v_first and v_first + p_raffle.tickets_required - 1);
  v_claimed integer[];
begin
  if cardinality(v_wrong) > 0 then
    perform app.fail('number_out_of_range', jsonb_build_object(
      'numbers', v_wrong, 'first', v_first, 'last', v_first + p_raffle.tickets_required - 1));
  end if;
  with claimed as (
    insert into app.number_claims (raffle_id, num, purchase_id)
    select p_raffle.id, n, p_purchase_id from unnest(p_numbers) as n order by n
    on conflict do nothing
    returning num
  )
  select array_agg(num order by num) into v_claimed from claimed;
  if coalesce(cardinality(v_claimed), 0) < cardinality(p_numbers) then
    perform app.fail('number_taken', jsonb_build_object('numbers', array(
      select n from unnest(p_numbers) as n where n <> all (coalesce(v_claimed, '{}')) order by n)));
  end if;
  return v_claimed;
end
$$;

-- Claims lucky numbers in a PICK raffle: at random first, and from what is left when most are gone. There
-- are always enough: the buyer has the seats. All of them in one go and in ascending order, as above: who
-- gets only some gives them back before the next try.
create function app.claim_lucky_numbers(p_raffle public.raffles, p_purchase_id uuid, p_quantity integer) returns integer[]
language plpgsql security definer set search_path = '' as $$
declare
  v_first integer := app.first_number(p_raffle);
  v_wish integer[];
  v_claimed integer[];
begin
  for v_round in 1..1000 loop
    v_wish := array(
      select n from (
        select v_first + floor(random() * p_raffle.tickets_required)::integer as n
        from generate_series(1, p_quantity * 2) where v_round <= 5
        union
        select n from generate_series(v_first, v_first + p_raffle.tickets_required - 1) as n
        where v_round > 5
      ) candidates
      where not exists (select from app.number_claims c where c.raffle_id = p_raffle.id and c.num = n)
      order by random() limit p_quantity);
    continue when cardinality(v_wish) < p_quantity;
    begin
      with claimed as (
        insert into app.number_claims (raffle_id, num, purchase_id)
        select p_raffle.id, n, p_purchase_id from unnest(v_wish) as n order by n
        on conflict do nothing
        returning num
      )
      select array_agg(num) into v_claimed from claimed;
      if cardinality(v_claimed) = p_quantity then
        return v_claimed;
      end if;
      raise sqlstate 'LUCK0';
    exception when sqlstate 'LUCK0' then
      null;
    end;
  end loop;
  raise exception 'app.claim_lucky_numbers: found no number for a seat of raffle %', p_raffle.id;
end
$$;
