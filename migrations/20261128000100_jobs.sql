-- Jobs: all that the clock does, a row each. pg_cron runs them where it exists; the local stack, whose Postgres
-- has none, runs the same rows of cron.job by a ticker of its own. Running any of them twice, twenty at once,
-- late, or not for an hour changes nothing but the delay.

-- Where such a schema is there already it is the extension, or a stand-in beside its idle files.
do $$
begin
  if to_regnamespace('cron') is null and exists (select from pg_available_extensions where name = 'pg_cron') then
    create extension pg_cron;
  end if;
  if to_regnamespace('net') is null and exists (select from pg_available_extensions where name = 'pg_net') then
    create extension pg_net;
  end if;
end
$$;

insert into app.settings (name, value, minimum, maximum, description) values
  ('job_log_hours', 48, 1, 2160, 'How long the runs of jobs are kept.');

create table public.jobs (
  name text primary key check (name ~ '^[a-z]+(-[a-z]+)*$'),
  schedule text not null,
  command text not null,
  description text not null,
  last_run_at timestamptz,
  last_result text,
  last_succeeded_at timestamptz,
  failures integer not null default 0,
  next_run_at timestamptz not null default clock_timestamp(),
  last_runid bigint not null default 0
);
comment on table public.jobs is 'Every job: what it does and when, and how it has been getting on. Noted by watch-jobs.';
comment on column public.jobs.schedule is 'As pg_cron reads it, in UTC.';
comment on column public.jobs.last_result is 'succeeded, or what went wrong.';
comment on column public.jobs.failures is 'How often it has failed since it last succeeded.';
comment on column public.jobs.last_runid is 'Up to which row of cron.job_run_details its runs have been looked at.';
alter table public.jobs enable row level security;

