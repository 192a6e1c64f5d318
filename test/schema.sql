-- What the migrations make: schemas public and app, and what they leave elsewhere.
-- Written by npm run schema, compared by a test; to be read, not to be run.


-- Schemas ---------------------------------------------------------------------------------------

create schema app;
comment on schema app is 'The work behind the API: SECURITY DEFINER functions and internal tables. Never exposed over HTTP.';
grant usage on schema app to anon;
grant usage on schema app to authenticated;
grant usage on schema app to service_role;

create schema public;
-- owner: pg_database_owner
comment on schema public is 'standard public schema';
grant usage on schema public to anon;
grant usage on schema public to authenticated;
grant create, usage on schema public to postgres;
grant usage on schema public to public;
grant usage on schema public to service_role;


-- Types -----------------------------------------------------------------------------------------

create type public.account_status as enum ('ACTIVE', 'SUSPENDED', 'DEACTIVATED');

create type public.kyc_status as enum ('NONE', 'PENDING', 'VERIFIED', 'REJECTED');

create type public.limit_kind as enum ('spend', 'deposit');

create type public.limit_period as enum ('day', 'week', 'month');

create type public.staff_role as enum ('operator', 'admin');


-- Tables ----------------------------------------------------------------------------------------

create table app.admin_claims (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  at timestamp with time zone not null default clock_timestamp(),
  granted boolean not null default false,
  constraint admin_claims_pkey PRIMARY KEY (id),
  constraint admin_claims_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE
);
CREATE INDEX admin_claims_user ON app.admin_claims USING btree (user_id, at);
comment on table app.admin_claims is 'Every try to become the first admin, whatever became of it.';

create table app.error_codes (
  code text not null,
  status smallint not null,
  constraint error_codes_pkey PRIMARY KEY (code),
  constraint error_codes_code_check CHECK ((code ~ '^[a-z][a-z_]+$'::text)),
  constraint error_codes_status_check CHECK (((status >= 400) AND (status <= 599)))
);
comment on table app.error_codes is 'Every code that SQL raises, with its HTTP status. The messages are in shared/errors.ts; a test holds the two against each other.';
grant select on app.error_codes to anon;
grant select on app.error_codes to authenticated;
grant select on app.error_codes to service_role;

create table app.idempotency_keys (
  user_id uuid not null,
  endpoint text not null,
  key text not null,
  request_hash bytea not null,
  answer jsonb,
  leased_until timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_keys_pkey PRIMARY KEY (user_id, endpoint, key),
  constraint idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE,
  constraint idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);
CREATE INDEX idempotency_keys_created_at ON app.idempotency_keys USING btree (created_at);
comment on table app.idempotency_keys is 'One row for each key a user sent to an endpoint; answer is null while the request runs.';

create unlogged table app.rate_buckets (
  class text not null,
  subject uuid not null,
  tokens double precision not null,
  filled_at timestamp with time zone not null,
  constraint rate_buckets_pkey PRIMARY KEY (class, subject),
  constraint rate_buckets_class_fkey FOREIGN KEY (class) REFERENCES app.rate_limits(class) ON DELETE CASCADE
) with (fillfactor=50);
comment on table app.rate_buckets is 'The tokens that each user has left, as of filled_at.';

create table app.rate_limits (
  class text not null,
  burst integer not null,
  per_seconds integer not null,
  constraint rate_limits_pkey PRIMARY KEY (class),
  constraint rate_limits_burst_check CHECK ((burst > 0)),
  constraint rate_limits_per_seconds_check CHECK ((per_seconds > 0))
);
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON app.rate_limits FOR EACH ROW EXECUTE FUNCTION app.record_change('class');
comment on table app.rate_limits is 'For each class: this many requests at once, and as many again in every per_seconds.';

create table app.settings (
  name text not null,
  value integer not null,
  minimum integer not null,
  maximum integer not null,
  description text not null,
  constraint settings_pkey PRIMARY KEY (name),
  constraint settings_in_range CHECK (((value >= minimum) AND (value <= maximum))),
  constraint settings_name_check CHECK ((name ~ '^[a-z][a-z_]+$'::text))
);
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON app.settings FOR EACH ROW EXECUTE FUNCTION app.record_change('name');
comment on table app.settings is 'What an operator of the product may tune. Admins change a value by set_setting(); what a deployment sets (keys, addresses) is environment.';

