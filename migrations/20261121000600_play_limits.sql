-- Play limits: what people impose on themselves. Stricter at once, looser only after a day.

insert into app.error_codes (code, status) values
  ('self_exclusion_locked', 409);

insert into app.settings (name, value, minimum, maximum, description) values
  ('limit_raise_delay_hours', 24, 24, 720, 'How long after it was asked for a raised limit takes effect.');

create type public.limit_kind as enum ('spend', 'deposit');
create type public.limit_period as enum ('day', 'week', 'month');

create table public.play_limits (
  user_id uuid not null references public.profiles (id) on delete cascade,
  kind public.limit_kind not null,
  period public.limit_period not null,
  currency char(3) not null references public.currencies (code),
  amount_cents bigint not null check (amount_cents >= 0),
  pending_amount_cents bigint check (pending_amount_cents > amount_cents),
  pending_from timestamptz,
  primary key (user_id, kind, period, currency),
  constraint play_limits_pending check ((pending_amount_cents is null) = (pending_from is null))
);
comment on table public.play_limits is
  'A person''s own limits. A pending amount replaces the amount at pending_from.';

create index play_limits_currency on public.play_limits (currency);

alter table public.play_limits enable row level security;

-- The limit that holds at this moment.
create function app.limit_in_force(p_limit public.play_limits) returns bigint
language sql volatile set search_path = '' as $$
  select case when p_limit.pending_from <= app.clock() then p_limit.pending_amount_cents
    else p_limit.amount_cents end
$$;

-- How far back a period looks from now.
create function app.length_of(p_period public.limit_period) returns interval
language sql immutable set search_path = '' as $$
  select case p_period when 'day' then interval '24 hours' when 'week' then interval '7 days' else interval '30 days' end
$$;

-- Sets one of the caller's limits: a first or a lower one at once, a higher one after the delay.
-- Takes the caller's turn; locks the row of that limit. Raises not_authenticated, rate_limited, request_invalid.
create function app.set_play_limit(
  p_kind public.limit_kind, p_period public.limit_period, p_amount_cents bigint, p_currency text
) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
  v_raised_from timestamptz := app.clock() + make_interval(hours => app.setting('limit_raise_delay_hours'));
  v_before public.play_limits;
  v_limit public.play_limits;
begin
  perform app.take_turn(v_user_id);
  perform app.take_token('account', v_user_id);
  perform app.require_currency(p_currency);
  select * into v_before from public.play_limits
  where user_id = v_user_id and kind = p_kind and period = p_period and currency = p_currency;
  insert into public.play_limits as l (user_id, kind, period, currency, amount_cents)
  values (v_user_id, p_kind, p_period, p_currency, p_amount_cents)
  on conflict (user_id, kind, period, currency) do update set
    amount_cents = least(p_amount_cents, app.limit_in_force(l)),
    pending_amount_cents = case when p_amount_cents > app.limit_in_force(l) then p_amount_cents end,
    -- Asking for the same again does not make anybody wait longer.
    pending_from = case
      when p_amount_cents = l.pending_amount_cents and l.pending_from > app.clock() then l.pending_from
      when p_amount_cents > app.limit_in_force(l) then v_raised_from end
  returning * into v_limit;
  if v_limit is not distinct from v_before then
    return; -- what was asked for is what there is
  end if;
  perform app.tell('limits_changed', v_user_id, null, jsonb_build_object('kind', p_kind, 'period', p_period,
    'pending_amount', app.decimal_of(v_limit.pending_amount_cents, p_currency), 'pending_from', v_limit.pending_from)
    || app.money_of(app.limit_in_force(v_limit), p_currency));
end
$$;

-- Excludes the caller from play until a moment; it can be made later, never earlier.
-- Takes the caller's turn, and so waits for what they have under way; locks their profile. Nothing limits how often:
-- nobody who wants to stop shall be told to wait.
-- Raises not_authenticated, request_invalid, self_exclusion_locked.
create function app.exclude_self(p_until timestamptz) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := app.signed_in_user();
begin
  if p_until is null or p_until not between app.clock() and app.clock() + interval '100 years' then
    perform app.fail_field('until', 'must be within the next hundred years');
  end if;
  perform app.take_turn(v_user_id);
  update public.profiles set self_excluded_until = p_until
  where id = v_user_id and (self_excluded_until is null or self_excluded_until <= p_until);
  if not found then
    perform app.fail('self_exclusion_locked');
  end if;
  perform app.tell('self_excluded', v_user_id, null, jsonb_build_object('until', p_until));
end
$$;

-- The caller's account as the API shows it. Raises not_authenticated.
create function app.describe_account() returns jsonb
language sql security definer set search_path = '' as $$
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
$$;
