-- Notifications: what the outbox holds becomes one row for each person, which is sent, tried again, or given
-- up. The function `send-notifications` does the sending; what it may do, it claims here.

insert into app.error_codes (code, status) values
  ('notification_not_found', 404);

insert into app.settings (name, value, minimum, maximum, description) values
  ('notification_retention_days', 90, 1, 3650, 'How long a notification is kept after it was sent.');

create type public.notification_status as enum ('QUEUED', 'SENT', 'SKIPPED', 'DEAD');

create table public.notifications (
  id uuid primary key default app.new_id(),
  outbox_id bigint not null,
  event text not null,
  user_id uuid not null,
  subject_id uuid,
  details jsonb,
  status public.notification_status not null default 'QUEUED',
  attempts smallint not null default 0,
  due_at timestamptz default clock_timestamp(),
  failure text check (length(failure) <= 500),
  happened_at timestamptz not null,
  ended_at timestamptz,
  constraint notifications_once unique (outbox_id, user_id),
  constraint notifications_due check ((status = 'QUEUED') = (due_at is not null))
);
comment on table public.notifications is
  'One message to one person. Its id is the transaction id under which Novu gets it, so that a second sending is not a second message.';
comment on column public.notifications.status is
  'SKIPPED: the person does not want it, or is gone. DEAD: given up; operators look at it and may queue it again.';
comment on column public.notifications.due_at is 'Not before; claiming a row moves it to when the next try would be.';
comment on column public.notifications.failure is 'What the last try that failed was answered.';
create index notifications_due on public.notifications (due_at) where status = 'QUEUED';
create index notifications_dead on public.notifications (happened_at) where status = 'DEAD';
create index notifications_user on public.notifications (user_id, happened_at desc);
create index notifications_ended on public.notifications (ended_at) where ended_at is not null;
alter table public.notifications enable row level security;

insert into app.state_changes (subject, from_state, to_state) values
  ('notifications', 'QUEUED', 'SENT'),
  ('notifications', 'QUEUED', 'SKIPPED'),
  ('notifications', 'QUEUED', 'DEAD'),
  ('notifications', 'DEAD', 'QUEUED');
create trigger record_change after update on public.notifications
  for each row when (old.status = 'DEAD') execute function app.record_change('id');
create trigger enforce_state_change before update on public.notifications
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();


-- From the outbox -------------------------------------------------------------------------------------------

-- Queues what the outbox holds for one person each. Called before every sending, by as many as like to.
create function app.queue_notifications(p_max integer default 5000) returns bigint
language sql security definer set search_path = '' as $$
  with taken as (
    delete from app.outbox where id in (
      select id from app.outbox where user_id is not null order by id limit p_max for update skip locked)
    returning *
  ), queued as (
    insert into public.notifications (outbox_id, event, user_id, subject_id, details, happened_at)
    select id, event, user_id, subject_id, details, created_at from taken
    returning 1
  )
  select count(*) from queued
$$;

-- Queues what the outbox holds for many, a part at a time: finding the people may take long. Run by the clock.
create function app.spread_notifications(p_max integer default 50000) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_row app.outbox;
  v_queued bigint := 0;
begin
  for v_row in select * from app.outbox where user_id is null order by id limit 10 for update skip locked loop
    v_queued := v_queued + app.spread_notification(v_row, p_max);
  end loop;
  return v_queued;
end
$$;

-- Queues a notification for the next of those whom a row of the outbox is for; the last one takes the row
-- away. How far it has come is kept in the row. The caller has locked it.
create function app.spread_notification(p_row app.outbox, p_max integer) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_people uuid[] := array(
    select user_id from app.audience_of(p_row) as user_id
    where user_id > coalesce(p_row.details ->> 'told_to', '00000000-0000-0000-0000-000000000000')::uuid
    order by user_id limit p_max);
