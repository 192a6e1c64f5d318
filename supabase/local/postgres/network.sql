-- pg_net and Vault where the extensions themselves are missing: requests are queued in a table, as pg_net does,
-- and really sent by a worker of ours (net.ts).

create schema net;
grant usage on schema net to postgres;

create unlogged table net.http_request_queue (
  id bigint generated always as identity primary key,
  url text not null,
  headers jsonb not null,
  body jsonb,
  timeout_milliseconds integer not null
);
create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
grant select, insert, update, delete on all tables in schema net to postgres;

create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 5000
) returns bigint
language sql as $$
  select pg_notify('net', '');
  insert into net.http_request_queue (url, headers, body, timeout_milliseconds)
  values (url, headers, body, timeout_milliseconds) returning id
$$;

create schema vault;
grant usage on schema vault to postgres;
create table vault.decrypted_secrets (
  name text primary key,
  decrypted_secret text not null,
  id uuid not null unique default gen_random_uuid()
);
grant select, insert, update, delete on vault.decrypted_secrets to postgres;

create function vault.create_secret(new_secret text, new_name text) returns uuid
language sql as $$
  insert into vault.decrypted_secrets (name, decrypted_secret) values (new_name, new_secret) returning id
$$;

create function vault.update_secret(secret_id uuid, new_secret text) returns void
language sql as $$ update vault.decrypted_secrets set decrypted_secret = new_secret where id = secret_id $$;
