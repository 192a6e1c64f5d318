-- Proof: everything a draw was made of, for whoever wants to make it again.

-- The whole proof of a sealed raffle, with one page of its tickets. Anyone.
-- Raises raffle_not_found, raffle_not_sealed.
create function app.describe_draw(p_raffle_id uuid, p_skip integer, p_page_size integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_draw public.draws := app.sealed_draw(p_raffle_id);
begin
  return app.describe_seal(v_draw) || (
      select jsonb_build_object('state', state, 'winners_count', winners_count) from public.raffles where id = p_raffle_id)
    || jsonb_build_object('algorithm', 'rafflebase-draw-v1', 'raffle_id', p_raffle_id,
    'tickets', coalesce((
      select jsonb_agg(jsonb_build_object('ticket_num', t.ticket_num, 'holder', encode(app.holder_of(t), 'hex')) order by t.ticket_num)
      from (
        select * from public.tickets where raffle_id = p_raffle_id
        order by ticket_num offset p_skip limit least(p_page_size, 10000)
      ) t), '[]'));
end
$$;

create function app.sealed_draw(p_raffle_id uuid) returns public.draws
language plpgsql stable security definer set search_path = '' as $$
declare
  v_draw public.draws;
begin
  select * into v_draw from public.draws where raffle_id = p_raffle_id;
  if not found and exists (select from public.raffles where id = p_raffle_id and published_at is not null) then
    perform app.fail('raffle_not_sealed');
  elsif not found then
    perform app.fail('raffle_not_found');
  end if;
  return v_draw;
end
$$;

-- What was published at sealing, and by whatever time this is, the beacon and the winners.
create function app.describe_seal(p_draw public.draws) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'ticket_count', p_draw.ticket_count, 'ticket_root', p_draw.ticket_root, 'sealed_at', p_draw.sealed_at,
    'beacon', case when p_draw.round is not null then jsonb_strip_nulls(jsonb_build_object(
      'chain_hash', p_draw.chain_hash, 'round', p_draw.round, 'signature', p_draw.signature, 'randomness', p_draw.randomness)) end,
    'winners', coalesce((
      select jsonb_agg(jsonb_build_object('place', place, 'ticket_num', ticket_num) order by place)
      from public.winners where raffle_id = p_draw.raffle_id), '[]'))
  || coalesce((
    select jsonb_build_object('lottery', jsonb_agg(jsonb_build_object(
      'lottery_id', lottery_id, 'draw_date', draw_date, 'winning_number', winning_number) order by draw_date))
    from public.lottery_draws where raffle_id = p_draw.raffle_id having count(*) > 0), '{}')
$$;

-- The proof that one ticket is among those that were sealed; its salt, with which the holder can be checked,
-- is told to the ticket's owner. Anyone. Raises raffle_not_found, raffle_not_sealed, ticket_not_found.
create function app.prove_ticket(p_raffle_id uuid, p_ticket_num integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_draw public.draws := app.sealed_draw(p_raffle_id);
  v_ticket public.tickets;
  v_position integer;
  v_hashes bytea;
  v_path bytea[];
begin
  select * into v_ticket from public.tickets where raffle_id = p_raffle_id and ticket_num = p_ticket_num;
  if not found then
    perform app.fail('ticket_not_found');
  end if;
  v_position := (select count(*) from public.tickets
    where raffle_id = p_raffle_id and ticket_num < p_ticket_num);
  v_hashes := app.hash_tickets(p_raffle_id, v_position / 1024 * 1024, 1024);
  v_path := app.path_of(v_hashes, v_position % 1024)
    || app.path_of((select hashes from app.draw_blocks where raffle_id = p_raffle_id), v_position / 1024);
  return jsonb_strip_nulls(jsonb_build_object(
    'ticket_num', p_ticket_num, 'holder', encode(app.holder_of(v_ticket), 'hex'), 'index', v_position,
    'ticket_count', v_draw.ticket_count, 'leaf', encode(substring(v_hashes from v_position % 1024 * 32 + 1 for 32), 'hex'),
    'path', array(select encode(node, 'hex') from unnest(v_path) with ordinality as step (node, at) order by at),
    'root', v_draw.ticket_root,
    'salt', case when v_ticket.user_id = auth.uid() then encode(app.salt_of(p_raffle_id, p_ticket_num), 'hex') end));
end
$$;

-- What is due: raffles to seal, sealed ones whose round is out, drawn ones to settle; the longest due first,
-- or only what is due of one raffle. And those that wait for their round. For our own functions.
create function app.due_draws(p_raffle_id uuid, p_max integer) returns jsonb
language sql stable security definer set search_path = '' as $$
  with sealed as (
    select d.raffle_id, d.chain_hash, d.round, d.round_at from public.draws d join public.raffles r on r.id = d.raffle_id
    where r.state = 'CLOSED' and d.round is not null and (p_raffle_id is null or d.raffle_id = p_raffle_id)
    -- Those whose round is out come in any order: what cannot be drawn keeps nobody for ever.
    order by d.round_at > clock_timestamp(), random() limit p_max
  )
  select jsonb_build_object(
    'seal', coalesce((select jsonb_agg(id) from app.due_raffles(p_max, p_raffle_id) as id), '[]'),
    'waiting', coalesce((select jsonb_agg(jsonb_build_object(
      'raffle_id', raffle_id, 'chain_hash', chain_hash, 'round', round, 'expected_at', round_at,
      'is_out', round_at <= clock_timestamp()) order by round_at, raffle_id) from sealed), '[]'),
    'lottery', coalesce((select jsonb_agg(id) from app.due_lotteries(p_max, p_raffle_id) as id), '[]'),
    'settle', coalesce((select jsonb_agg(id) from (
      select id from public.raffles where state = 'DRAWN' and (p_raffle_id is null or id = p_raffle_id) order by id limit p_max) drawn), '[]'))
$$;

-- A raffle's state and, once it is sealed, its draw. Anyone. Raises raffle_not_found.
create function app.describe_state(p_raffle_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_state public.raffle_state := (select state from public.raffles where id = p_raffle_id and published_at is not null);
begin
  if v_state is null then
    perform app.fail('raffle_not_found');
  end if;
  return jsonb_build_object('raffle', jsonb_build_object('id', p_raffle_id, 'state', v_state))
    || coalesce((select jsonb_build_object('draw', app.describe_seal(d)) from public.draws d where raffle_id = p_raffle_id), '{}');
end
$$;

-- Whether close-raffle would find something to do.
create function app.draws_are_due() returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (select from app.due_raffles(1)) or exists (select from app.due_lotteries(1))
    or exists (select from public.draws d join public.raffles r on r.id = d.raffle_id
      where r.state = 'CLOSED' and d.randomness is null and d.round_at <= clock_timestamp())
    or exists (select from public.raffles where state = 'DRAWN');
end
$$;

-- Tells the operators of a draw whose round has long been out. For our own functions.
create function app.report_late_draw(p_raffle_id uuid, p_failures jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from public.draws
    where raffle_id = p_raffle_id and randomness is null and round_at < clock_timestamp() - interval '2 minutes')
  then
    perform app.alert_operators('draw_late', p_raffle_id::text, jsonb_build_object('relays', p_failures));
  end if;
end
$$;
