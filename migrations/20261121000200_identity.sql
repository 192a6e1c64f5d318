-- Identity: profiles, roles, account status. Auth owns auth.users; what the product knows
-- of a person beside the e-mail address and the password is here.

insert into app.error_codes (code, status) values
  ('account_suspended', 403),
  ('email_unverified', 403),
  ('user_not_found', 404),
  ('birth_date_locked', 409),
  ('last_admin', 409);

create type public.account_status as enum ('ACTIVE', 'SUSPENDED', 'DEACTIVATED');
create type public.kyc_status as enum ('NONE', 'PENDING', 'VERIFIED', 'REJECTED');
create type public.staff_role as enum ('operator', 'admin');


-- Profiles ------------------------------------------------------------------------------------

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  display_name text,
  phone text,
  country char(2),
  birth_date date,
  locale text not null default 'en',
  preferences jsonb not null default '{}',
  kyc_status public.kyc_status not null default 'NONE',
  status public.account_status not null default 'ACTIVE',
  self_excluded_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint profiles_display_name check (app.is_name(display_name, 80)),
  constraint profiles_phone check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  constraint profiles_country check (country ~ '^[A-Z]{2}$'),
  constraint profiles_birth_date check (birth_date >= date '1900-01-01'),
  constraint profiles_locale check (locale ~ '^(en|es|it)(-[A-Z]{2})?$'),
  constraint profiles_preferences check (jsonb_typeof(preferences) = 'object' and length(preferences::text) <= 8192
    and not preferences @? 'strict $.channels.keyvalue().value ? (@.type() != "boolean")')
);
comment on table public.profiles is 'One row for each user, made when the user signs up.';
comment on column public.profiles.phone is 'E.164, for example +34600111222.';
comment on column public.profiles.locale is 'A language we speak, perhaps with a country: es or es-CO.';
comment on column public.profiles.birth_date is 'Unknown counts as a minor. Once set, only operators change it.';
comment on column public.profiles.preferences is 'Free-form; known keys: channels, marketing.';
comment on column public.profiles.self_excluded_until is 'No play before this moment. It can be moved later, never earlier.';

alter table public.profiles enable row level security;

-- Makes the profile of a user unless it is there. What the sign-up form sent along is taken where it
-- is valid and ignored where it is not: a bad phone number must not stop a sign-up.
-- Called on sign-up and, to heal a lost one, by app.signed_in_user(). Locks nothing.
create function app.make_profile(p_user_id uuid) returns void
language sql security definer set search_path = '' as $$
  insert into public.profiles (id, display_name, locale, country)
  select
    id,
    case when app.is_name(name, 80) then name end,
    coalesce(substring(raw_user_meta_data ->> 'locale' from '^(?:en|es|it)(?:-[A-Z]{2})?$'), 'en'),
    substring(raw_user_meta_data ->> 'country' from '^[A-Z]{2}$')
  from auth.users, lateral (select btrim(left(btrim(regexp_replace(
    coalesce(raw_user_meta_data ->> 'display_name', raw_user_meta_data ->> 'full_name'),
    '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]', '', 'g')), 80)) as name) given
  where id = p_user_id
  on conflict (id) do nothing
$$;

create function app.on_sign_up() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform app.make_profile(new.id);
  return new;
end
$$;
create trigger make_profile after insert on auth.users
  for each row execute function app.on_sign_up();

create function app.touch_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := now();
  return new;
end
$$;
create trigger touch_updated_at before update on public.profiles
  for each row execute function app.touch_updated_at();


-- Roles -----------------------------------------------------------------------------------------

create table public.user_roles (
  user_id uuid not null references public.profiles (id) on delete cascade,
  role public.staff_role not null,
  granted_at timestamptz not null default now(),
  primary key (user_id, role)
);
comment on table public.user_roles is
  'Who works here. Everybody is a player; an admin may do all that an operator may. Roles are never '
  'read from a token, so that taking one away works at once.';

alter table public.user_roles enable row level security;

-- Whether the caller holds the role and is active. Usable in policies by every role.
create function app.has_role(p_role public.staff_role) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select from public.user_roles r
    join public.profiles p on p.id = r.user_id
    where r.user_id = auth.uid() and r.role in (p_role, 'admin') and p.status = 'ACTIVE'
  )
$$;

-- Called first by what only staff may do. Raises not_permitted.
create function app.require_role(p_role public.staff_role) returns void
language plpgsql stable set search_path = '' as $$
begin
  if not app.has_role(p_role) then
    perform app.fail('not_permitted');
  end if;
end
$$;

-- Called first by what staff may do to another person. Nobody acts on their own account that way, and
-- on that of staff only admins do.
-- Raises not_permitted, user_not_found.
create function app.require_power_over(p_user_id uuid, p_role public.staff_role) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_role(p_role);
  if exists (select from public.user_roles where user_id = p_user_id) then
    perform app.require_role('admin');
  end if;
  if p_user_id = auth.uid() then
    perform app.fail('not_permitted');
  end if;
  if not exists (select from public.profiles where id = p_user_id) then
    perform app.fail('user_not_found');
  end if;
