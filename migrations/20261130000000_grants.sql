-- Grants: the one page. What each role may do; what is not here nobody may.
-- Rows are narrowed further by the policies, and every function of app checks its caller itself.


-- Policies: which rows ------------------------------------------------------------------------

create policy "Users read their own profile, operators read all" on public.profiles
  for select to authenticated
  using (id = (select auth.uid()) or (select app.has_role('operator')));
create policy "Users change their own profile, operators change all" on public.profiles
  for update to authenticated
  using (id = (select auth.uid()) or (select app.has_role('operator')))
  with check (id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Users read their own roles, operators read all" on public.user_roles
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Users read their own limits, operators read all" on public.play_limits
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Admins read the audit log" on public.audit_log
  for select to authenticated
  using ((select app.has_role('admin')));


-- anon: whoever has the publishable key ---------------------------------------------------------

grant usage on schema app to anon;
grant execute on function app.check_request(), app.fail(text, jsonb), app.report_health() to anon;
grant execute on function public.report_health() to anon;
grant select on app.error_codes to anon;


-- authenticated: whoever is signed in ------------------------------------------------------------

grant usage on schema app to authenticated;
grant execute on function app.check_request(), app.fail(text, jsonb), app.report_health() to authenticated;
grant select on app.error_codes to authenticated;

grant select on public.profiles, public.user_roles, public.play_limits, public.audit_log to authenticated;
grant update (display_name, phone, country, birth_date, locale, preferences) on public.profiles to authenticated;

grant execute on function
  public.report_health(),
  public.check_session(),
  public.get_account(),
  public.update_account(jsonb),
  public.set_play_limit(public.limit_kind, public.limit_period, bigint, text),
  public.exclude_self(timestamptz),
  public.begin_admin_claim(),
  public.grant_role(uuid, public.staff_role),
  public.revoke_role(uuid, public.staff_role),
  public.set_account_status(uuid, public.account_status),
  public.set_kyc_status(uuid, public.kyc_status),
  public.set_setting(text, integer)
to authenticated;

grant execute on function
  app.has_role(public.staff_role),
  app.signed_in_user(),
  app.describe_account(),
  app.update_profile(jsonb),
  app.set_play_limit(public.limit_kind, public.limit_period, bigint, text),
  app.exclude_self(timestamptz),
  app.begin_admin_claim(),
  app.grant_role(uuid, public.staff_role),
  app.revoke_role(uuid, public.staff_role),
  app.set_account_status(uuid, public.account_status),
  app.set_kyc_status(uuid, public.kyc_status),
  app.set_setting(text, integer)
to authenticated;


-- service_role: our own functions, where a user cannot be the one who acts ------------------------

grant usage on schema app to service_role;
grant execute on function app.check_request(), app.fail(text, jsonb), app.report_health() to service_role;
grant select on app.error_codes to service_role;

-- Reading, for tools that hold the secret key; writing goes through functions for it as for everybody.
grant select on public.profiles, public.user_roles, public.play_limits, public.audit_log to service_role;

grant execute on function
  public.report_health(),
  public.grant_admin_claim(uuid)
to service_role;
grant execute on function app.grant_admin_claim(uuid) to service_role;


-- A running PostgREST reads its settings (foundation) and this schema again.
notify pgrst, 'reload config';
notify pgrst, 'reload schema';
