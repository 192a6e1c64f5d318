-- The API: what clients may call. Thin functions that run as their caller and hand over to app, whose
-- headers say what each guarantees and raises.

create function public.get_account() returns jsonb
language sql set search_path = '' as $$ select app.describe_account() $$;

create function public.update_account(changes jsonb) returns jsonb
language sql set search_path = '' as $$ select app.update_profile(changes); select app.describe_account() $$;

create function public.set_play_limit(kind public.limit_kind, period public.limit_period, amount_cents bigint, currency text)
returns jsonb language sql set search_path = '' as $$
  select app.set_play_limit(kind, period, amount_cents, currency); select app.describe_account()
$$;

create function public.exclude_self(until timestamptz) returns jsonb
language sql set search_path = '' as $$ select app.exclude_self(until); select app.describe_account() $$;

create function public.grant_role(user_id uuid, role public.staff_role) returns void
language sql set search_path = '' as $$ select app.grant_role(user_id, role) $$;

create function public.revoke_role(user_id uuid, role public.staff_role) returns void
language sql set search_path = '' as $$ select app.revoke_role(user_id, role) $$;

create function public.set_account_status(user_id uuid, status public.account_status) returns void
language sql set search_path = '' as $$ select app.set_account_status(user_id, status) $$;

create function public.set_kyc_status(user_id uuid, status public.kyc_status) returns void
language sql set search_path = '' as $$ select app.set_kyc_status(user_id, status) $$;

create function public.set_setting(name text, value integer) returns void
language sql set search_path = '' as $$ select app.set_setting(name, value) $$;

create function public.begin_admin_claim() returns uuid
language sql set search_path = '' as $$ select app.begin_admin_claim() $$;

create function public.grant_admin_claim(claim_id uuid) returns void
language sql set search_path = '' as $$ select app.grant_admin_claim(claim_id) $$;

create function public.check_session() returns void
language sql set search_path = '' as $$ select app.signed_in_user() $$;

create function public.report_health() returns jsonb
language sql stable set search_path = '' as $$ select app.report_health() $$;