end
$$;

-- Gives a user a role; giving it twice changes nothing. Admins only.
-- Raises not_permitted, user_not_found.
create function app.grant_role(p_user_id uuid, p_role public.staff_role) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_role('admin');
  if not exists (select from public.profiles where id = p_user_id) then
    perform app.fail('user_not_found');
  end if;
  insert into public.user_roles (user_id, role) values (p_user_id, p_role)
  on conflict do nothing;
end
$$;

-- Takes a role away; the last admin stays. Admins only. Locks user_roles against other revocations.
-- Raises not_permitted, last_admin.
create function app.revoke_role(p_user_id uuid, p_role public.staff_role) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_role('admin');
  lock table public.user_roles in share row exclusive mode;
  perform app.require_role('admin');
  delete from public.user_roles where user_id = p_user_id and role = p_role;
  if not exists (select from public.user_roles where role = 'admin') then
    perform app.fail('last_admin');
  end if;
end
$$;


-- Who is calling -----------------------------------------------------------------------------------

-- The caller's id; makes a lost profile anew. Called first by what needs a user.
-- Raises not_authenticated (no user, or one that has been deleted).
create function app.signed_in_user() returns uuid
language plpgsql security definer set search_path = '' as $$
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
$$;

-- Makes what one person buys, and what decides whether they may, come one after another. Called before
-- any other lock is taken. Returns the id, as others do that check something about it: to plpgsql a call
-- that is assigned is cheaper than one that is performed.
create function app.take_turn(p_user_id uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(uuid_hash_extended(p_user_id, 1));
  return p_user_id;
end
$$;

-- The caller's id, if the account is active and its e-mail address verified: called first by what
-- moves money or tickets. Locks the profile in share mode, so that a suspension waits for what is
-- under way and nothing begins after it. Raises not_authenticated, account_suspended, email_unverified.
create function app.active_user() returns uuid
language plpgsql security definer set search_path = '' as $$
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
$$;


-- The account -----------------------------------------------------------------------------------

-- Once set, a birth date is a fact about a person: nobody changes their own, operators change others'.
-- Raises birth_date_locked.
create function app.enforce_birth_date_lock() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.birth_date > (app.clock() at time zone 'utc')::date then
    perform app.fail_field('birth_date', 'must not be in the future');
  end if;
  if old.birth_date is not null and new.birth_date is distinct from old.birth_date
    and auth.uid() is not null and (new.id = auth.uid() or not app.has_role('operator'))
  then
    perform app.fail('birth_date_locked');
  end if;
  return new;
end
$$;
create trigger enforce_birth_date_lock before update of birth_date on public.profiles
  for each row execute function app.enforce_birth_date_lock();

-- Preferences key by key, and of the channels each by itself: who says no to one has not said anything about
-- the others.
create function app.merge_preferences(p_old jsonb, p_new jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select p_old || p_new || case
    when jsonb_typeof(p_old -> 'channels') = 'object' and jsonb_typeof(p_new -> 'channels') = 'object'
    then jsonb_build_object('channels', (p_old -> 'channels') || (p_new -> 'channels')) else '{}' end
$$;

-- Changes the caller's own profile: only the keys that are given, only these; preferences key by key.
-- Raises not_authenticated, rate_limited, request_invalid, birth_date_locked.
create function app.update_profile(p_changes jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_unknown text;
begin
  perform app.take_token('account', v_user_id);
  select key into v_unknown from jsonb_object_keys(p_changes) as key
  where key not in ('display_name', 'phone', 'country', 'birth_date', 'locale', 'preferences');
  if found then
    perform app.fail_field(v_unknown, 'cannot be set');
  end if;
  update public.profiles p set
    display_name = case when p_changes ? 'display_name' then btrim(p_changes ->> 'display_name') else p.display_name end,
    phone = case when p_changes ? 'phone' then p_changes ->> 'phone' else p.phone end,
    country = case when p_changes ? 'country' then p_changes ->> 'country' else p.country end,
    birth_date = case when p_changes ? 'birth_date' then (p_changes ->> 'birth_date')::date else p.birth_date end,
    locale = case when p_changes ? 'locale' then p_changes ->> 'locale' else p.locale end,
    preferences = app.merge_preferences(p.preferences, coalesce(p_changes -> 'preferences', '{}'))
  where p.id = v_user_id;
end
$$;

-- Suspends, deactivates or reactivates somebody; their history stays. Operators; for staff, admins.
-- Waits for what the user has under way. Raises not_permitted, user_not_found.
create function app.set_account_status(p_user_id uuid, p_status public.account_status) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_power_over(p_user_id, 'operator');
  perform app.take_turn(p_user_id);
  update public.profiles set status = p_status where id = p_user_id;
end
$$;

-- Records what a check of somebody else's identity found. Operators; for staff, admins.
-- Raises not_permitted, user_not_found.
create function app.set_kyc_status(p_user_id uuid, p_status public.kyc_status) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_power_over(p_user_id, 'operator');
  update public.profiles set kyc_status = p_status where id = p_user_id;
end
$$;