begin
  insert into public.notifications (outbox_id, event, user_id, subject_id, details, happened_at)
  select p_row.id, app.event_for(p_row, user_id), user_id, p_row.subject_id, p_row.details - 'told_to', p_row.created_at
  from unnest(v_people) as user_id;
  if cardinality(v_people) < p_max then
    delete from app.outbox where id = p_row.id;
  else
    update app.outbox set details = coalesce(details, '{}') || jsonb_build_object('told_to', v_people[p_max]) where id = p_row.id;
  end if;
  return cardinality(v_people);
end
$$;

-- Everybody who has paid for tickets of the raffle; for an alert, who works here.
create function app.audience_of(p_row app.outbox) returns setof uuid
language plpgsql stable security definer set search_path = '' as $$
begin
  if p_row.event = 'operator_alert' then
    return query select distinct r.user_id from public.user_roles r
      join public.profiles p on p.id = r.user_id and p.status = 'ACTIVE';
  else
    return query select distinct p.user_id from public.purchases p
      where p.raffle_id = p_row.subject_id and p.status in ('CONFIRMED', 'REFUNDED') and p.confirmed_at is not null;
  end if;
end
$$;

-- What a row for many says to one of them: of a draw, whether this person has won.
create function app.event_for(p_row app.outbox, p_user_id uuid) returns text
language plpgsql stable security definer set search_path = '' as $$
begin
  if p_row.event <> 'raffle_drawn' then
    return p_row.event;
  end if;
  return case when exists (
    select from public.winners w join public.tickets t using (raffle_id, ticket_num)
    where w.raffle_id = p_row.subject_id and t.user_id = p_user_id) then 'won' else 'not_won' end;
end
$$;


-- Sending ---------------------------------------------------------------------------------------------------

-- How long after the nth try the next one is; null when there is none.
create function app.retry_after(p_attempts integer) returns interval
language sql immutable set search_path = '' as $$
  select (array['1 minute', '5 minutes', '30 minutes', '2 hours', '12 hours']::interval[])[p_attempts]
$$;

create function app.notifications_are_due() returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.notifications where status = 'QUEUED' and due_at <= clock_timestamp())
    or exists (select from app.outbox where user_id is not null)
$$;

-- Whether messages have been waiting for a quarter of an hour in which none was sent.
create function app.messages_wait() returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.notifications
      where status = 'QUEUED' and happened_at < clock_timestamp() - interval '15 minutes')
    and not exists (select from public.notifications
      where status = 'SENT' and ended_at > clock_timestamp() - interval '15 minutes')
$$;

-- Hands out what is to be sent now, with all that is to be said. Each row goes to one caller, and is due
-- again after a while unless that caller says what became of it: a sender that dies has sent either nothing
-- or, at the worst, a message that will be sent again under the same id.
-- Called by `send-notifications` as service_role.
create function app.claim_notifications(p_max integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_claimed public.notifications[];
begin
  perform app.queue_notifications();
  -- Whoever had the last try has not come back.
  perform app.end_notifications(array(
    select id from public.notifications where status = 'QUEUED' and due_at <= clock_timestamp() and attempts > 5
    order by due_at limit p_max for update skip locked), 'DEAD');
  with claimed as (
    update public.notifications set attempts = attempts + 1,
      due_at = clock_timestamp() + coalesce(app.retry_after(attempts + 1), '10 minutes')
    where id in (select id from public.notifications where status = 'QUEUED' and due_at <= clock_timestamp() and attempts <= 5
      order by due_at, id limit p_max for update skip locked)
    returning *
  )
  select array_agg(c) into v_claimed from claimed c;
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'id', n.id, 'event', n.event, 'user_id', n.user_id, 'person', app.describe_person(n.user_id), 'facts', app.facts_of(n))
      order by n.happened_at, n.outbox_id)
    from unnest(v_claimed) as n), '[]');
end
$$;

-- Ends notifications that are queued; of those given up, tells the operators.
create function app.end_notifications(p_ids uuid[], p_status public.notification_status) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_event record;
  v_ended bigint := 0;
