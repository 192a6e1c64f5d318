-- Buying: from seats to tickets, by wallet at once, by card once it is paid, and redeeming later.


-- Showing -----------------------------------------------------------------------------------------

create function app.describe_purchase(p_purchase public.purchases) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return jsonb_build_object(
    'id', p_purchase.id, 'raffle_id', p_purchase.raffle_id, 'type', p_purchase.type, 'status', p_purchase.status,
    'quantity', p_purchase.quantity, 'amount_cents', p_purchase.amount_cents, 'currency', p_purchase.currency,
    'payment_method', p_purchase.payment_method, 'redeemed', p_purchase.redeemed,
    'failure_code', p_purchase.failure_code, 'expires_at', p_purchase.expires_at, 'created_at', p_purchase.created_at);
end
$$;

create function app.describe_tickets(p_purchase public.purchases) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', id, 'ticket_num', ticket_num) order by ticket_num), '[]')
  from public.tickets where user_id = p_purchase.user_id and purchase_id = p_purchase.id
$$;

-- What buying by wallet was answered, made anew from what never changes and the balance that was kept.
create function app.recall_purchase(p_kept jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  if not p_kept ? 'purchase_id' then
    return p_kept;
  end if;
  select * into strict v_purchase from public.purchases where id = (p_kept ->> 'purchase_id')::uuid;
  v_purchase.status := 'CONFIRMED';
  v_purchase.redeemed := v_purchase.redeem;
  v_purchase.failure_code := null;
  return jsonb_build_object(
    'purchase', app.describe_purchase(v_purchase),
    'tickets', case when v_purchase.redeem then app.describe_tickets(v_purchase) else '[]' end,
    'wallet', p_kept -> 'wallet');
end
$$;

create function app.describe_wallet(p_account_id bigint) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select jsonb_build_object('balance_cents', balance_cents, 'available_cents', balance_cents - held_cents, 'currency', currency)
    from public.wallet_accounts where id = p_account_id);
end
$$;

-- One of the caller's purchases. Raises not_authenticated, purchase_not_found (others' too).
create function app.own_purchase(p_purchase_id uuid) returns public.purchases
language plpgsql stable security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = app.signed_in_user();
  if not found then
    perform app.fail('purchase_not_found');
  end if;
  return v_purchase;
end
$$;

create function app.get_purchase(p_purchase_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('purchase', app.describe_purchase(p), 'tickets', app.describe_tickets(p))
  from app.own_purchase(p_purchase_id) p
$$;

-- The caller's purchases, newest first. Raises not_authenticated.
create function app.list_purchases(p_skip integer, p_page_size integer) returns jsonb
language sql stable security definer set search_path = '' as $$
  with own as (
    select * from public.purchases where user_id = app.signed_in_user()
  ), page as (
    select * from own order by created_at desc, id desc limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_purchase(page) order by created_at desc, id desc) from page), '[]'),
    'total', (select count(*) from own))
$$;


-- Issuing -------------------------------------------------------------------------------------------

-- Turns a confirmed purchase into tickets with these numbers. The caller has the seats.
create function app.issue_tickets(p_purchase_id uuid, p_user_id uuid, p_raffle_id uuid, p_numbers integer[]) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = 'force_generic_plan' as $$
declare
  v_tickets jsonb;
begin
  with issued as (
    insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
    select p_raffle_id, n, p_user_id, p_purchase_id from unnest(p_numbers) as n order by n
    returning id, ticket_num
  )
  select jsonb_agg(jsonb_build_object('id', id, 'ticket_num', ticket_num) order by ticket_num) into v_tickets from issued;
  return v_tickets;
end
$$;

-- The tickets of a purchase whose seats are reserved: with the numbers chosen now, or those chosen before,
-- or lucky ones. The caller has locked the purchase.
create function app.redeem_seats(p_purchase public.purchases, p_raffle public.raffles, p_numbers integer[]) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_seats app.seats[] := app.seats_of(p_purchase.id);
  v_numbers integer[];
