-- Prizes that are things: claimed by who won them, sent, delivered. One that nobody claims in time goes to
-- the next place of the same draw: there is never a second one.

insert into app.error_codes (code, status) values
  ('prize_not_found', 404),
  ('prize_not_claimable', 409),
  ('prize_not_sendable', 409);

insert into app.settings (name, value, minimum, maximum, description) values
  ('prize_claim_days', 30, 1, 365, 'How long a prize waits to be claimed before it goes to the next place.');

create type public.prize_claim_status as enum ('OFFERED', 'CLAIMED', 'SHIPPED', 'DELIVERED', 'FORFEITED');

create table public.prize_claims (
  raffle_id uuid not null,
  place integer not null,
  user_id uuid not null references public.profiles (id),
  status public.prize_claim_status not null default 'OFFERED',
  claim_until timestamptz not null,
  reminders smallint not null default 0,
  delivery jsonb check (jsonb_typeof(delivery) = 'object' and length(delivery::text) <= 4096),
  tracking text check (length(tracking) between 1 and 500),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  sent_by uuid references public.profiles (id),
  primary key (raffle_id, place),
  foreign key (raffle_id, place) references public.winners (raffle_id, place)
);
comment on table public.prize_claims is 'One for each place that won the prize itself.';
comment on column public.prize_claims.delivery is
  'Where to send it, as the winner wrote it. Hence no audit of this table, which would keep addresses for ever.';
create index prize_claims_sent_by on public.prize_claims (sent_by);
create index prize_claims_user on public.prize_claims (user_id);
create index prize_claims_open on public.prize_claims (claim_until) where status = 'OFFERED';
alter table public.prize_claims enable row level security;
insert into app.state_changes (subject, from_state, to_state) values
  ('prize_claims', 'OFFERED', 'CLAIMED'),
  ('prize_claims', 'OFFERED', 'FORFEITED'),
  ('prize_claims', 'CLAIMED', 'SHIPPED'),
  ('prize_claims', 'CLAIMED', 'DELIVERED'),
  ('prize_claims', 'SHIPPED', 'DELIVERED');
create trigger enforce_state_change before update on public.prize_claims
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();
create trigger touch_updated_at before update on public.prize_claims for each row execute function app.touch_updated_at();

-- Offers the prize of a place to whoever drew it.
create function app.offer_prize(p_raffle public.raffles, p_place integer) returns void
language plpgsql security definer set search_path = '' as $$
begin
  with offered as (
    insert into public.prize_claims (raffle_id, place, user_id, claim_until)
    select w.raffle_id, w.place, t.user_id, app.clock() + make_interval(days => app.setting('prize_claim_days'))
    from public.winners w join public.tickets t using (raffle_id, ticket_num)
    where w.raffle_id = p_raffle.id and w.place = p_place
    returning *
  )
  insert into app.outbox (event, user_id, subject_id, details)
  select 'prize_to_claim', user_id, raffle_id, jsonb_build_object('place', place) from offered;
end
$$;

