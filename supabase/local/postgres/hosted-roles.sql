-- What a hosted Supabase server has before a project's first migration: roles. Run by the
-- superuser, once per cluster. Nothing here is the product's own.

create role postgres login createdb createrole bypassrls replication password :'password';
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit password :'password';
create role supabase_auth_admin login noinherit createrole password :'password';

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant set on parameter pgrst.db_pre_request to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