begin
  if p_raffle.numbering <> 'PICK' then
    v_numbers := app.numbers_of(p_raffle, v_seats);
  else
    v_numbers := array(select num from app.number_claims where purchase_id = p_purchase.id);
    if cardinality(v_numbers) = 0 and p_numbers is not null then
      v_numbers := app.claim_numbers(p_raffle, p_purchase.id, p_numbers);
    elsif cardinality(v_numbers) = 0 then
      v_numbers := app.claim_lucky_numbers(p_raffle, p_purchase.id, p_purchase.quantity);
    end if;
  end if;
  delete from app.reservations where purchase_id = p_purchase.id;
  update public.purchases set redeemed = true where id = p_purchase.id;
  return app.issue_tickets(p_purchase.id, p_purchase.user_id, p_raffle.id, v_numbers);
end
$$;

create function app.seats_of(p_purchase_id uuid) returns app.seats[]
language sql stable security definer set search_path = '' as $$
  select array_agg((lane_no, start_num, end_num)::app.seats order by lane_no, start_num)
  from app.reservations where purchase_id = p_purchase_id
$$;

create function app.reserve_seats(p_purchase_id uuid, p_seats app.seats[]) returns void
language sql security definer set search_path = '' as $$
  insert into app.reservations (purchase_id, lane_no, start_num, end_num)
  select p_purchase_id, lane_no, start_num, end_num from unnest(p_seats)
$$;


-- Buying ----------------------------------------------------------------------------------------------

