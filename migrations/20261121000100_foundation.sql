-- Foundation: who may do nothing by default, how errors are raised, what time it is.
-- Read the chapters in their order; what every role may do stands on one page, the last: grants.


-- Nothing is allowed by default ---------------------------------------------------------------

-- Postgres lets everyone execute every new function, and hosted Supabase hands whatever appears in
-- public to the API roles. Both are taken back before the first object exists. (Default EXECUTE can
-- only be revoked for all schemas at once: the form with "in schema" adds to it and revokes nothing.)
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;

-- Whoever may make temporary objects may make a type named text or uuid, with a check of their own that
-- every function looks up before Postgres's, an empty search_path or not, and runs as its owner.
do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;

create schema app;
comment on schema app is
  'The work behind the API: SECURITY DEFINER functions and internal tables. Never exposed over HTTP.';


-- Errors ------------------------------------------------------------------------------------

create table app.error_codes (
  code text primary key check (code ~ '^[a-z][a-z_]+$'),
  status smallint not null check (status between 400 and 599)
);
comment on table app.error_codes is
  'Every code that SQL raises, with its HTTP status. The messages are in shared/errors.ts; a test '
  'holds the two against each other.';

insert into app.error_codes (code, status) values
  ('not_authenticated', 401),
  ('not_permitted', 403),
  ('request_invalid', 422);

-- Ends the transaction with a stable code. PostgREST answers PT409 as HTTP 409, with the code as the
-- message and the context, which must be safe to show, as the details.
-- Called by every function of app. Raises what it is told to.
create function app.fail(p_code text, p_context jsonb default null) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_status smallint := (select status from app.error_codes where code = p_code);
begin
  if v_status is null then
    raise exception 'app.fail: unknown error code %', p_code;
  end if;
  raise exception using
    errcode = 'PT' || v_status,
    message = p_code,
    detail = coalesce(p_context::text, '');
end
$$;

-- Refuses a request because of one of its fields. Raises request_invalid.
create function app.fail_field(p_path text, p_message text) returns void
language sql stable set search_path = '' as $$
  select app.fail('request_invalid', jsonb_build_object('issues', jsonb_build_array(
    jsonb_build_object('path', p_path, 'message', p_message))))
$$;


-- Text ----------------------------------------------------------------------------------------

-- Whether a text is a name: one line that can be seen, with no blank at either end, no control characters,
-- and nothing that turns the direction of what is written around it. Used by constraints.
create function app.is_name(p_text text, p_longest integer) returns boolean
language sql immutable set search_path = '' as $$
  select length(p_text) between 1 and p_longest
    and p_text !~ '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]'
    and p_text !~ '^[ \u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]|[ \u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]$'
    -- Something besides what has no ink: joiners, fillers and selectors are part of words and pictures.
    and p_text ~ '[^ \u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]'
$$;


-- Time ----------------------------------------------------------------------------------------

-- The time now, not the time the transaction began: a deadline must hold for a transaction that had
-- to wait for a lock. Everything that compares with a deadline asks here.
create function app.clock() returns timestamptz
language sql volatile set search_path = '' as $$
  select clock_timestamp()
$$;


-- Amounts ---------------------------------------------------------------------------------------

-- Domains, not check constraints, on tables that buyers write: Postgres reads a check anew for every
-- statement, which costs more than writing the row.
create domain app.amount as bigint check (value > 0);
create domain app.cents as bigint check (value >= 0);
comment on domain app.amount is 'What is moved or to be paid, in minor units.';
comment on domain app.cents is 'What there is, in minor units.';


-- Requests ------------------------------------------------------------------------------------

-- PostgREST checks a token's signature and expiry; this checks the rest, before every request:
-- whoever is "authenticated" has a subject that is a user id, and a token made for us.
-- Called by PostgREST as db-pre-request. Raises not_authenticated.
create function app.check_request() returns void
language plpgsql stable set search_path = '' as $$
declare
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
begin
  if v_claims ->> 'role' is distinct from 'authenticated' then
    return;
  end if;
  if coalesce(v_claims ->> 'sub', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    or not coalesce(v_claims -> 'aud' @> '"authenticated"', false)
  then
    perform app.fail('not_authenticated');
  end if;
end
$$;

alter role authenticator set pgrst.db_pre_request = 'app.check_request';


-- Append-only tables ----------------------------------------------------------------------------

-- Refuses update, delete and truncate for every role. Attached to each table that is a record.
create function app.refuse_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'insufficient_privilege';
end
$$;


-- Settings ----------------------------------------------------------------------------------------

create table app.settings (
  name text primary key check (name ~ '^[a-z][a-z_]+$'),
  value integer not null,
  minimum integer not null,
  maximum integer not null,
  description text not null,
  constraint settings_in_range check (value between minimum and maximum)
);
comment on table app.settings is
  'What an operator of the product may tune. Admins change a value by set_setting(); what a deployment '
  'sets (keys, addresses) is environment.';

-- Called by functions of app. A name that does not exist is a mistake of ours, hence strict.
create function app.setting(p_name text) returns integer
language plpgsql stable set search_path = '' as $$
declare
  v_value integer;
begin
  select value into strict v_value from app.settings where name = p_name;
  return v_value;
end
$$;


-- States ------------------------------------------------------------------------------------------

insert into app.error_codes (code, status) values
  ('state_change_refused', 409);

create table app.state_changes (
  subject text not null,
  from_state text not null,
  to_state text not null,
  primary key (subject, from_state, to_state)
);
comment on table app.state_changes is
  'For each table with a status: the changes that are legal. What is not here is refused.';

-- Attached to each table with a status (or what the argument names), for updates that change it.
-- Raises state_change_refused.
create function app.enforce_state_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_column text := coalesce(tg_argv[0], 'status');
  v_from text := to_jsonb(old) ->> v_column;
  v_to text := to_jsonb(new) ->> v_column;
begin
  if not exists (
    select from app.state_changes where subject = tg_table_name and from_state = v_from and to_state = v_to
  ) then
    perform app.fail('state_change_refused', jsonb_build_object('from', v_from, 'to', v_to));
  end if;
  return new;
end
$$;