create table app.function_calls (
  id bigint generated always as identity primary key,
  -- pg_net's own: after a crash its unlogged tables begin at 1 again.
  request_id bigint not null,
  job text not null references public.jobs (name) on delete cascade,
  called_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
comment on table app.function_calls is 'What pg_net was asked to send for a job, until its answer is known.';
create index function_calls_job on app.function_calls (job, called_at);

-- Has one of our functions do what needs the network: pg_net sends the request, with address and secret from
-- Vault, after this transaction. One that is lost does no harm: what it should have done is still due at the next.
create function app.call_function(p_job text, p_path text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_url text;
  v_secret text;
begin
  if to_regnamespace('net') is null or to_regclass('vault.decrypted_secrets') is null then
    raise exception '% needs pg_net and Vault, which this database does not have', p_job;
  end if;
  select decrypted_secret into v_url from vault.decrypted_secrets where name = 'functions_url';
  select decrypted_secret into v_secret from vault.decrypted_secrets where name = 'scheduler_secret';
  if v_url is null or v_secret is null then
    raise exception '% needs the secrets functions_url and scheduler_secret in Vault', p_job;
  end if;
  insert into app.function_calls (job, request_id) values (p_job, net.http_post(
    url := v_url || p_path,
    headers := jsonb_build_object('authorization', 'Bearer ' || v_secret, 'content-type', 'application/json'),
    body := '{}'::jsonb,
    timeout_milliseconds := 120000));
end
$$;


-- When a schedule is due ------------------------------------------------------------------------------------

-- Whether a field of a schedule (*, 7, 1-5, */10, and lists of these) names a value.
create function app.cron_field_names(p_field text, p_value integer, p_low integer, p_high integer) returns boolean
language sql immutable set search_path = '' as $$
  select bool_or(p_value between first and last and (p_value - first) % step = 0)
  from unnest(string_to_array(p_field, ',')) as part,
    regexp_match(part, '^(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?$') as m,
    lateral (select
      coalesce(m[1]::integer, p_low) as first,
      coalesce(m[2]::integer, case when m[1] is null or m[3] is not null then p_high else m[1]::integer end) as last,
      coalesce(m[3]::integer, 1) as step) as range
$$;

-- When a job on this schedule runs next after a moment. Null if it would not within a year.
create function app.next_run(p_schedule text, p_after timestamptz) returns timestamptz
language plpgsql immutable set search_path = '' as $$
declare
  v_field text[] := regexp_split_to_array(p_schedule, '\s+');
  v_at timestamp := date_trunc('minute', p_after at time zone 'utc') + interval '1 minute';
  v_end timestamp := v_at + interval '1 year';
  v_by_day boolean;
  v_by_weekday boolean;
begin
  if v_field[2] like 'second%' then
    return p_after + make_interval(secs => v_field[1]::integer);
  end if;
  while v_at < v_end loop
    v_by_day := app.cron_field_names(v_field[3], extract(day from v_at)::integer, 1, 31);
    -- Sunday is 0 and 7.
    v_by_weekday := app.cron_field_names(v_field[5], extract(dow from v_at)::integer, 0, 7)
      or extract(dow from v_at) = 0 and app.cron_field_names(v_field[5], 7, 0, 7);
    if not app.cron_field_names(v_field[4], extract(month from v_at)::integer, 1, 12)
      -- As in every cron: when both days are restricted, either one is enough.
      or not (case when v_field[3] <> '*' and v_field[5] <> '*' then v_by_day or v_by_weekday else v_by_day and v_by_weekday end)
    then
      v_at := date_trunc('day', v_at) + interval '1 day';
    elsif not app.cron_field_names(v_field[2], extract(hour from v_at)::integer, 0, 23) then
      v_at := date_trunc('hour', v_at) + interval '1 hour';
    elsif not app.cron_field_names(v_field[1], extract(minute from v_at)::integer, 0, 59) then
      v_at := v_at + interval '1 minute';
    else
      return v_at at time zone 'utc';
    end if;
  end loop;
  return null;
end
$$;


-- Watching ----------------------------------------------------------------------------------------------------

-- What has become of jobs since it was last looked: their runs, and the answers to what they had sent. A run
-- that sends something is over when that is answered.
create function app.job_outcomes()
returns table (job text, began timestamptz, ended timestamptz, runid bigint, call_id bigint, is_over boolean, failure text)
language plpgsql stable security definer set search_path = '' as $$
begin
  return query
    select j.name, d.start_time, d.end_time, d.runid, null::bigint,
      d.status = 'failed' or not exists (
        select from app.function_calls f where f.job = j.name and f.called_at between d.start_time and d.end_time),
      case d.status when 'failed' then coalesce(d.return_message, 'failed') end
    from cron.job_run_details d join cron.job c using (jobid) join public.jobs j on j.name = c.jobname
    where d.runid > (select min(last_runid) from public.jobs) and d.runid > j.last_runid and d.status in ('succeeded', 'failed');
  if to_regclass('net._http_response') is not null then
    return query
      select f.job, f.called_at, clock_timestamp(), null::bigint, f.id, true, case
        when r.status_code between 200 and 299 then null
        when r.id is null then 'no answer'
        else coalesce(r.error_msg, 'answered ' || r.status_code) end
      from app.function_calls f left join net._http_response r on r.id = f.request_id and r.created >= f.called_at
      where f.ended_at is null and (r.id is not null or f.called_at < clock_timestamp() - interval '5 minutes');
  end if;
end
$$;

-- Notes how the jobs are getting on, and tells the operators of those that keep failing or do not run, until
-- they do.
-- Run by the clock; of several at once, one does it.
create function app.watch_jobs() returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_stood_still boolean := not exists (
    select from public.jobs where name = 'watch-jobs' and last_run_at > v_now - interval '2 minutes');
begin
  if not pg_try_advisory_xact_lock(hashtextextended('watch_jobs', 0)) then
    return;
  end if;
  with outcome as materialized (
    select * from app.job_outcomes()
  ), answered as (
    update app.function_calls f set ended_at = v_now from outcome o where f.id = o.call_id
  ), summed as (
    select job, max(began) as began, max(runid) as runid,
      max(ended) filter (where is_over and failure is null) as succeeded
    from outcome group by job
  )
  update public.jobs j set
    last_run_at = greatest(j.last_run_at, s.began),
    last_runid = greatest(j.last_runid, s.runid),
    next_run_at = app.next_run(j.schedule, greatest(j.last_run_at, s.began)),
    last_succeeded_at = greatest(j.last_succeeded_at, s.succeeded),
    last_result = coalesce((
      select left(coalesce(o.failure, 'succeeded'), 500) from outcome o
      where o.job = j.name and o.is_over order by o.ended desc, o.runid desc nulls first limit 1), j.last_result),
    failures = case when s.succeeded is null then j.failures else 0 end + (
      select count(*) from outcome o
      where o.job = j.name and o.is_over and o.failure is not null and o.ended > coalesce(s.succeeded, '-infinity'))
  from summed s where s.job = j.name;
  if v_stood_still then
    -- The clock begins again: nobody can be late for what it slept through.
    update public.jobs set next_run_at = app.next_run(schedule, v_now) where next_run_at < v_now;
  end if;
  update public.operator_alerts set resolved_at = v_now where resolved_at is null
    and (kind = 'job_failing' and subject <> all (app.failing_jobs()) or kind = 'job_late' and subject <> all (app.late_jobs()));
  perform app.alert_operators('job_failing', name, jsonb_build_object('failures', failures, 'result', last_result))
  from public.jobs where name = any (app.failing_jobs());
  perform app.alert_operators('job_late', name, jsonb_build_object('expected_at', next_run_at))
  from public.jobs where name = any (app.late_jobs());
end
$$;

-- Jobs that have failed three times running, or once if their next try is far.
create function app.failing_jobs() returns text[]
language sql stable security definer set search_path = '' as $$
  select array(select name from public.jobs
    where failures > 2 or failures > 0 and next_run_at > clock_timestamp() + interval '5 minutes' order by name)
$$;

-- Jobs that should have run two minutes ago.
create function app.late_jobs() returns text[]
language sql stable security definer set search_path = '' as $$
  select array(select name from public.jobs where next_run_at < clock_timestamp() - interval '2 minutes' order by name)
$$;


-- The jobs ----------------------------------------------------------------------------------------------------

-- Deletes what is past its retention.
create function app.purge() returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_oldest timestamptz := app.clock() - make_interval(hours => app.setting('job_log_hours'));
begin
  perform app.purge_idempotency_keys();
  perform app.purge_rate_buckets();
  perform app.purge_stripe_events();
  perform app.purge_notifications();
  delete from app.function_calls where ended_at < v_oldest;
  if to_regclass('cron.job_run_details') is not null then
    delete from cron.job_run_details where end_time < v_oldest;
  end if;
end
$$;

-- Gives pg_cron the jobs as they stand in the table. Its versions before 1.5 know no seconds: there, what
-- should run every few runs every minute.
create function app.schedule_jobs() returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_version integer[] := (select regexp_match(extversion, '^(\d+)\.(\d+)') from pg_extension where extname = 'pg_cron');
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule(name, case when v_version < '{1,5}' and schedule like '%seconds' then '* * * * *' else schedule end, command)
    from public.jobs;
  end if;
end
$$;

insert into public.jobs (name, schedule, command, description) values
  ('seal-raffles', '2 seconds', 'select app.seal_raffle(id) from app.due_raffles(1) as id',
    'Seals the raffle whose time is over, or that is full; one below its minimum is cancelled.'),
  ('draw-raffles', '5 seconds', $$select app.call_function('draw-raffles', '/close-raffle') where app.draws_are_due()$$,
    'Fetches the rounds that sealed raffles wait for, draws and settles.'),
  ('draw-lotteries', '10 seconds', 'select app.draw_by_lottery(id) from app.due_lotteries(1) as id',
    'Draws raffles whose official result is known.'),
  ('fetch-lotteries', '*/5 * * * *',
    $$select app.call_function('fetch-lotteries', '/lottery-results') where app.awaited_results(1) <> '[]'$$,
    'Asks the feed for official results that raffles wait for.'),
  ('refund-cancelled', '10 seconds', 'select app.refund_cancelled()', 'Goes on with the refunds of cancelled raffles.'),
  ('expire-purchases', '10 seconds', 'select app.expire_purchases()', 'Gives back seats that were not paid in time.'),
  ('expire-holds', '* * * * *', 'select app.expire_holds()', 'Releases holds whose time is over.'),
  ('pass-on-prizes', '37 * * * *', 'select app.pass_on_prizes()', 'Offers prizes that nobody claimed to the next place.'),
  ('remind-prizes', '42 * * * *', 'select app.remind_prizes()', 'Reminds of prizes that are to be claimed.'),
  ('spread-notifications', '2 seconds', 'select app.spread_notifications()', 'Queues a message to many for each of them.'),
  ('send-notifications', '5 seconds',
    $$select app.call_function('send-notifications', '/send-notifications') where app.notifications_are_due()$$,
    'Sends what people are to be told.'),
  ('publish-progress', '2 seconds', 'select app.publish_progress()', 'Shows how many tickets are sold to whoever is watching.'),
  ('refresh-popular', '*/2 * * * *', 'select app.refresh_popular()', 'Counts anew which raffles are popular.'),
  ('sweep-stripe', '* * * * *', $$select app.call_function('sweep-stripe', '/reconcile/sweep')$$,
    'Asks Stripe about payments and withdrawals that are not finished.'),
  ('reconcile-stripe', '27 * * * *', $$select app.call_function('reconcile-stripe', '/reconcile')$$,
    'Finds what Stripe told us and we did not hear.'),
  ('roll-up-balances', '* * * * *', 'select app.roll_up_balances()', 'Adds the newest entries to the balances of the house.'),
  ('check-invariants', '7 * * * *', 'select app.watch_invariants()', 'Looks for what does not add up, and tells the operators.'),
  ('purge', '17 * * * *', 'select app.purge()', 'Deletes what is past its retention.'),
  ('watch-jobs', '5 seconds', 'select app.watch_jobs()', 'Notes how all these are getting on.');

select app.schedule_jobs();


-- Health ------------------------------------------------------------------------------------------------------

-- What /health shows of the database itself. Anyone may ask.
create function app.report_health() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'time', app.clock(),
    'failing_jobs', app.failing_jobs(),
    'late_jobs', app.late_jobs(),
    'ages', (select jsonb_object_agg(name, floor(extract(epoch from clock_timestamp() - last_succeeded_at))) from public.jobs),
    'messages_wait', app.messages_wait(),
    'violations', (select count(*) from public.operator_alerts where kind = 'invariant' and resolved_at is null))
$$;