-- Buys tickets. Answers {replayed, answer} once all is done; for a card {replayed, purchase, attempt} first, for
-- Stripe to be asked for the payment. One transaction, in this order of locks: key, rate bucket (which
-- makes a user's purchases one after another), profile, lanes, raffle if it fills up, account.
-- Raises what claim_key, require_player, take_seats, price_for, check_spend_limits, claim_numbers and
-- post_transaction raise, and rate_limited, quantity_out_of_range, number_out_of_range, request_invalid.
create function app.begin_purchase(
  p_key text, p_raffle_id uuid, p_quantity integer, p_numbers integer[], p_type public.purchase_type,
  p_payment_method public.payment_method, p_redeem boolean, p_ticket_id bigint, p_request jsonb
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := case p_payment_method
    when 'card' then app.claim_key(v_user_id, 'purchase', p_key, p_request)
    else app.claim_key_once(v_user_id, 'purchase', p_key, p_request) end;
  v_quantity integer := coalesce(p_quantity, cardinality(p_numbers));
  v_pending public.purchases;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', app.recall_purchase(v_answer));
  end if;
  perform app.take_token('money', v_user_id);
  if p_payment_method = 'card' then
    select * into v_pending from public.purchases
    where id = app.subject_of_key(v_user_id, 'purchase', p_key) and status in ('PENDING', 'CONFIRMED');
    if found then
      return jsonb_build_object('replayed', false, 'purchase', app.describe_purchase(v_pending), 'attempt', v_pending.attempt);
    end if;
  end if;
  perform app.check_order(v_quantity, p_numbers, p_type, p_payment_method, p_redeem, p_ticket_id);
  perform app.require_player();
  v_answer := app.create_purchase(v_user_id, p_key, p_raffle_id, v_quantity, p_numbers, p_type, p_payment_method, p_redeem, p_ticket_id);
  if p_payment_method = 'wallet' then
    perform app.keep_answer(v_user_id, 'purchase', p_key, p_request, jsonb_build_object(
      'purchase_id', v_answer -> 'answer' -> 'purchase' -> 'id', 'wallet', v_answer -> 'answer' -> 'wallet'));
  end if;
  return v_answer;
end
$$;

-- Refuses an order that makes no sense by itself. Raises quantity_out_of_range, number_out_of_range,
-- request_invalid.
create function app.check_order(
  p_quantity integer, p_numbers integer[], p_type public.purchase_type,
  p_payment_method public.payment_method, p_redeem boolean, p_ticket_id bigint
) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if p_quantity is null or p_quantity not between 1 and app.setting('purchase_maximum_quantity') then
    perform app.fail('quantity_out_of_range', jsonb_build_object('minimum', 1, 'maximum', app.setting('purchase_maximum_quantity')));
  end if;
  if cardinality(p_numbers) <> p_quantity then
    perform app.fail_field('numbers', 'must be as many as quantity');
  end if;
  if exists (select from unnest(p_numbers) as n group by n having count(*) > 1) then
    perform app.fail('number_out_of_range', jsonb_build_object('numbers', array(
      select n from unnest(p_numbers) as n group by n having count(*) > 1)));
  end if;
  if p_type is null or p_payment_method is null or p_redeem is null then
    perform app.fail_field(case when p_type is null then 'type' when p_payment_method is null then 'payment_method' else 'redeem' end,
      'is needed');
  end if;
  if (p_ticket_id is null) <> (p_type = 'ENTRY') then
    perform app.fail_field('ticket_id', 'goes with a BOOST or RETRY');
  end if;
end
$$;

-- Called by begin_purchase, which has checked everything but what depends on the raffle.
create function app.create_purchase(
  p_user_id uuid, p_key text, p_raffle_id uuid, p_quantity integer, p_numbers integer[], p_type public.purchase_type,
  p_payment_method public.payment_method, p_redeem boolean, p_ticket_id bigint
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_by_card boolean := p_payment_method = 'card';
  v_seats app.seats[] := app.take_seats(p_raffle_id, p_quantity, v_by_card);
  v_raffle public.raffles;
  v_purchase public.purchases;
begin
  select * into strict v_raffle from public.raffles where id = p_raffle_id;
  if p_numbers is not null and v_raffle.numbering <> 'PICK' then
    perform app.fail_field('numbers', 'cannot be chosen in this raffle');
  end if;
  v_purchase.amount_cents := p_quantity * app.price_for(v_raffle, p_user_id, p_type, p_quantity, p_ticket_id);
  perform app.check_spend_limits(p_user_id, v_raffle.currency, v_purchase.amount_cents);

  insert into public.purchases (
    user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method, redeem, redeemed, ticket_id,
    confirmed_at, expires_at, check_at)
  values (
    p_user_id, p_raffle_id, p_type, case when v_by_card then 'PENDING' else 'CONFIRMED' end::public.purchase_status,
    p_quantity, v_purchase.amount_cents, v_raffle.currency, p_payment_method, p_redeem, p_redeem and not v_by_card, p_ticket_id,
    case when not v_by_card then clock_timestamp() end,
    case when v_by_card then app.clock() + make_interval(mins => app.setting('reservation_minutes')) end,
    case when v_by_card then app.clock() + interval '2 minutes' end)
  returning * into v_purchase;

  if v_by_card then
    if p_numbers is not null then
      perform app.claim_numbers(v_raffle, v_purchase.id, p_numbers);
    end if;
    perform app.reserve_seats(v_purchase.id, v_seats);
    perform app.require_active_wallet(app.account_of('USER', v_raffle.currency, p_user_id));
    perform app.set_subject_of_key(p_user_id, 'purchase', p_key, v_purchase.id);
    return jsonb_build_object('replayed', false, 'purchase', app.describe_purchase(v_purchase), 'attempt', 0);
  end if;
  return jsonb_build_object('replayed', false, 'answer',
    app.settle_wallet_purchase(v_purchase, v_raffle, v_seats, p_numbers));
end
$$;

-- Pays a purchase from the wallet and issues its tickets, or keeps its seats for later.
create function app.settle_wallet_purchase(
  p_purchase public.purchases, p_raffle public.raffles, p_seats app.seats[], p_numbers integer[]
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_account_id bigint := app.account_of('USER', p_purchase.currency, p_purchase.user_id);
  v_tickets jsonb := '[]';
  v_numbers integer[];
begin
  perform app.fill_if_sold_out(p_raffle.id, p_seats);
  perform app.post_transaction('TICKET_PURCHASE', array[
    (v_account_id, -p_purchase.amount_cents),
    (app.account_of('RAFFLE_ESCROW', p_purchase.currency, null, p_raffle.id), p_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => p_purchase.id, p_raffle_id => p_raffle.id);

  if p_numbers is not null then
    v_numbers := app.claim_numbers(p_raffle, p_purchase.id, p_numbers);
  elsif p_purchase.redeem and p_raffle.numbering = 'PICK' then
    v_numbers := app.claim_lucky_numbers(p_raffle, p_purchase.id, p_purchase.quantity);
  elsif p_purchase.redeem then
    v_numbers := app.numbers_of(p_raffle, p_seats);
  end if;
  if p_purchase.redeem then
    v_tickets := app.issue_tickets(p_purchase.id, p_purchase.user_id, p_raffle.id, v_numbers);
  else
    perform app.reserve_seats(p_purchase.id, p_seats);
  end if;
  perform app.tell('purchase_confirmed', p_purchase.user_id, jsonb_build_object('purchase_id', p_purchase.id));
  return jsonb_build_object('purchase', app.describe_purchase(p_purchase), 'tickets', v_tickets,
    'wallet', app.describe_wallet(v_account_id));
end
$$;

create function app.tell(p_event text, p_user_id uuid, p_payload jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into app.outbox (event, user_id, payload) values (p_event, p_user_id, p_payload);
end
$$;

create function app.require_active_wallet(p_account_id bigint) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if exists (select from public.wallet_accounts where id = p_account_id and status = 'SUSPENDED') then
    perform app.fail('wallet_suspended');
  end if;
end
$$;


-- Redeeming ---------------------------------------------------------------------------------------------

-- Issues the tickets of a purchase that was made with redeem: false, while the raffle is not sealed.
-- Locks the key, the rate bucket, the purchase, its lanes.
-- Raises what claim_key raises, and not_authenticated, rate_limited, purchase_not_found,
-- purchase_not_confirmed, purchase_already_redeemed, purchase_not_redeemable, raffle_not_open,
-- request_invalid, number_out_of_range, number_taken.
create function app.redeem_ticket(p_key text, p_purchase_id uuid, p_numbers integer[], p_request jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := app.claim_key(v_user_id, 'redeem-ticket', p_key, p_request);
  v_purchase public.purchases;
  v_raffle public.raffles;
  v_tickets jsonb;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  perform app.enter_raffle((select raffle_id from public.purchases where id = p_purchase_id));
  v_purchase := app.redeemable_purchase(v_user_id, p_purchase_id);
  -- Sealing locks every lane: it waits for this, or this finds its lane closed.
  perform from app.raffle_lanes
  where raffle_id = v_purchase.raffle_id and lane_no in (select lane_no from unnest(app.seats_of(v_purchase.id)))
  order by lane_no for share;
  select * into strict v_raffle from public.raffles where id = v_purchase.raffle_id;
  if v_raffle.state not in ('OPEN', 'FULL') then
    perform app.fail('raffle_not_open');
  end if;
  if p_numbers is not null and (v_raffle.numbering <> 'PICK' or cardinality(p_numbers) <> v_purchase.quantity) then
    perform app.fail_field('numbers', 'must be as many as were bought, in a raffle where numbers are chosen');
  end if;
  v_tickets := app.redeem_seats(v_purchase, v_raffle, p_numbers);
  v_purchase.redeemed := true;
  return jsonb_build_object('replayed', false, 'answer', app.store_answer(v_user_id, 'redeem-ticket', p_key,
    jsonb_build_object('purchase', app.describe_purchase(v_purchase), 'tickets', v_tickets)));
end
$$;

-- A purchase of the user that can be redeemed, locked. Called by redeem_ticket.
create function app.redeemable_purchase(p_user_id uuid, p_purchase_id uuid) returns public.purchases
language plpgsql security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = p_user_id for update;
  if not found then
    perform app.fail('purchase_not_found');
  elsif v_purchase.status = 'PENDING' then
    perform app.fail('purchase_not_confirmed');
  elsif v_purchase.status <> 'CONFIRMED' then
    perform app.fail('purchase_not_redeemable');
  elsif v_purchase.redeemed then
    perform app.fail('purchase_already_redeemed');
  end if;
  return v_purchase;
end
$$;
