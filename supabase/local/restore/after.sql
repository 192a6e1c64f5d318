-- What a dump's rows know of the server that they came from. Run once after they are loaded into another one,
-- before its first job.

-- Transaction numbers begin again: against those of before, balances would not be rolled up for years.
update app.ledger_mark set noted_xmax = '0';

-- So do the runs of pg_cron: against those of before every job would seem late.
update public.jobs set last_runid = 0, next_run_at = app.next_run(schedule, clock_timestamp());

-- And what pg_net was asked before is answered nowhere.
delete from app.function_calls;