begin
  for v_event in
    with ended as (
      update public.notifications set status = p_status, due_at = null, ended_at = clock_timestamp()
      where id = any (p_ids) and status = 'QUEUED'
      returning event, failure
    )
    select event, count(*) as times, max(failure) as failure from ended group by event
  loop
    v_ended := v_ended + v_event.times;
    if p_status = 'DEAD' then
      perform app.alert_operators('notifications_given_up', v_event.event, jsonb_build_object(
        'times', v_event.times, 'failure', v_event.failure));
    end if;
  end loop;
  return v_ended;
end
$$;

-- Records what became of claimed notifications; of those that failed, why. They stay due for their next try, and
-- are given up after the sixth. Recording it twice, or late, changes nothing.
-- Called by `send-notifications` as service_role.
create function app.record_notifications(p_sent uuid[], p_skipped uuid[], p_failed jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.end_notifications(p_sent, 'SENT');
  perform app.end_notifications(p_skipped, 'SKIPPED');
  update public.notifications n set failure = left(f.value, 500)
  from jsonb_each_text(p_failed) f where n.id = f.key::uuid and n.status = 'QUEUED';
  perform app.end_notifications(array(
    select n.id from public.notifications n join jsonb_object_keys(p_failed) f on n.id = f::uuid where n.attempts > 5), 'DEAD');
end
$$;

-- Queues again what was given up. Operators. Raises not_permitted, notification_not_found.
create function app.requeue_notifications(p_ids uuid[]) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_count bigint;
begin
  perform app.require_role('operator');
  with queued as (
    update public.notifications set status = 'QUEUED', attempts = 0, due_at = clock_timestamp(), ended_at = null
    where id = any (p_ids) and status = 'DEAD'
    returning 1
  )
  select count(*) into v_count from queued;
  if v_count = 0 then
    perform app.fail('notification_not_found');
  end if;
  return v_count;
end
$$;

-- Deletes what was sent or skipped long ago. What was given up stays until somebody looks at it.
create function app.purge_notifications() returns bigint
language sql security definer set search_path = '' as $$
  with gone as (
    delete from public.notifications where status in ('SENT', 'SKIPPED')
      and ended_at < app.clock() - make_interval(days => app.setting('notification_retention_days'))
    returning 1
  )
  select count(*) from gone
$$;


-- What nobody else tells --------------------------------------------------------------------------------------

-- Whatever Novu knows of a person follows the profile and the address.
create function app.tell_subscriber_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform app.tell('subscriber_changed', new.id);
  return null;
end
$$;
create trigger tell_subscriber after insert on public.profiles for each row execute function app.tell_subscriber_changed();
create trigger tell_subscriber_changed after update on public.profiles
  for each row when ((old.display_name, old.phone, old.locale) is distinct from (new.display_name, new.phone, new.locale))
  execute function app.tell_subscriber_changed();
create trigger tell_subscriber_changed after update of email on auth.users
  for each row when (old.email is distinct from new.email) execute function app.tell_subscriber_changed();

-- Whoever is deleted is forgotten by Novu too.
create function app.tell_subscriber_deleted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform app.tell('subscriber_deleted', old.id);
  return null;
end
$$;
create trigger tell_subscriber_deleted after delete on public.profiles
  for each row execute function app.tell_subscriber_deleted();

-- Who has confirmed the address is welcome.
create function app.tell_welcome() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform app.tell('welcome', new.id);
  return null;
end
$$;
create trigger tell_welcome_at_once after insert on auth.users
  for each row when (new.email_confirmed_at is not null) execute function app.tell_welcome();
create trigger tell_welcome after update of email_confirmed_at on auth.users
  for each row when (old.email_confirmed_at is null and new.email_confirmed_at is not null) execute function app.tell_welcome();

-- A new alert goes to who works here; one that is noticed again does not.
create function app.tell_alert() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform app.tell('operator_alert', null, null, jsonb_build_object('alert_id', new.id));
  return null;
end
$$;
create trigger tell_alert after insert on public.operator_alerts for each row execute function app.tell_alert();
