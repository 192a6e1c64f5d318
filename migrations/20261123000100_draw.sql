-- The draw's arithmetic, rafflebase-draw-v1, as shared/draw.ts has it and test/verifier/verify.py: three
-- programs that a test holds against each other. Hashes of tickets are kept side by side in one bytea.

-- The hashes that commit to who holds which ticket, in ascending order of the numbers. The salt of a ticket
-- is made from its raffle's key, which nobody is ever shown: whoever has one salt cannot make another.
create function app.hash_tickets(p_raffle_id uuid, p_skip integer default 0, p_max integer default null) returns bytea
language plpgsql stable security definer set search_path = '' as $$
declare
  v_key text := (select key from app.raffle_keys where raffle_id = p_raffle_id);
begin
  return (
    select coalesce(string_agg(
      sha256('\x00'::bytea || uuid_send(p_raffle_id) || int4send(ticket_num)
        || sha256(substring(extensions.hmac('salt ' || ticket_num, v_key, 'sha256') for 16) || uuid_send(user_id))),
      ''::bytea order by ticket_num), ''::bytea)
    from (
      select ticket_num, user_id from public.tickets where raffle_id = p_raffle_id
      order by ticket_num offset p_skip limit p_max
    ) as sealed);
end
$$;

create function app.salt_of(p_raffle_id uuid, p_ticket_num integer) returns bytea
language plpgsql stable security definer set search_path = '' as $$
begin
  return substring(extensions.hmac('salt ' || p_ticket_num,
    (select key from app.raffle_keys where raffle_id = p_raffle_id), 'sha256') for 16);
end
$$;

create function app.holder_of(p_ticket public.tickets) returns bytea
language plpgsql stable security definer set search_path = '' as $$
begin
  return sha256(app.salt_of(p_ticket.raffle_id, p_ticket.ticket_num) || uuid_send(p_ticket.user_id));
end
$$;

-- The next level of an RFC 6962 tree: pairs become their node, and a last one without a partner moves up.
create function app.fold_hashes(p_hashes bytea) returns bytea
language plpgsql immutable set search_path = '' as $$
declare
  v_count integer := length(p_hashes) / 32;
begin
  return (
    select string_agg(case when 2 * pair + 1 < v_count
      then sha256('\x01'::bytea || substring(p_hashes from pair * 64 + 1 for 64))
      else substring(p_hashes from pair * 64 + 1 for 32) end, ''::bytea order by pair)
    from generate_series(0, (v_count - 1) / 2) as pair);
end
$$;

-- The level of the tree at which each node stands over 1024 hashes.
create function app.fold_blocks(p_hashes bytea) returns bytea
language plpgsql immutable set search_path = '' as $$
begin
  for v_level in 1..10 loop
    exit when length(p_hashes) <= 32;
    p_hashes := app.fold_hashes(p_hashes);
  end loop;
  return p_hashes;
end
$$;

create function app.root_of(p_hashes bytea) returns bytea
language plpgsql immutable set search_path = '' as $$
begin
  if length(p_hashes) = 0 then
    return sha256('');
  end if;
  while length(p_hashes) > 32 loop
    p_hashes := app.fold_hashes(p_hashes);
  end loop;
  return p_hashes;
end
$$;

-- The nodes that lead from one hash, by its position from 0, to the root.
create function app.path_of(p_hashes bytea, p_position integer) returns bytea[]
language plpgsql immutable set search_path = '' as $$
declare
  v_path bytea[] := '{}';
  v_sibling integer;
begin
  while length(p_hashes) > 32 loop
    v_sibling := p_position # 1;
    if v_sibling < length(p_hashes) / 32 then
      v_path := v_path || substring(p_hashes from v_sibling * 32 + 1 for 32);
    end if;
    p_hashes := app.fold_hashes(p_hashes);
    p_position := p_position / 2;
  end loop;
  return v_path;
end
$$;

create function app.seed_of(p_raffle_id uuid, p_root bytea, p_round bigint, p_randomness bytea) returns bytea
language plpgsql immutable set search_path = '' as $$
begin
  return sha256(convert_to('rafflebase-draw-v1', 'utf8') || uuid_send(p_raffle_id) || p_root || int8send(p_round) || p_randomness);
end
$$;

-- A word of the stream that a seed makes, from 0 on: 64 bits without a sign, hence numeric.
create function app.word_of(p_seed bytea, p_index integer) returns numeric
language plpgsql immutable set search_path = '' as $$
declare
  v_bytes bytea := substring(sha256(p_seed || int4send(p_index / 4)) from (p_index % 4) * 8 + 1 for 8);
  v_signed bigint := ('x' || encode(v_bytes, 'hex'))::bit(64)::bigint;
begin
  return v_signed + case when v_signed < 0 then 18446744073709551616 else 0 end;
end
$$;

-- The words from this value on would make low numbers more likely than high ones: they are passed over.
create function app.fair_words(p_below integer, p_words numeric default 18446744073709551616) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return p_words - p_words % p_below;
end
$$;

-- The first places of a draw among so many tickets, as their positions from 0 in ascending order of numbers.
create function app.rank_tickets(p_seed bytea, p_tickets integer, p_places integer) returns integer[]
language plpgsql immutable set search_path = '' as $$
declare
  v_order integer[] := array(select generate_series(0, p_tickets - 1));
  v_index integer := 0;
  v_word numeric;
  v_at integer;
  v_first integer;
begin
  for v_place in 1..least(p_places, p_tickets) loop
    loop
      v_word := app.word_of(p_seed, v_index);
      v_index := v_index + 1;
      exit when v_word < app.fair_words(p_tickets - v_place + 1);
    end loop;
    v_at := v_place + v_word % (p_tickets - v_place + 1);
    v_first := v_order[v_place];
    v_order[v_place] := v_order[v_at];
    v_order[v_at] := v_first;
  end loop;
  return v_order[1:p_places];
end
$$;
