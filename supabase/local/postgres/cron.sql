-- pg_cron's catalogue and functions where the extension itself is missing. The same statements that
-- schedule jobs on hosted Supabase fill these tables; the local ticker runs what they say.

create schema cron;
grant usage on schema cron to postgres;

create table cron.job (
  jobid bigint generated always as identity primary key,
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);

create table cron.job_run_details (
  jobid bigint,
  runid bigint generated always as identity primary key,
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);

grant select, insert, update, delete on cron.job to postgres;
grant select, delete, insert, update on cron.job_run_details to postgres;

create function cron.schedule(job_name text, schedule text, command text) returns bigint
language sql as $$
  insert into cron.job (jobname, schedule, command) values (job_name, schedule, command)
  on conflict on constraint jobname_username_uniq
    do update set schedule = excluded.schedule, command = excluded.command
  returning jobid
$$;

-- Under a generated name, as the extension has it too.
create function cron.schedule(schedule text, command text) returns bigint
language sql as $$ select cron.schedule(gen_random_uuid()::text, schedule, command) $$;

create function cron.unschedule(job_name text) returns boolean
language plpgsql as $$
begin
  delete from cron.job where jobname = job_name and username = current_user;
  if not found then
    raise exception 'could not find valid entry for job ''%''', job_name;
  end if;
  return true;
end
$$;
