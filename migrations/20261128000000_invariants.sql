-- Invariants: what must be true of the books at every moment. Run by the tests after every scenario, and
-- by the clock.

-- Every violation there is: none, ever. One statement, and so one moment.
create function app.check_invariants() returns table (invariant integer, rule text, subject text)
language sql stable security definer set search_path = '' as $$
  with signed as (
    select *, case direction when 'CREDIT' then amount_cents else -amount_cents end as cents from public.wallet_ledger
  )

  -- 1: the entries of each transaction sum to zero, and so does the whole ledger
  select 1, 'the entries of a transaction sum to zero', transaction_id || ' ' || currency
  from signed group by transaction_id, currency having sum(cents) <> 0
  union all
  select 1, 'the ledger sums to zero', currency::text from signed group by currency having sum(cents) <> 0
  union all
  select 1, 'an entry is of its account', l.id::text
  from public.wallet_ledger l left join public.wallet_accounts a on a.id = l.account_id
  where a.currency is distinct from l.currency
    or l.user_id is distinct from case a.kind when 'USER' then a.user_id end
  union all
  select 1, 'a reversal takes back what it is linked to', l.id::text
  from public.wallet_ledger l left join public.wallet_ledger r on r.id = l.reverses_id
  where (l.reverses_id is not null) <> (l.status = 'REVERSAL') or l.reverses_id is not null and (
    (l.account_id, l.amount_cents) is distinct from (r.account_id, r.amount_cents) or l.direction = r.direction)
  union all
  select 1, 'an entry names what is there', l.id::text
  from public.wallet_ledger l
  left join public.wallet_topups t on t.id = l.topup_id
  left join public.wallet_withdrawals w on w.id = l.withdrawal_id
  left join public.purchases p on p.id = l.purchase_id
  where l.topup_id is distinct from t.id or l.withdrawal_id is distinct from w.id or l.purchase_id is distinct from p.id

  -- 2: what is cached is what adds up
  union all
  select 2, 'the cached balance is the sum of the entries', a.id::text
  from public.wallet_accounts a left join signed l on l.account_id = a.id
  where a.kind = 'USER' group by a.id having a.balance_cents <> coalesce(sum(l.cents), 0)
  union all
  select 2, 'a house balance is the sum of the entries that are rolled up', a.id::text
  from public.wallet_accounts a
  left join public.house_balances h on h.account_id = a.id
  left join signed l on l.account_id = a.id and l.id <= (select rolled_up from app.ledger_mark)
  where a.kind <> 'USER' group by a.id, h.balance_cents having coalesce(h.balance_cents, 0) <> coalesce(sum(l.cents), 0)
  union all
  select 2, 'held is the sum of the active holds', a.id::text
  from public.wallet_accounts a left join public.wallet_holds h on h.account_id = a.id and h.status = 'ACTIVE'
  where a.kind = 'USER' group by a.id having a.held_cents <> coalesce(sum(h.amount_cents), 0)
  union all
  select 2, 'a debt is what is receivable from the person', a.user_id::text || ' ' || a.currency
  from public.wallet_accounts a
  left join public.wallet_accounts r on r.kind = 'RECEIVABLE' and r.user_id = a.user_id and r.currency = a.currency
  left join signed l on l.account_id = r.id
  where a.kind = 'USER' group by a.id having a.debt_cents <> -coalesce(sum(l.cents), 0)
  union all
  select 2, 'nobody who owes has anything to spend', id::text
  from public.wallet_accounts where debt_cents > 0 and balance_cents > held_cents
  union all
  select 2, 'no balance is negative, and none is held twice', id::text
  from public.wallet_accounts where balance_cents < held_cents or held_cents < 0

  -- 3: a raffle's tickets are its counters, unique and within range
  union all
  select 3, 'lanes cover the seats of their raffle, once', r.id::text
  from public.raffles r left join app.raffle_lanes l on l.raffle_id = r.id
  where r.published_at is not null
  group by r.id
  having coalesce(sum(l.end_num - l.start_num + 1), 0) <> r.tickets_required
    or min(l.start_num) <> 1 or max(l.end_num) <> r.tickets_required
  union all
  select 3, 'what a lane counts as taken is in purchases', r.id::text
  from public.raffles r
  where r.state <> 'CANCELLED' and app.count_taken(r.id) <> (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = r.id and status in ('PENDING', 'CONFIRMED'))
  union all
  select 3, 'what a lane counts as unpaid is pending', r.id::text
  from public.raffles r
  where r.state <> 'CANCELLED' and (select coalesce(sum(unpaid), 0) from app.raffle_lanes where raffle_id = r.id) <> (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = r.id and status = 'PENDING')
  union all
  select 3, 'what came back is in the gaps', l.raffle_id || ' ' || l.lane_no
  from app.raffle_lanes l left join app.raffle_gaps g using (raffle_id, lane_no)
  group by l.raffle_id, l.lane_no having l.returned <> coalesce(sum(g.end_num - g.start_num + 1), 0)
  union all
  select 3, 'numbers are within the raffle''s range', t.raffle_id || ' ' || t.ticket_num
  from public.tickets t join public.raffles r on r.id = t.raffle_id
  where t.ticket_num - app.first_number(r) not between 0 and r.tickets_required - 1
  union all
  select 3, 'a raffle is FULL when its last seat is paid, and not before', r.id::text
  from public.raffles r
  where r.state in ('OPEN', 'FULL') and (r.state = 'FULL') <> (r.tickets_required = (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = r.id and status = 'CONFIRMED'))

  -- 4: escrow is what confirmed purchases paid, and nothing once the raffle is settled
  union all
  select 4, 'escrow is what confirmed purchases paid', r.id::text
  from public.raffles r
  left join public.wallet_accounts a on a.raffle_id = r.id and a.kind = 'RAFFLE_ESCROW'
  left join signed l on l.account_id = a.id
  group by r.id
  having coalesce(sum(l.cents), 0) <> case r.state when 'SETTLED' then 0 else 1 end * (
    select coalesce(sum(amount_cents), 0) from public.purchases where raffle_id = r.id and status = 'CONFIRMED')

  union all
  select 4, 'what is due to cards is what payments on their way back have left', a.currency::text
  from public.wallet_accounts a left join signed l on l.account_id = a.id
  where a.kind = 'REFUNDS_DUE' group by a.id
  having coalesce(sum(l.cents), 0) <> (
    select coalesce(sum(amount_cents - taken_cents), 0) from app.card_payments p where p.account_id = a.id)
  union all
  select 4, 'card money that goes back has a refund under way', p.intent_id
  from app.card_payments p join public.wallet_accounts a on a.id = p.account_id and a.kind = 'REFUNDS_DUE'
  where p.taken_cents < p.amount_cents
    and not exists (select from app.card_refunds r where r.intent_id = p.intent_id and r.failed_at is null)

  -- 5: every confirmed purchase has its tickets, or its seats to redeem them
  union all
  select 5, 'a confirmed purchase has its tickets, or an open right to them', p.id::text
  from public.purchases p
  left join lateral (select count(*) as tickets from public.tickets where user_id = p.user_id and purchase_id = p.id) t on true
  left join lateral (select coalesce(sum(end_num - start_num + 1), 0) as seats from app.reservations where purchase_id = p.id) s on true
  where case
    when p.status = 'CONFIRMED' and p.redeemed then t.tickets <> p.quantity or s.seats <> 0
    when p.status in ('PENDING', 'CONFIRMED') then t.tickets <> 0 or s.seats <> p.quantity
    else s.seats <> 0 end

  union all
  select 5, 'what a purchase says of itself fits together', id::text
  from public.purchases
  where redeemed and status not in ('CONFIRMED', 'REFUNDED') or (ticket_id is not null) <> (type <> 'ENTRY')

  -- 6: what was sealed is what there is, and what was drawn follows from it
  union all
  select 6, 'no ticket came after its raffle was sealed', t.raffle_id || ' ' || t.ticket_num
  from public.draws d join public.tickets t on t.raffle_id = d.raffle_id where t.created_at > d.sealed_at
  union all
  select 6, 'the sealed root is that of the tickets', d.raffle_id::text
  from public.draws d join public.raffles r on r.id = d.raffle_id
  where r.state <> 'CANCELLED' and d.ticket_root <> encode(app.root_of(app.hash_tickets(d.raffle_id)), 'hex')
  union all
  select 6, 'a ticket is voided with its raffle, and only then', t.raffle_id || ' ' || t.ticket_num
  from public.tickets t join public.raffles r on r.id = t.raffle_id where (t.voided_at is not null) <> (r.state = 'CANCELLED')
  union all
  select 6, 'the winners are those that the beacon names', d.raffle_id::text
  from public.draws d
  where d.randomness is not null and (
    d.randomness <> encode(sha256(decode(d.signature, 'hex')), 'hex')
    or array(select ticket_num from public.winners w where w.raffle_id = d.raffle_id order by place) <> app.drawn_numbers(
      d.raffle_id, (select max(place) from public.winners w where w.raffle_id = d.raffle_id)))
  union all
  select 6, 'a raffle has been sealed if it is closed, and drawn if it says so', r.id::text
  from public.raffles r left join public.draws d on d.raffle_id = r.id
  where r.state in ('CLOSED', 'DRAWN', 'SETTLED') and d.raffle_id is null
    or r.state in ('DRAWN', 'SETTLED') and d.drawn_at is null

  union all
  select 6, 'the winner has the official number', d.raffle_id::text
  from public.lottery_draws d join public.lottery_results r on r.lottery_id = d.lottery_id and r.draw_date = d.draw_date
  join public.raffles f on f.id = d.raffle_id
  left join public.winners w on w.raffle_id = d.raffle_id and w.place = 1
  where d.winning_number <> r.winning_number
    or d.draw_date = (select max(draw_date) from public.lottery_draws l where l.raffle_id = d.raffle_id)
      and f.state in ('DRAWN', 'SETTLED') and w.ticket_num <> d.winning_number::integer

  -- 7: a completed top-up has exactly one credit, a paid withdrawal exactly one capture
  union all
  select 7, 'a top-up has one credit if it is completed, else none', t.id::text
  from public.wallet_topups t
  left join public.wallet_ledger l on l.topup_id = t.id and l.account_id = t.account_id and l.direction = 'CREDIT'
  group by t.id
  having count(l.id) <> case t.status when 'COMPLETED' then 1 else 0 end
    or coalesce(sum(l.amount_cents), 0) <> case t.status when 'COMPLETED' then t.amount_cents else 0 end
  union all
  select 7, 'a withdrawal is captured once if it is completed, else not', w.id::text
  from public.wallet_withdrawals w
  left join signed l on l.withdrawal_id = w.id and l.account_id = w.account_id
  group by w.id
  having coalesce(sum(l.cents), 0) <> case w.status when 'COMPLETED' then -w.amount_cents else 0 end
    or count(l.id) filter (where l.reverses_id is null) > 1
  union all
  select 7, 'a hold is there for each withdrawal that is under way, and ended with it', w.id::text
  from public.wallet_withdrawals w join public.wallet_holds h on h.id = w.hold_id
  where (h.status = 'ACTIVE') <> (w.status in ('CREATED', 'PROCESSING')) or h.amount_cents <> w.amount_cents
  union all
  select 7, 'what is under way to a bank is what the transfers moved', a.currency::text
  from public.wallet_accounts a left join signed l on l.account_id = a.id
  where a.kind = 'WITHDRAWALS' group by a.id
  having coalesce(sum(l.cents), 0) <> (
    select coalesce(sum(case when status = 'COMPLETED' then amount_cents else 0 end
      - case when transfer_id is not null and transfer_reversed_at is null then amount_cents else 0 end), 0)
    from public.wallet_withdrawals w where w.currency = a.currency)
  union all
  select 7, 'what Stripe took back is posted', p.intent_id
  from app.card_payments p
  where p.taken_cents < 0
    or not exists (select from public.wallet_topups t where t.intent_id = p.intent_id and t.status = 'COMPLETED')
      and not exists (select from public.purchases b where b.provider_txn_id = p.intent_id and b.status in ('CONFIRMED', 'REFUNDED'))
$$;

-- Tells the operators of every violation. Run by the clock.
create function app.watch_invariants() returns bigint
language sql security definer set search_path = '' as $$
  select count(*) from (
    select app.alert_operators('invariant', v.rule || ': ' || v.subject, jsonb_build_object('invariant', v.invariant))
    from app.check_invariants() v
  ) told
$$;
