-- Jobs: what the clock does. pg_cron runs the rows of cron.job where it exists; the local stack, whose
-- Postgres has no pg_cron, runs the same rows by a ticker of its own.

do $$
begin
  if exists (select from pg_available_extensions where name = 'pg_cron') then
    create extension if not exists pg_cron;
  end if;
  if exists (select from pg_available_extensions where name = 'pg_net') then
    create extension if not exists pg_net;
  end if;
end
$$;

-- Asks one of our functions to do what needs the network. Where pg_net exists it sends the request, with
-- address and secret from Vault; elsewhere the local ticker hears of it and sends it. A request that is
-- lost does no harm: whatever it should have done is still due at the next.
create function app.call_function(p_path text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_url text;
  v_secret text;
begin
  if to_regproc('net.http_post') is null then
    perform pg_notify('function_calls', p_path);
    return;
  end if;
  select decrypted_secret into strict v_url from vault.decrypted_secrets where name = 'functions_url';
  select decrypted_secret into strict v_secret from vault.decrypted_secrets where name = 'scheduler_secret';
  perform net.http_post(
    url := v_url || p_path,
    headers := jsonb_build_object('authorization', 'Bearer ' || v_secret, 'content-type', 'application/json'),
    body := '{}'::jsonb,
    timeout_milliseconds := 120000);
end
$$;

-- Deletes what is past its retention. Run by the clock; running it often or late changes nothing else.
create function app.purge() returns void
language sql security definer set search_path = '' as $$
  select app.purge_idempotency_keys();
  select app.purge_rate_buckets();
  select app.purge_stripe_events();
$$;

do $$
begin
  if to_regproc('cron.schedule') is not null then
    perform cron.schedule('purge', '17 * * * *', 'select app.purge()');
    perform cron.schedule('expire-holds', '* * * * *', 'select app.expire_holds()');
    perform cron.schedule('expire-purchases', '10 seconds', 'select app.expire_purchases()');
    perform cron.schedule('refund-cancelled', '10 seconds', 'select app.refund_cancelled()');
    perform cron.schedule('seal-raffles', '2 seconds', 'select app.seal_raffle(id) from app.due_raffles(1) as id');
    perform cron.schedule('draw-lotteries', '10 seconds', 'select app.draw_by_lottery(id) from app.due_lotteries(1) as id');
    perform cron.schedule('fetch-lotteries', '*/5 * * * *', $job$select app.call_function('/lottery-results')
      where app.awaited_results(1) <> '[]'$job$);
    perform cron.schedule('draw-raffles', '5 seconds', $job$select app.call_function('/close-raffle') where app.draws_are_due()$job$);
    perform cron.schedule('pass-on-prizes', '37 * * * *', 'select app.pass_on_prizes()');
    perform cron.schedule('refresh-popular', '*/2 * * * *', 'select app.refresh_popular()');
    perform cron.schedule('check-invariants', '7 * * * *', 'select app.watch_invariants()');
    perform cron.schedule('sweep-stripe', '* * * * *', $job$select app.call_function('/reconcile/sweep')$job$);
    perform cron.schedule('reconcile-stripe', '27 * * * *', $job$select app.call_function('/reconcile')$job$);
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
