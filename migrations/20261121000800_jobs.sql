-- Chapter 8, jobs: what the clock does. pg_cron runs the rows of cron.job where it exists; the local
-- stack, whose Postgres has no pg_cron, runs the same rows by a ticker of its own.

do $$
begin
  if exists (select from pg_available_extensions where name = 'pg_cron') then
    create extension if not exists pg_cron;
  end if;
end
$$;

-- Deletes what is past its retention. Run by the clock; running it often or late changes nothing else.
create function app.purge() returns void
language sql security definer set search_path = '' as $$
  select app.purge_idempotency_keys();
  select app.purge_rate_buckets();
$$;

do $$
begin
  if to_regproc('cron.schedule') is not null then
    perform cron.schedule('purge', '17 * * * *', 'select app.purge()');
  end if;
end
$$;

-- The jobs whose last run failed. Called by app.report_health().
create function app.failing_jobs() returns text[]
language plpgsql stable security definer set search_path = '' as $$
begin
  if to_regclass('cron.job_run_details') is null then
    return '{}';
  end if;
  return array(
    select j.jobname from cron.job j
    where 'failed' = (select d.status from cron.job_run_details d where d.jobid = j.jobid order by d.runid desc limit 1)
    order by j.jobname
  );
end
$$;

-- What /health shows of the database itself. Anyone may ask.
create function app.report_health() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('time', app.clock(), 'failing_jobs', to_jsonb(app.failing_jobs()))
$$;