CREATE TRIGGER make_profile AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION app.on_sign_up();

create table public.audit_log (
  id bigint not null generated always as identity,
  at timestamp with time zone not null default clock_timestamp(),
  actor_id uuid,
  actor_kind text not null,
  action text not null,
  subject_table text not null,
  subject_id text not null,
  before jsonb,
  after jsonb,
  constraint audit_log_pkey PRIMARY KEY (id)
);
alter table public.audit_log enable row level security;
CREATE INDEX audit_log_actor ON public.audit_log USING btree (actor_id);
CREATE INDEX audit_log_subject ON public.audit_log USING btree (subject_table, subject_id);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Admins read the audit log" on public.audit_log for select to authenticated
  using (( SELECT app.has_role('admin'::public.staff_role) AS has_role));
comment on table public.audit_log is 'Who changed what; before and after hold only the columns that differ. Admins read it, nobody edits it.';
comment on column public.audit_log.actor_kind is 'admin, operator, player, or the database role that acted without a user.';
grant select on public.audit_log to authenticated;
grant select on public.audit_log to service_role;

create table public.play_limits (
  user_id uuid not null,
  kind public.limit_kind not null,
  period public.limit_period not null,
  currency character(3) not null,
  amount_cents bigint not null,
  pending_amount_cents bigint,
  pending_from timestamp with time zone,
  constraint play_limits_pkey PRIMARY KEY (user_id, kind, period, currency),
  constraint play_limits_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE,
  constraint play_limits_amount_cents_check CHECK ((amount_cents >= 0)),
  constraint play_limits_check CHECK ((pending_amount_cents > amount_cents)),
  constraint play_limits_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint play_limits_pending CHECK (((pending_amount_cents IS NULL) = (pending_from IS NULL)))
);
alter table public.play_limits enable row level security;
create policy "Users read their own limits, operators read all" on public.play_limits for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.play_limits is 'A person''s own limits. A pending amount replaces the amount at pending_from.';
grant select on public.play_limits to authenticated;
grant select on public.play_limits to service_role;

