-- Admin: how the first admin comes to be, and what admins tune.

insert into app.error_codes (code, status) values
  ('admin_exists', 409),
  ('setting_not_found', 404);

insert into app.settings (name, value, minimum, maximum, description) values
  ('admin_claims_per_hour', 5, 1, 100, 'How often a user may try the admin secret within an hour.');

create table app.admin_claims (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id) on delete cascade,
  at timestamptz not null default clock_timestamp(),
  granted boolean not null default false
);
comment on table app.admin_claims is 'Every try to become the first admin, whatever became of it.';
create index admin_claims_user on app.admin_claims (user_id, at);

-- Records that the caller is about to show the admin secret; the function that knows the secret then
-- compares. Being a transaction of its own it counts tries that fail. Locks the caller's profile.
-- Raises not_authenticated, account_suspended, email_unverified, rate_limited.
create function app.begin_admin_claim() returns uuid
language plpgsql security definer set search_path = '' as $$
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
$$;

-- Makes whoever began the claim the first admin. Only the service role may call it, after it has
-- compared the secret; who the user is was fixed when the claim began. Locks user_roles, so that two
-- claims at once make one admin. Raises not_permitted, admin_exists.
create function app.grant_admin_claim(p_claim_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
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
$$;

-- Changes a setting within its range. Admins only; audited.
-- Raises not_permitted, setting_not_found, request_invalid.
create function app.set_setting(p_name text, p_value integer) returns void
language plpgsql security definer set search_path = '' as $$
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
$$;
