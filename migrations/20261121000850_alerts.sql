-- Alerts: what the product cannot decide by itself and a person must look at.

insert into app.error_codes (code, status) values
  ('alert_not_found', 404);

create table public.operator_alerts (
  id bigint generated always as identity primary key,
  kind text not null,
  subject text not null,
  details jsonb not null default '{}',
  times integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  resolved_at timestamptz,
  resolved_by uuid references public.profiles (id) on delete set null
);
comment on table public.operator_alerts is
  'One open row for each thing that is wrong, however often it is noticed. Operators read and resolve.';
create unique index operator_alerts_open on public.operator_alerts (kind, subject) where resolved_at is null;
create index operator_alerts_resolved_by on public.operator_alerts (resolved_by);

alter table public.operator_alerts enable row level security;

-- Tells the operators. Noticing the same again counts up and keeps the newest details.
-- Called by functions of app.
create function app.alert_operators(p_kind text, p_subject text, p_details jsonb default '{}') returns void
language sql security definer set search_path = '' as $$
  insert into public.operator_alerts as a (kind, subject, details)
  values (p_kind, p_subject, p_details)
  on conflict (kind, subject) where resolved_at is null
  do update set times = a.times + 1, details = excluded.details
$$;

-- Closes an alert. Operators. Raises not_permitted, alert_not_found.
create function app.resolve_alert(p_alert_id bigint) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform app.require_role('operator');
  update public.operator_alerts set resolved_at = app.clock(), resolved_by = auth.uid()
  where id = p_alert_id and resolved_at is null;
  if not found then
    perform app.fail('alert_not_found');
  end if;
end
$$;

create trigger record_change after update of resolved_at on public.operator_alerts
  for each row execute function app.record_change('id');
