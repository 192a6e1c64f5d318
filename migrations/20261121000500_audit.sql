-- Audit: what operators and admins change is recorded, by trigger, for ever.

create table public.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor_id uuid,
  actor_kind text not null,
  action text not null,
  subject_table text not null,
  subject_id text not null,
  before jsonb,
  after jsonb
);
comment on table public.audit_log is
  'Who changed what; before and after hold only the columns that differ. Admins read it, nobody edits it.';
comment on column public.audit_log.actor_kind is 'admin, operator, player, or the database role that acted without a user.';
create index audit_log_subject on public.audit_log (subject_table, subject_id);
create index audit_log_actor on public.audit_log (actor_id);

alter table public.audit_log enable row level security;
create trigger refuse_change before update or delete or truncate on public.audit_log
  for each statement execute function app.refuse_change();

-- Records a row's change. Attached to each table that staff may change, with the name of its key.
create function app.record_change() returns trigger
language plpgsql security definer set search_path = '' as $$
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
$$;

create function app.actor_kind() returns text
language sql stable security definer set search_path = '' as $$
  select case
    when auth.uid() is null then coalesce(nullif(current_setting('role', true), 'none'), session_user::text)
    when app.has_role('admin') then 'admin'
    when app.has_role('operator') then 'operator'
    else 'player'
  end
$$;

create trigger record_change after insert or update or delete on public.user_roles
  for each row execute function app.record_change('user_id');
create trigger record_change after insert or update or delete on app.settings
  for each row execute function app.record_change('name');
create trigger record_change after insert or update or delete on app.rate_limits
  for each row execute function app.record_change('class');
-- What people change in their own profile is theirs; what somebody else changes in it is recorded.
create trigger record_change after update on public.profiles
  for each row when (auth.uid() is distinct from new.id)
  execute function app.record_change('id');
