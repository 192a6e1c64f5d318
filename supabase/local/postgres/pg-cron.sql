-- pg_cron itself, as hosted Supabase makes it for a project. Run by the superuser.

create extension pg_cron;
grant usage on schema cron to postgres;
grant all privileges on all tables in schema cron to postgres;