create table public.profiles (
  id uuid not null,
  display_name text,
  phone text,
  country character(2),
  birth_date date,
  locale text not null default 'en'::text,
  preferences jsonb not null default '{}'::jsonb,
  kyc_status public.kyc_status not null default 'NONE'::public.kyc_status,
  status public.account_status not null default 'ACTIVE'::public.account_status,
  self_excluded_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint profiles_pkey PRIMARY KEY (id),
  constraint profiles_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint profiles_birth_date CHECK ((birth_date >= '1900-01-01'::date)),
  constraint profiles_country CHECK ((country ~ '^[A-Z]{2}$'::text)),
  constraint profiles_display_name CHECK (((display_name = btrim(display_name)) AND ((length(display_name) >= 1) AND (length(display_name) <= 80)) AND (display_name !~ '[\u0001-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]'::text))),
  constraint profiles_locale CHECK ((locale ~ '^(en|es|it)(-[A-Z]{2})?$'::text)),
  constraint profiles_phone CHECK ((phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint profiles_preferences CHECK (((jsonb_typeof(preferences) = 'object'::text) AND (length((preferences)::text) <= 8192)))
);
alter table public.profiles enable row level security;
CREATE TRIGGER enforce_birth_date_lock BEFORE UPDATE OF birth_date ON public.profiles FOR EACH ROW EXECUTE FUNCTION app.enforce_birth_date_lock();
CREATE TRIGGER record_change AFTER UPDATE ON public.profiles FOR EACH ROW WHEN ((auth.uid() IS DISTINCT FROM new.id)) EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.profiles FOR EACH ROW EXECUTE FUNCTION app.touch_updated_at();
create policy "Users change their own profile, operators change all" on public.profiles for update to authenticated
  using (((id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)))
  with check (((id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
create policy "Users read their own profile, operators read all" on public.profiles for select to authenticated
  using (((id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.profiles is 'One row for each user, made when the user signs up.';
comment on column public.profiles.phone is 'E.164, for example +34600111222.';
comment on column public.profiles.birth_date is 'Unknown counts as a minor. Once set, only operators change it.';
comment on column public.profiles.locale is 'A language we speak, perhaps with a country: es or es-CO.';
comment on column public.profiles.preferences is 'Free-form; known keys: channels, marketing.';
comment on column public.profiles.self_excluded_until is 'No play before this moment. It can be moved later, never earlier.';
grant select on public.profiles to authenticated;
grant select on public.profiles to service_role;
grant update (display_name, phone, country, birth_date, locale, preferences) on public.profiles to authenticated;

create table public.user_roles (
  user_id uuid not null,
  role public.staff_role not null,
  granted_at timestamp with time zone not null default now(),
  constraint user_roles_pkey PRIMARY KEY (user_id, role),
  constraint user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE
);
alter table public.user_roles enable row level security;
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.user_roles FOR EACH ROW EXECUTE FUNCTION app.record_change('user_id');
create policy "Users read their own roles, operators read all" on public.user_roles for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.user_roles is 'Who works here. Everybody is a player; an admin may do all that an operator may. Roles are never read from a token, so that taking one away works at once.';
grant select on public.user_roles to authenticated;
grant select on public.user_roles to service_role;


-- Functions -------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION app.active_user()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_status public.account_status;
begin
  select status into v_status from public.profiles where id = v_user_id for share;
  if v_status <> 'ACTIVE' then
    perform app.fail('account_suspended');
  end if;
  if not exists (select from auth.users where id = v_user_id and email_confirmed_at is not null) then
    perform app.fail('email_unverified');
  end if;
  return v_user_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.actor_kind()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select case
    when auth.uid() is null then coalesce(nullif(current_setting('role', true), 'none'), session_user::text)
    when app.has_role('admin') then 'admin'
    when app.has_role('operator') then 'operator'
    else 'player'
  end
$function$;

CREATE OR REPLACE FUNCTION app.begin_admin_claim()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_hour_ago timestamptz := app.clock() - interval '1 hour';
  v_tries bigint;
  v_oldest timestamptz;
  v_claim_id uuid;
begin
  -- The stronger lock first: two claims that both hold the weaker one would deadlock.
  perform from public.profiles where id = v_user_id for update;
  perform app.active_user();
  select count(*), min(at) into v_tries, v_oldest
  from app.admin_claims where user_id = v_user_id and at > v_hour_ago;
  if v_tries >= app.setting('admin_claims_per_hour') then
    perform app.fail('rate_limited', jsonb_build_object(
      'retry_after', ceil(extract(epoch from v_oldest - v_hour_ago))));
  end if;
  insert into app.admin_claims (user_id) values (v_user_id) returning id into v_claim_id;
  return v_claim_id;
end
$function$;
grant execute on function app.begin_admin_claim() to authenticated;

CREATE OR REPLACE FUNCTION app.check_request()
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;
grant execute on function app.check_request() to anon;
grant execute on function app.check_request() to authenticated;
grant execute on function app.check_request() to service_role;

CREATE OR REPLACE FUNCTION app.claim_key(p_user_id uuid, p_endpoint text, p_key text, p_request jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_hash bytea := sha256(convert_to(p_request::text, 'utf8'));
  v_lease interval := make_interval(secs => app.setting('idempotency_lease_seconds'));
  v_row app.idempotency_keys;
begin
  if coalesce(length(p_key), 0) not between 1 and 255 then
    perform app.fail('idempotency_key_required');
  end if;
  insert into app.idempotency_keys (user_id, endpoint, key, request_hash, leased_until)
  values (p_user_id, p_endpoint, p_key, v_hash, app.clock() + v_lease)
  on conflict do nothing;
  if found then
    return null;
  end if;

  select * into v_row from app.idempotency_keys
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
  for update;
  if v_row.request_hash is distinct from v_hash then
    perform app.fail('idempotency_key_reused');
  end if;
  if v_row.answer is null and v_row.leased_until > app.clock() then
    perform app.fail('request_in_progress');
  end if;
  if v_row.answer is null then
    update app.idempotency_keys set leased_until = app.clock() + v_lease
    where user_id = p_user_id and endpoint = p_endpoint and key = p_key;
  end if;
  return v_row.answer;
end
$function$;

CREATE OR REPLACE FUNCTION app.clock()
 RETURNS timestamp with time zone
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select clock_timestamp()
$function$;

CREATE OR REPLACE FUNCTION app.describe_account()
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'profile', jsonb_build_object(
      'id', p.id, 'display_name', p.display_name, 'phone', p.phone, 'country', p.country,
      'birth_date', p.birth_date, 'locale', p.locale, 'preferences', p.preferences,
      'kyc_status', p.kyc_status, 'status', p.status, 'created_at', p.created_at),
    'roles', '["player"]'::jsonb || coalesce(
      (select jsonb_agg(role order by role) from public.user_roles where user_id = p.id), '[]'),
    'limits', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'kind', kind, 'period', period, 'currency', currency,
        'amount_cents', app.limit_in_force(l),
        'pending', case when pending_from > app.clock() then jsonb_build_object(
          'amount_cents', pending_amount_cents, 'effective_at', pending_from) end
      )) order by kind, period, currency)
      from public.play_limits l where user_id = p.id), '[]'),
    'self_excluded_until', case when p.self_excluded_until > app.clock() then p.self_excluded_until end
  )
  from public.profiles p where p.id = app.signed_in_user()
$function$;
grant execute on function app.describe_account() to authenticated;

CREATE OR REPLACE FUNCTION app.enforce_birth_date_lock()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if new.birth_date > (app.clock() at time zone 'utc')::date then
    perform app.fail('request_invalid', jsonb_build_object('issues', jsonb_build_array(
      jsonb_build_object('path', 'birth_date', 'message', 'must not be in the future'))));
  end if;
  if old.birth_date is not null and new.birth_date is distinct from old.birth_date
    and auth.uid() is not null and (new.id = auth.uid() or not app.has_role('operator'))
  then
    perform app.fail('birth_date_locked');
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.exclude_self(p_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
begin
  if p_until is null or p_until not between app.clock() and app.clock() + interval '100 years' then
    perform app.fail('request_invalid', jsonb_build_object('issues', jsonb_build_array(
      jsonb_build_object('path', 'until', 'message', 'must be within the next hundred years'))));
  end if;
  update public.profiles set self_excluded_until = p_until
  where id = v_user_id and (self_excluded_until is null or self_excluded_until <= p_until);
  if not found then
    perform app.fail('self_exclusion_locked');
  end if;
end
$function$;
grant execute on function app.exclude_self(p_until timestamp with time zone) to authenticated;

CREATE OR REPLACE FUNCTION app.fail(p_code text, p_context jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;
grant execute on function app.fail(p_code text, p_context jsonb) to anon;
grant execute on function app.fail(p_code text, p_context jsonb) to authenticated;
grant execute on function app.fail(p_code text, p_context jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.failing_jobs()
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION app.grant_admin_claim(p_claim_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
begin
  lock table public.user_roles in share row exclusive mode;
  update app.admin_claims set granted = true
  where id = p_claim_id and not granted and at > app.clock() - interval '1 minute'
  returning user_id into v_user_id;
  if not found then
    perform app.fail('not_permitted');
  end if;
  if exists (select from public.user_roles where role = 'admin') then
    perform app.fail('admin_exists');
  end if;
  insert into public.user_roles (user_id, role) values (v_user_id, 'admin');
end
$function$;
grant execute on function app.grant_admin_claim(p_claim_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.grant_role(p_user_id uuid, p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('admin');
  if not exists (select from public.profiles where id = p_user_id) then
    perform app.fail('user_not_found');
  end if;
  insert into public.user_roles (user_id, role) values (p_user_id, p_role)
  on conflict do nothing;
end
$function$;
grant execute on function app.grant_role(p_user_id uuid, p_role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION app.has_role(p_role public.staff_role)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select exists (
    select from public.user_roles r
    join public.profiles p on p.id = r.user_id
    where r.user_id = auth.uid() and r.role in (p_role, 'admin') and p.status = 'ACTIVE'
  )
$function$;
grant execute on function app.has_role(p_role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION app.limit_in_force(p_limit public.play_limits)
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select case when p_limit.pending_from <= app.clock() then p_limit.pending_amount_cents
    else p_limit.amount_cents end
$function$;

CREATE OR REPLACE FUNCTION app.make_profile(p_user_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into public.profiles (id, display_name, locale, country)
  select
    id,
    nullif(btrim(left(btrim(regexp_replace(
      coalesce(raw_user_meta_data ->> 'display_name', raw_user_meta_data ->> 'full_name'),
      '[\u0001-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]', '', 'g')), 80)), ''),
    coalesce(substring(raw_user_meta_data ->> 'locale' from '^(?:en|es|it)(?:-[A-Z]{2})?$'), 'en'),
    substring(raw_user_meta_data ->> 'country' from '^[A-Z]{2}$')
  from auth.users where id = p_user_id
  on conflict (id) do nothing
$function$;

CREATE OR REPLACE FUNCTION app.on_sign_up()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.make_profile(new.id);
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.purge()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.purge_idempotency_keys();
  select app.purge_rate_buckets();
$function$;

CREATE OR REPLACE FUNCTION app.purge_idempotency_keys()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    delete from app.idempotency_keys
    where created_at < app.clock() - make_interval(hours => app.setting('idempotency_retention_hours'))
    returning 1
  )
  select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION app.purge_rate_buckets()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    delete from app.rate_buckets b using app.rate_limits l
    where l.class = b.class and b.filled_at < app.clock() - make_interval(secs => 2 * l.per_seconds)
    returning 1
  )
  select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION app.record_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_before jsonb := v_old;
  v_after jsonb := v_new;
begin
  if tg_op = 'UPDATE' then
    select jsonb_object_agg(key, v_old -> key), jsonb_object_agg(key, v_new -> key)
    into v_before, v_after
    from jsonb_object_keys(v_new) as key
    where key <> 'updated_at' and v_old -> key is distinct from v_new -> key;
    if v_before is null then
      return null;
    end if;
  end if;
  insert into public.audit_log (actor_id, actor_kind, action, subject_table, subject_id, before, after)
  values (auth.uid(), app.actor_kind(), lower(tg_op), tg_table_name,
    coalesce(v_new, v_old) ->> tg_argv[0], v_before, v_after);
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'insufficient_privilege';
end
$function$;

CREATE OR REPLACE FUNCTION app.release_key(p_user_id uuid, p_endpoint text, p_key text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update app.idempotency_keys set leased_until = '-infinity'
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key and answer is null
$function$;

CREATE OR REPLACE FUNCTION app.report_health()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('time', app.clock(), 'failing_jobs', to_jsonb(app.failing_jobs()))
$function$;
grant execute on function app.report_health() to anon;
grant execute on function app.report_health() to authenticated;
grant execute on function app.report_health() to service_role;

CREATE OR REPLACE FUNCTION app.require_role(p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if not app.has_role(p_role) then
    perform app.fail('not_permitted');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.revoke_role(p_user_id uuid, p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('admin');
  lock table public.user_roles in share row exclusive mode;
  perform app.require_role('admin');
  delete from public.user_roles where user_id = p_user_id and role = p_role;
  if not exists (select from public.user_roles where role = 'admin') then
    perform app.fail('last_admin');
  end if;
end
$function$;
grant execute on function app.revoke_role(p_user_id uuid, p_role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION app.set_account_status(p_user_id uuid, p_status public.account_status)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('operator');
  if exists (select from public.user_roles where user_id = p_user_id) then
    perform app.require_role('admin');
  end if;
  if p_user_id = auth.uid() then
    perform app.fail('not_permitted');
  end if;
  update public.profiles set status = p_status where id = p_user_id;
  if not found then
    perform app.fail('user_not_found');
  end if;
end
$function$;
grant execute on function app.set_account_status(p_user_id uuid, p_status public.account_status) to authenticated;

CREATE OR REPLACE FUNCTION app.set_kyc_status(p_user_id uuid, p_status public.kyc_status)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('operator');
  if p_user_id = auth.uid() then
    perform app.fail('not_permitted');
  end if;
  update public.profiles set kyc_status = p_status where id = p_user_id;
  if not found then
    perform app.fail('user_not_found');
  end if;
end
$function$;
grant execute on function app.set_kyc_status(p_user_id uuid, p_status public.kyc_status) to authenticated;

CREATE OR REPLACE FUNCTION app.set_play_limit(p_kind public.limit_kind, p_period public.limit_period, p_amount_cents bigint, p_currency text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_raised_from timestamptz := app.clock() + make_interval(hours => app.setting('limit_raise_delay_hours'));
begin
  perform app.take_token('account', v_user_id);
  insert into public.play_limits as l (user_id, kind, period, currency, amount_cents)
  values (v_user_id, p_kind, p_period, p_currency, p_amount_cents)
  on conflict (user_id, kind, period, currency) do update set
    amount_cents = least(p_amount_cents, app.limit_in_force(l)),
    pending_amount_cents = case when p_amount_cents > app.limit_in_force(l) then p_amount_cents end,
    -- Asking for the same again does not make anybody wait longer.
    pending_from = case
      when p_amount_cents = l.pending_amount_cents and l.pending_from > app.clock() then l.pending_from
      when p_amount_cents > app.limit_in_force(l) then v_raised_from end;
end
$function$;
grant execute on function app.set_play_limit(p_kind public.limit_kind, p_period public.limit_period, p_amount_cents bigint, p_currency text) to authenticated;

CREATE OR REPLACE FUNCTION app.set_setting(p_name text, p_value integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_setting app.settings;
begin
  perform app.require_role('admin');
  select * into v_setting from app.settings where name = p_name for update;
  if not found then
    perform app.fail('setting_not_found');
  end if;
  if p_value is null or p_value not between v_setting.minimum and v_setting.maximum then
    perform app.fail('request_invalid', jsonb_build_object(
      'minimum', v_setting.minimum, 'maximum', v_setting.maximum));
  end if;
  update app.settings set value = p_value where name = p_name;
end
$function$;
grant execute on function app.set_setting(p_name text, p_value integer) to authenticated;

CREATE OR REPLACE FUNCTION app.setting(p_name text)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_value integer;
begin
  select value into strict v_value from app.settings where name = p_name;
  return v_value;
end
$function$;

CREATE OR REPLACE FUNCTION app.signed_in_user()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := auth.uid();
begin
  if not exists (select from public.profiles where id = v_user_id) then
    perform app.make_profile(v_user_id);
    if not exists (select from public.profiles where id = v_user_id) then
      perform app.fail('not_authenticated');
    end if;
  end if;
  return v_user_id;
end
$function$;
grant execute on function app.signed_in_user() to authenticated;

CREATE OR REPLACE FUNCTION app.store_answer(p_user_id uuid, p_endpoint text, p_key text, p_answer jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update app.idempotency_keys set answer = p_answer
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
  returning answer
$function$;

CREATE OR REPLACE FUNCTION app.take_token(p_class text, p_user_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := app.clock();
  v_limit app.rate_limits;
  v_tokens double precision;
  v_rate double precision;
begin
  select * into strict v_limit from app.rate_limits where class = p_class;
  v_rate := v_limit.burst::double precision / v_limit.per_seconds;

  insert into app.rate_buckets as b (class, subject, tokens, filled_at)
  values (p_class, p_user_id, v_limit.burst - 1, v_now)
  on conflict (class, subject) do update set
    tokens = least(v_limit.burst, b.tokens + v_rate * extract(epoch from greatest(v_now - b.filled_at, '0'))) - 1,
    filled_at = greatest(v_now, b.filled_at)
  returning tokens into v_tokens;

  if v_tokens < 0 then
    perform app.fail('rate_limited', jsonb_build_object('retry_after', ceil(-v_tokens / v_rate)));
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.touch_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.updated_at := now();
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.update_profile(p_changes jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_unknown text;
begin
  perform app.take_token('account', v_user_id);
  select key into v_unknown from jsonb_object_keys(p_changes) as key
  where key not in ('display_name', 'phone', 'country', 'birth_date', 'locale', 'preferences');
  if found then
    perform app.fail('request_invalid', jsonb_build_object('issues', jsonb_build_array(
      jsonb_build_object('path', v_unknown, 'message', 'cannot be set'))));
  end if;
  update public.profiles p set
    display_name = case when p_changes ? 'display_name' then btrim(p_changes ->> 'display_name') else p.display_name end,
    phone = case when p_changes ? 'phone' then p_changes ->> 'phone' else p.phone end,
    country = case when p_changes ? 'country' then p_changes ->> 'country' else p.country end,
    birth_date = case when p_changes ? 'birth_date' then (p_changes ->> 'birth_date')::date else p.birth_date end,
    locale = case when p_changes ? 'locale' then p_changes ->> 'locale' else p.locale end,
    preferences = p.preferences || coalesce(p_changes -> 'preferences', '{}')
  where p.id = v_user_id;
end
$function$;
grant execute on function app.update_profile(p_changes jsonb) to authenticated;

CREATE OR REPLACE FUNCTION public.begin_admin_claim()
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.begin_admin_claim() $function$;
grant execute on function public.begin_admin_claim() to authenticated;

CREATE OR REPLACE FUNCTION public.check_session()
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.signed_in_user() $function$;
grant execute on function public.check_session() to authenticated;

CREATE OR REPLACE FUNCTION public.exclude_self(until timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.exclude_self(until); select app.describe_account() $function$;
grant execute on function public.exclude_self(until timestamp with time zone) to authenticated;

CREATE OR REPLACE FUNCTION public.get_account()
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.describe_account() $function$;
grant execute on function public.get_account() to authenticated;

CREATE OR REPLACE FUNCTION public.grant_admin_claim(claim_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.grant_admin_claim(claim_id) $function$;
grant execute on function public.grant_admin_claim(claim_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.grant_role(user_id uuid, role public.staff_role)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.grant_role(user_id, role) $function$;
grant execute on function public.grant_role(user_id uuid, role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION public.report_health()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.report_health() $function$;
grant execute on function public.report_health() to anon;
grant execute on function public.report_health() to authenticated;
grant execute on function public.report_health() to service_role;

CREATE OR REPLACE FUNCTION public.revoke_role(user_id uuid, role public.staff_role)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.revoke_role(user_id, role) $function$;
grant execute on function public.revoke_role(user_id uuid, role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION public.set_account_status(user_id uuid, status public.account_status)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_account_status(user_id, status) $function$;
grant execute on function public.set_account_status(user_id uuid, status public.account_status) to authenticated;

CREATE OR REPLACE FUNCTION public.set_kyc_status(user_id uuid, status public.kyc_status)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_kyc_status(user_id, status) $function$;
grant execute on function public.set_kyc_status(user_id uuid, status public.kyc_status) to authenticated;

CREATE OR REPLACE FUNCTION public.set_play_limit(kind public.limit_kind, period public.limit_period, amount_cents bigint, currency text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.set_play_limit(kind, period, amount_cents, currency); select app.describe_account()
$function$;
grant execute on function public.set_play_limit(kind public.limit_kind, period public.limit_period, amount_cents bigint, currency text) to authenticated;

CREATE OR REPLACE FUNCTION public.set_setting(name text, value integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_setting(name, value) $function$;
grant execute on function public.set_setting(name text, value integer) to authenticated;

CREATE OR REPLACE FUNCTION public.update_account(changes jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.update_profile(changes); select app.describe_account() $function$;
grant execute on function public.update_account(changes jsonb) to authenticated;


-- Default privileges ----------------------------------------------------------------------------

alter default privileges for role postgres in schema public grant select, update, usage on sequences to postgres;

alter default privileges for role postgres grant execute on functions to postgres;

alter default privileges for role postgres in schema public grant execute on functions to postgres;

alter default privileges for role postgres in schema public grant delete, insert, references, select, trigger, truncate, update on tables to postgres;


-- Elsewhere: role settings, publications, jobs --------------------------------------------------

select cron.schedule('purge', '17 * * * *', 'select app.purge()'); -- as postgres

alter role anon set statement_timeout=3s;

alter role authenticated set statement_timeout=8s;

alter role authenticator set lock_timeout=8s;
alter role authenticator set pgrst.db_pre_request=app.check_request;
alter role authenticator set statement_timeout=8s;