-- Claims a prize that the caller won, and says where to send it. Claiming again, until it is sent, changes
-- where. Locks the claim. Raises not_authenticated, account_suspended, email_unverified, rate_limited, prize_not_found, prize_not_claimable,
-- request_invalid.
create function app.claim_prize(p_raffle_id uuid, p_place integer, p_delivery jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.take_token('account', app.active_user());
  v_claim public.prize_claims;
begin
  if jsonb_typeof(p_delivery) is distinct from 'object' or length(p_delivery::text) > 4096
    or not exists (select from jsonb_each_text(case jsonb_typeof(p_delivery) when 'object' then p_delivery else '{}' end)
      where btrim(value) <> '')
  then
    perform app.fail_field('delivery', 'must be an object of at most 4096 characters that says where to send it');
  end if;
  select * into v_claim from public.prize_claims
  where raffle_id = p_raffle_id and place = p_place and user_id = v_user_id for update;
  if not found then
    perform app.fail('prize_not_found');
  elsif v_claim.status not in ('OFFERED', 'CLAIMED') or v_claim.status = 'OFFERED' and v_claim.claim_until <= clock_timestamp() then
    perform app.fail('prize_not_claimable');
  end if;
  update public.prize_claims set status = 'CLAIMED', delivery = p_delivery where raffle_id = p_raffle_id and place = p_place;
end
$$;

-- Says that a claimed prize is on its way, or has arrived. Operators. Nothing is sent to whom the bank gave back
-- what they paid, or whose wallet is suspended otherwise, until the debt is paid and somebody has reinstated them.
-- Locks the claim. Raises not_permitted, prize_not_found, prize_not_sendable, state_change_refused.
create function app.send_prize(p_raffle_id uuid, p_place integer, p_status public.prize_claim_status, p_tracking text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_claim public.prize_claims;
begin
  perform app.require_role('operator');
  if p_status is null or p_status not in ('SHIPPED', 'DELIVERED') then
    perform app.fail_field('status', 'must be SHIPPED or DELIVERED');
  elsif length(p_tracking) not between 1 and 500 then
    perform app.fail_field('tracking', 'must have from 1 to 500 characters');
  end if;
  select * into v_claim from public.prize_claims where raffle_id = p_raffle_id and place = p_place for update;
  if not found then
    perform app.fail('prize_not_found');
  elsif v_claim.status = 'CLAIMED'
    and exists (select from public.wallet_accounts where user_id = v_claim.user_id and status = 'SUSPENDED')
  then
    perform app.fail('prize_not_sendable');
  end if;
  update public.prize_claims set status = p_status, sent_by = auth.uid(), tracking = coalesce(p_tracking, tracking)
  where raffle_id = p_raffle_id and place = p_place
  returning * into v_claim;
  perform app.tell('prize_sent', v_claim.user_id, p_raffle_id, jsonb_build_object(
    'place', p_place, 'status', p_status, 'tracking', v_claim.tracking));
end
$$;

-- Prizes whose time is over go to the next place that has none yet; when all have had their turn, the prize
-- goes back to stock. Run by the clock. Locks the raffle, then the claim.
create function app.pass_on_prizes() returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_due record;
  v_raffle public.raffles;
  v_next integer;
  v_passed bigint := 0;
begin
  for v_due in
    select raffle_id, place from public.prize_claims where status = 'OFFERED' and claim_until <= clock_timestamp()
    order by raffle_id, place limit 100
  loop
    select * into v_raffle from public.raffles where id = v_due.raffle_id for update;
    update public.prize_claims set status = 'FORFEITED'
    where raffle_id = v_due.raffle_id and place = v_due.place and status = 'OFFERED' and claim_until <= clock_timestamp();
    continue when not found;
    v_passed := v_passed + 1;
    v_next := (select max(place) + 1 from public.winners where raffle_id = v_due.raffle_id);
    perform app.record_winners(v_due.raffle_id, v_next, v_next);
    if exists (select from public.winners where raffle_id = v_due.raffle_id and place = v_next) then
      perform app.offer_prize(v_raffle, v_next);
    else
      update public.prizes set stock = stock + 1 where id = v_raffle.prize_id;
    end if;
  end loop;
  return v_passed;
end
$$;

-- Reminds of prizes that nobody has claimed: a week before they are passed on, and a day before. Run by the
-- clock; a reminder that comes too late for one is the other.
create function app.remind_prizes() returns bigint
language sql security definer set search_path = '' as $$
  with due as (
    select raffle_id, place, case when claim_until - app.clock() <= interval '1 day' then 2 else 1 end as reminder
    from public.prize_claims
    where status = 'OFFERED' and claim_until between app.clock() and app.clock() + interval '7 days'
  ), reminded as (
    update public.prize_claims c set reminders = due.reminder
    from due where c.raffle_id = due.raffle_id and c.place = due.place and c.status = 'OFFERED' and c.reminders < due.reminder
    returning c.*
  ), told as (
    insert into app.outbox (event, user_id, subject_id, details)
    select 'prize_reminder', user_id, raffle_id, jsonb_build_object('place', place) from reminded
    returning 1
  )
  select count(*) from told
$$;
