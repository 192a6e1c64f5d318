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
  select coalesce(jsonb_agg(jsonb_build_object('id', id, 'ticket_num', ticket_num)
    || case when voided_at is null then '{}' else '{"voided":true}'::jsonb end order by ticket_num), '[]')
  from public.tickets where user_id = p_purchase.user_id and purchase_id = p_purchase.id
$$;

-- What buying by wallet was answered, made anew from what never changes and the wallet as it was: its balance,
-- and what of it was available.
create function app.recall_purchase(p_user_id uuid, p_key text, p_wallet jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_purchase public.purchases;
begin
  select * into strict v_purchase from public.purchases where id = app.subject_of_key(p_user_id, 'purchase', p_key);
  v_purchase.status := 'CONFIRMED';
  v_purchase.redeemed := v_purchase.redeem;
  v_purchase.failure_code := null;
  return jsonb_build_object(
    'purchase', app.describe_purchase(v_purchase),
    'tickets', case when v_purchase.redeem then (
      select jsonb_agg(ticket - 'voided') from jsonb_array_elements(app.describe_tickets(v_purchase)) as ticket) else '[]' end,
    'wallet', jsonb_build_object('balance_cents', p_wallet -> 0, 'available_cents', p_wallet -> 1, 'currency', v_purchase.currency));
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
create function app.issue_tickets(p_purchase_id uuid, p_user_id uuid, p_raffle_id uuid, p_numbers integer[]) returns json
language plpgsql security definer set search_path = '' set plan_cache_mode = 'force_generic_plan' as $$
declare
  v_tickets json;
begin
  with issued as (
    insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
    select p_raffle_id, n, p_user_id, p_purchase_id from unnest(p_numbers) as n order by n
    returning id, ticket_num
  )
  select json_agg(json_build_object('id', id, 'ticket_num', ticket_num) order by ticket_num) into v_tickets from issued;
  return v_tickets;
end
$$;

-- The tickets of a purchase whose seats are reserved: with the numbers chosen now, or those chosen before,
-- or lucky ones. The caller has locked the purchase. Raises what claim_numbers raises, and request_invalid.
create function app.redeem_seats(p_purchase public.purchases, p_raffle public.raffles, p_numbers integer[]) returns json
language plpgsql security definer set search_path = '' as $$
declare
  v_seats app.seats[] := app.seats_of(p_purchase.id);
  v_numbers integer[];
begin
  if p_raffle.numbering <> 'PICK' then
    v_numbers := app.numbers_of(p_raffle, v_seats);
  else
    v_numbers := array(select num from app.number_claims where purchase_id = p_purchase.id);
    if cardinality(v_numbers) > 0 and not p_numbers <@ v_numbers then
      perform app.fail_field('numbers', 'were chosen when this was bought, and stay');
    elsif cardinality(v_numbers) = 0 and p_numbers is not null then
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

create type app.purchase_order as (
  user_id uuid, key text, raffle_id uuid, quantity integer, numbers integer[], type public.purchase_type,
  payment_method public.payment_method, redeem boolean, ticket_id bigint, request jsonb, has_limits boolean);
comment on type app.purchase_order is
  'What somebody wants to buy; request is what they sent, has_limits whether they keep to a limit of their own.';

-- Buys tickets. Answers {replayed, answer} once all is done; for a card {replayed, purchase, attempt} first, for
-- Stripe to be asked for the payment. One transaction, in this order of locks: the user's turn, key, rate
-- bucket, lanes, raffle if it fills up, numbers, account.
-- Raises not_authenticated, idempotency_key_required, rate_limited and what claim_key, check_order, require_player,
-- take_seats, price_for, within_spend_limits, claim_numbers and refuse_payment raise.
create function app.begin_purchase(
  p_key text, p_raffle_id uuid, p_quantity integer, p_numbers integer[], p_type public.purchase_type,
  p_payment_method public.payment_method, p_redeem boolean, p_ticket_id bigint, p_request jsonb
) returns json
language plpgsql security definer set search_path = '' as $$
declare
  v_order app.purchase_order := (app.take_turn(auth.uid()), p_key, p_raffle_id, coalesce(p_quantity, cardinality(p_numbers)), p_numbers,
    p_type, p_payment_method, p_redeem, p_ticket_id, p_request, true);
  v_user_id uuid := v_order.user_id;
  v_known record;
begin
  if v_user_id is null then
    perform app.fail('not_authenticated');
  elsif p_payment_method = 'card' then
    return app.begin_card_purchase(v_order);
  elsif coalesce(length(p_key), 0) not between 1 and 255 then
    perform app.fail('idempotency_key_required');
  end if;
  -- In one statement what can be asked in the turn. With it nobody else writes this key, so it is written
  -- once, with the effect.
  select
    exists (select from app.idempotency_keys where user_id = v_user_id and endpoint = 'purchase' and key = p_key) as key,
    exists (select from public.play_limits where user_id = v_user_id and kind = 'spend') as has_limits,
    (select app.find_fault(status, (select email_confirmed_at from auth.users where id = v_user_id), self_excluded_until,
      birth_date, (select value from app.settings where name = 'minimum_age'))
    from public.profiles where id = v_user_id) as fault
  into v_known;
  if v_known.key then
    return json_build_object('replayed', true, 'answer',
      app.recall_purchase(v_user_id, p_key, app.claim_key(v_user_id, 'purchase', p_key, p_request)));
  end if;
  v_user_id := app.take_token('money', v_user_id);
  -- One ticket of a raffle's own, which is nearly every order, has nothing to be checked.
  if (p_payment_method = 'wallet' and p_type = 'ENTRY' and p_quantity = 1 and num_nulls(p_numbers, p_ticket_id) = 2
    and p_redeem is not null) is not true
  then
    perform app.check_order(v_order);
  end if;
  if v_known.fault is distinct from '' then
    v_user_id := app.require_player(v_user_id);
  end if;
  v_order.has_limits := v_known.has_limits;
  return json_build_object('replayed', false, 'answer', app.buy_by_wallet(v_order));
end
$$;

-- Refuses what makes no sense by itself. Raises quantity_out_of_range, number_out_of_range,
-- request_invalid.
create function app.check_order(p_order app.purchase_order) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if p_order.quantity is null or p_order.quantity < 1
    or p_order.quantity > 1 and p_order.quantity > app.setting('purchase_maximum_quantity')
  then
    perform app.fail('quantity_out_of_range', jsonb_build_object('minimum', 1, 'maximum', app.setting('purchase_maximum_quantity')));
  end if;
  if p_order.numbers is not null and cardinality(p_order.numbers) <> p_order.quantity then
    perform app.fail_field('numbers', 'must be as many as quantity');
  elsif p_order.numbers is not null then
    perform app.check_numbers(p_order.numbers);
  end if;
  if p_order.type is null or p_order.payment_method is null or p_order.redeem is null then
    perform app.fail_field(
      case when p_order.type is null then 'type' when p_order.payment_method is null then 'payment_method' else 'redeem' end,
      'is needed');
  end if;
  if p_order.ticket_id is null and p_order.type <> 'ENTRY' then
    perform app.fail_field('ticket_id', 'is needed for a BOOST or RETRY');
  elsif p_order.ticket_id is not null and p_order.type = 'ENTRY' then
    perform app.fail_field('ticket_id', 'is only for a BOOST or RETRY');
  end if;
end
$$;

-- Refuses numbers of which one is named twice. Raises number_out_of_range.
create function app.check_numbers(p_numbers integer[]) returns void
language plpgsql stable set search_path = '' as $$
begin
  if exists (select from unnest(p_numbers) as n group by n having count(*) > 1) then
    perform app.fail('number_out_of_range', jsonb_build_object('numbers', array(
      select n from unnest(p_numbers) as n group by n having count(*) > 1)));
  end if;
end
$$;

-- What an order costs, after all that the raffle's terms and the user's limits may say against it. The
-- caller has the seats, so that the terms stay as they are read here.
-- Raises request_invalid and what price_for and within_spend_limits raise.
create function app.cost_of(p_order app.purchase_order, p_raffle public.raffles) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_cents bigint;
begin
  if p_order.numbers is not null and p_raffle.numbering <> 'PICK' then
    perform app.fail_field('numbers', 'cannot be chosen in this raffle');
  end if;
  v_cents := p_order.quantity
    * app.price_for(p_raffle, p_order.user_id, p_order.type, p_order.quantity, p_order.ticket_id);
  if p_order.has_limits then
    perform app.within_spend_limits(p_order.user_id, p_raffle.currency, v_cents);
  end if;
  return v_cents;
end
$$;

-- Takes seats, pays them from the wallet and issues their tickets, or keeps the seats for later.
-- Called by begin_purchase.
create function app.buy_by_wallet(p_order app.purchase_order) returns json
language plpgsql security definer set search_path = '' as $$
declare
  v_taking app.taking := app.take_seats(p_order.raffle_id, p_order.quantity, false);
  v_cents bigint := app.cost_of(p_order, v_taking.raffle);
  v_purchase_id uuid := app.new_id();
  v_numbers integer[];
  v_answer json;
begin
  if v_taking.the_last then
    perform app.fill_if_sold_out(p_order.raffle_id, v_taking.seats);
  end if;
  if p_order.numbers is not null then
    v_numbers := app.claim_numbers(v_taking.raffle, v_purchase_id, p_order.numbers);
  elsif p_order.redeem and (v_taking.raffle).numbering = 'PICK' then
    v_numbers := app.claim_lucky_numbers(v_taking.raffle, v_purchase_id, p_order.quantity);
  elsif p_order.redeem then
    v_numbers := app.numbers_of(v_taking.raffle, v_taking.seats);
  end if;
  v_answer := app.settle_wallet_purchase(p_order, v_purchase_id, v_cents, (v_taking.raffle).currency, v_numbers);
  if not p_order.redeem then
    perform app.reserve_seats(v_purchase_id, v_taking.seats);
  end if;
  return v_answer;
end
$$;

-- The money and all rows of a purchase by wallet: the debit, which comes first, the purchase, its tickets, the
-- ledger's two entries, the message, and the answer under its key.
-- Called by buy_by_wallet. Locks the account. Raises what refuse_payment raises.
create function app.settle_wallet_purchase(
  p_order app.purchase_order, p_purchase_id uuid, p_cents bigint, p_currency text, p_numbers integer[]
) returns json
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_transaction_id bigint := nextval('app.ledger_transactions');
  v_escrow_id bigint := (select id from public.wallet_accounts where raffle_id = p_order.raffle_id and currency = p_currency);
  v_account_id bigint;
  v_balance bigint;
  v_available bigint;
  v_tickets json := '[]';
begin
  update public.wallet_accounts set balance_cents = balance_cents - p_cents
  where user_id = p_order.user_id and raffle_id is null and currency = p_currency and kind = 'USER'
    and status = 'ACTIVE' and balance_cents - held_cents >= p_cents
  returning id, balance_cents, balance_cents - held_cents into v_account_id, v_balance, v_available;
  if not found then
    perform app.refuse_payment(p_order.user_id, p_currency);
  end if;
  insert into public.purchases (id, user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method,
    redeem, redeemed, ticket_id, created_at, confirmed_at)
  values (p_purchase_id, p_order.user_id, p_order.raffle_id, p_order.type, 'CONFIRMED', p_order.quantity, p_cents, p_currency,
    'wallet', p_order.redeem, p_order.redeem, p_order.ticket_id, v_now, v_now);
  if p_order.quantity = 1 and p_order.redeem then
    insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
    values (p_order.raffle_id, p_numbers[1], p_order.user_id, p_purchase_id)
    returning json_build_array(json_build_object('id', id, 'ticket_num', ticket_num)) into v_tickets;
  elsif p_order.redeem then
    v_tickets := app.issue_tickets(p_purchase_id, p_order.user_id, p_order.raffle_id, p_numbers);
  end if;
  insert into public.wallet_ledger (
    transaction_id, account_id, user_id, direction, amount_cents, currency, reason, purchase_id, raffle_id)
  values
    (v_transaction_id, v_account_id, p_order.user_id, 'DEBIT', p_cents, p_currency, 'TICKET_PURCHASE', p_purchase_id, p_order.raffle_id),
    (v_transaction_id, coalesce(v_escrow_id, app.account_of('RAFFLE_ESCROW', p_currency, null, p_order.raffle_id)), null,
      'CREDIT', p_cents, p_currency, 'TICKET_PURCHASE', p_purchase_id, p_order.raffle_id);
  insert into app.outbox (event, user_id, subject_id) values ('purchase_confirmed', p_order.user_id, p_purchase_id);
  insert into app.idempotency_keys (user_id, endpoint, key, request_hash, answer, subject_id)
  values (p_order.user_id, 'purchase', p_order.key, sha256(convert_to(p_order.request::text, 'utf8')),
    jsonb_build_array(v_balance, v_available), p_purchase_id);
  return json_build_object(
    'purchase', json_build_object(
      'id', p_purchase_id, 'raffle_id', p_order.raffle_id, 'type', p_order.type, 'status', 'CONFIRMED',
      'quantity', p_order.quantity, 'amount_cents', p_cents, 'currency', p_currency, 'payment_method', 'wallet',
      'redeemed', p_order.redeem, 'failure_code', null, 'expires_at', null, 'created_at', v_now),
    'wallet', json_build_object('balance_cents', v_balance, 'available_cents', v_available, 'currency', p_currency),
    'tickets', v_tickets);
end
$$;

-- Why a wallet does not pay. Raises wallet_suspended, currency_mismatch, balance_insufficient.
create function app.refuse_payment(p_user_id uuid, p_currency text) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  v_wallet public.wallet_accounts;
begin
  select * into v_wallet from public.wallet_accounts where kind = 'USER' and user_id = p_user_id and currency = p_currency;
  if v_wallet.status = 'SUSPENDED' then
    perform app.fail('wallet_suspended');
  elsif not found and exists (select from public.wallet_accounts where kind = 'USER' and user_id = p_user_id) then
    perform app.fail('currency_mismatch', jsonb_build_object('currency', p_currency));
  end if;
  perform app.fail('balance_insufficient', jsonb_build_object(
    'available_cents', coalesce(v_wallet.balance_cents - v_wallet.held_cents, 0), 'currency', p_currency));
end
$$;

-- Reserves seats for a payment by card, or goes on with what an earlier try under this key has reserved.
-- Called by begin_purchase.
create function app.begin_card_purchase(p_order app.purchase_order) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_answer jsonb := app.claim_key(app.signed_in_user(), 'purchase', p_order.key, p_order.request);
  v_purchase public.purchases;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', p_order.user_id);
  select * into v_purchase from public.purchases
  where id = app.subject_of_key(p_order.user_id, 'purchase', p_order.key) and status in ('PENDING', 'CONFIRMED');
  if not found then
    perform app.check_order(p_order);
    perform app.require_player(p_order.user_id);
    v_purchase := app.reserve_for_card(p_order);
    perform app.set_subject_of_key(p_order.user_id, 'purchase', p_order.key, v_purchase.id);
  end if;
  return jsonb_build_object('replayed', false, 'purchase', app.describe_purchase(v_purchase), 'attempt', v_purchase.attempt);
end
$$;

create function app.reserve_for_card(p_order app.purchase_order) returns public.purchases
language plpgsql security definer set search_path = '' as $$
declare
  v_taking app.taking := app.take_seats(p_order.raffle_id, p_order.quantity, true);
  v_raffle public.raffles := v_taking.raffle;
  v_purchase public.purchases;
begin
  insert into public.purchases (
    user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method, redeem, ticket_id, numbers,
    expires_at, check_at)
  values (
    p_order.user_id, p_order.raffle_id, p_order.type, 'PENDING', p_order.quantity, app.cost_of(p_order, v_raffle), v_raffle.currency,
    'card', p_order.redeem, p_order.ticket_id, p_order.numbers,
    -- Never beyond the closing: until then all numbers are chosen.
    least(app.clock() + make_interval(mins => app.setting('reservation_minutes')), v_raffle.closes_at),
    app.clock() + interval '2 minutes')
  returning * into v_purchase;
  if p_order.numbers is not null then
    perform app.claim_numbers(v_raffle, v_purchase.id, p_order.numbers);
  end if;
  perform app.reserve_seats(v_purchase.id, v_taking.seats);
  perform app.require_active_wallet(app.account_of('USER', v_raffle.currency, p_order.user_id));
  return v_purchase;
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

-- Issues the tickets of a purchase that was made with redeem: false, until the raffle closes: then nobody
-- chooses a number any more, and what has not been redeemed is issued when the raffle is sealed.
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
  v_tickets json;
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
  if v_raffle.state not in ('OPEN', 'FULL') or app.clock() > v_raffle.closes_at then
    perform app.fail('raffle_not_open');
  end if;
  if p_numbers is not null and (v_raffle.numbering <> 'PICK' or cardinality(p_numbers) <> v_purchase.quantity) then
    perform app.fail_field('numbers', 'must be as many as were bought, in a raffle where numbers are chosen');
  end if;
  perform app.check_numbers(p_numbers);
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
