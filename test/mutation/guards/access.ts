// Access: policies, grants, roles, tokens, and what a request may say.
import type { Guard } from "../guard.ts";

export const access: Guard[] = [
  {
    name: "people read their own profile alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.profiles
  for select to authenticated
  using (id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.profiles
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own roles alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.user_roles
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.user_roles
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own limits alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.play_limits
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.play_limits
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own wallets alone",
    file: "migrations/20261130000000_grants.sql",
    from:
      "  using (user_id = (select auth.uid()) and kind = 'USER' or (select app.has_role('operator')));",
    to: "  using (true);",
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "what people owe us they do not read as a wallet",
    file: "migrations/20261130000000_grants.sql",
    from: "  using (user_id = (select auth.uid()) and kind = 'USER' or",
    to: "  using (user_id = (select auth.uid()) or",
    test: "test/sql/wallet.test.ts",
    noticed: "what people owe us is no wallet of theirs",
  },
  {
    name: "people read their own entries of the ledger alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.wallet_ledger
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.wallet_ledger
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own holds alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.wallet_holds
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.wallet_holds
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own top-ups alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.wallet_topups
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.wallet_topups
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own withdrawals alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.wallet_withdrawals
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.wallet_withdrawals
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own purchases alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.purchases
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.purchases
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people read their own tickets alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.tickets
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.tickets
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "winners read their own claims alone",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.prize_claims
  for select to authenticated using (user_id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `on public.prize_claims
  for select to authenticated using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "people change their own profile alone",
    file: "migrations/20261130000000_grants.sql",
    from: `  using (id = (select auth.uid()) or (select app.has_role('operator')))
  with check (id = (select auth.uid()) or (select app.has_role('operator')));`,
    to: `  using (true)
  with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "changes the columns and rows that are written down and no others",
  },
  {
    name: "drafts are for operators",
    file: "migrations/20261130000000_grants.sql",
    from: "using (published_at is not null or (select app.has_role('operator')));",
    to: "using (true);",
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "drafts are not for strangers",
    file: "migrations/20261130000000_grants.sql",
    from: "for select to anon using (published_at is not null);",
    to: "for select to anon using (true);",
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "operators add prizes",
    file: "migrations/20261130000000_grants.sql",
    from: `create policy "Operators add prizes" on public.prizes
  for insert to authenticated with check ((select app.has_role('operator')));`,
    to: `create policy "Operators add prizes" on public.prizes
  for insert to authenticated with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "adds the rows that are written down and no others",
  },
  {
    name: "operators change prizes",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators change prizes" on public.prizes
  for update to authenticated using ((select app.has_role('operator'))) with check ((select app.has_role('operator')));`,
    to: `"Operators change prizes" on public.prizes
  for update to authenticated using (true) with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "changes the columns and rows that are written down and no others",
  },
  {
    name: "operators delete prizes",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators delete prizes" on public.prizes
  for delete to authenticated using ((select app.has_role('operator')));`,
    to: `"Operators delete prizes" on public.prizes
  for delete to authenticated using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "deletes the rows that are written down and no others",
  },
  {
    name: "operators add categories",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators add categories" on public.raffle_categories
  for insert to authenticated with check ((select app.has_role('operator')));`,
    to: `"Operators add categories" on public.raffle_categories
  for insert to authenticated with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "adds the rows that are written down and no others",
  },
  {
    name: "operators change categories",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators change categories" on public.raffle_categories
  for update to authenticated using ((select app.has_role('operator'))) with check ((select app.has_role('operator')));`,
    to: `"Operators change categories" on public.raffle_categories
  for update to authenticated using (true) with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "changes the columns and rows that are written down and no others",
  },
  {
    name: "operators delete categories",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators delete categories" on public.raffle_categories
  for delete to authenticated using ((select app.has_role('operator')));`,
    to: `"Operators delete categories" on public.raffle_categories
  for delete to authenticated using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "deletes the rows that are written down and no others",
  },
  {
    name: "operators add raffles",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators add raffles" on public.raffles
  for insert to authenticated with check ((select app.has_role('operator')));`,
    to: `"Operators add raffles" on public.raffles
  for insert to authenticated with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "adds the rows that are written down and no others",
  },
  {
    name: "operators change raffles",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators change raffles" on public.raffles
  for update to authenticated using ((select app.has_role('operator'))) with check ((select app.has_role('operator')));`,
    to: `"Operators change raffles" on public.raffles
  for update to authenticated using (true) with check (true);`,
    test: "test/security/rows.test.ts",
    noticed: "changes the columns and rows that are written down and no others",
  },
  {
    name: "operators delete drafts",
    file: "migrations/20261130000000_grants.sql",
    from: `"Operators delete drafts" on public.raffles
  for delete to authenticated using ((select app.has_role('operator')));`,
    to: `"Operators delete drafts" on public.raffles
  for delete to authenticated using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "deletes the rows that are written down and no others",
  },
  {
    name: "jobs are for operators",
    file: "migrations/20261130000000_grants.sql",
    from:
      "\"Operators read jobs\" on public.jobs for select to authenticated using ((select app.has_role('operator')));",
    to: '"Operators read jobs" on public.jobs for select to authenticated using (true);',
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "notifications are for operators",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.notifications
  for select to authenticated using ((select app.has_role('operator')));`,
    to: `on public.notifications
  for select to authenticated using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "the house's balances are for operators",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.house_balances
  for select to authenticated using ((select app.has_role('operator')));`,
    to: `on public.house_balances
  for select to authenticated using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "alerts are for operators",
    file: "migrations/20261130000000_grants.sql",
    from: `on public.operator_alerts
  for select to authenticated
  using ((select app.has_role('operator')));`,
    to: `on public.operator_alerts
  for select to authenticated
  using (true);`,
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "the audit log is for admins",
    file: "migrations/20261130000000_grants.sql",
    from: "  using ((select app.has_role('admin')));",
    to: "  using ((select app.has_role('operator')));",
    test: "test/security/rows.test.ts",
    noticed: "sees the rows that are written down and no others",
  },
  {
    name: "strangers read no profiles",
    file: "migrations/20261130000000_grants.sql",
    from:
      `grant select on public.currencies, public.prizes, public.raffle_categories, public.lotteries, public.raffles,
  public.draws,`,
    to:
      `grant select on public.currencies, public.profiles, public.prizes, public.raffle_categories, public.lotteries, public.raffles,
  public.draws,`,
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody writes the ledger by table",
    file: "migrations/20261130000000_grants.sql",
    from: "grant update (display_name, phone,",
    to: `grant insert on public.wallet_ledger to authenticated;
grant update (display_name, phone,`,
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody writes a balance by table",
    file: "migrations/20261130000000_grants.sql",
    from: "grant update (display_name, phone,",
    to: `grant update (balance_cents) on public.wallet_accounts to authenticated;
grant update (display_name, phone,`,
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody issues a ticket by table",
    file: "migrations/20261130000000_grants.sql",
    from: "grant update (display_name, phone,",
    to: `grant insert on public.tickets to authenticated;
grant update (display_name, phone,`,
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody verifies an identity by table",
    file: "migrations/20261130000000_grants.sql",
    from: "grant update (display_name, phone, country, birth_date, locale, preferences)",
    to: "grant update (display_name, phone, country, birth_date, locale, preferences, kyc_status)",
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody takes a role by table",
    file: "migrations/20261130000000_grants.sql",
    from: "grant update (display_name, phone,",
    to: `grant insert on public.user_roles to authenticated;
grant update (display_name, phone,`,
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody publishes by table",
    file: "migrations/20261130000000_grants.sql",
    from: "grant insert (prize_id, category_id,",
    to: "grant insert (state, prize_id, category_id,",
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "the service role writes by functions alone",
    file: "migrations/20261130000000_grants.sql",
    from: "-- Reading, for tools that hold the secret key;",
    to: `grant update on public.wallet_accounts to service_role;
-- Reading, for tools that hold the secret key;`,
    test: "test/security/access-matrix.test.ts",
    noticed: "nobody has more rights, or fewer, than is written down",
  },
  {
    name: "nobody but our functions says what Stripe said",
    file: "migrations/20261130000000_grants.sql",
    from: `  public.report_health(),
  public.check_session(),`,
    to: `  public.report_health(),
  public.receive_stripe_event(jsonb),
  public.check_session(),`,
    test: "test/security/access-matrix.test.ts",
    noticed: "to execute",
  },
  {
    name: "nobody but our functions grants the first admin",
    file: "migrations/20261130000000_grants.sql",
    from: `  public.report_health(),
  public.check_session(),`,
    to: `  public.report_health(),
  public.grant_admin_claim(uuid),
  public.check_session(),`,
    test: "test/security/access-matrix.test.ts",
    noticed: "to execute",
  },
  {
    name: "nobody but our functions draws",
    file: "migrations/20261130000000_grants.sql",
    from: `  public.report_health(),
  public.check_session(),`,
    to: `  public.report_health(),
  public.draw_raffle(uuid, bigint, text, text),
  public.check_session(),`,
    test: "test/security/access-matrix.test.ts",
    noticed: "to execute",
  },
  {
    name: "nobody calls what moves money",
    file: "migrations/20261130000000_grants.sql",
    from: `grant execute on function
  app.has_role(public.staff_role),`,
    to: `grant execute on function
  app.post_transaction(public.ledger_reason, app.posting[], uuid, uuid, uuid, uuid, text, text, bigint[], boolean),
  app.has_role(public.staff_role),`,
    test: "test/security/access-matrix.test.ts",
    noticed: "functions",
  },
  {
    name: "nothing is executable by everybody",
    file: "migrations/20261121000100_foundation.sql",
    from: `alter default privileges revoke execute on functions from public;
`,
    to: "",
    test: "test/security/access-matrix.test.ts",
    noticed: "no function is executable by PUBLIC",
  },
  {
    name: "a table that a later migration forgets to protect is closed",
    file: "migrations/20261121000100_foundation.sql",
    from:
      `alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
`,
    to: "",
    test: "test/sql/foundation.test.ts",
    noticed: "what a later migration forgets to protect is closed all the same",
  },
  {
    name: "a function that a later migration forgets to protect is closed",
    file: "migrations/20261121000100_foundation.sql",
    from:
      `alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
`,
    to: "",
    test: "test/sql/foundation.test.ts",
    noticed: "what a later migration forgets to protect is closed all the same",
  },
  {
    name: "a sequence that a later migration forgets to protect is closed",
    file: "migrations/20261121000100_foundation.sql",
    from:
      `alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
`,
    to: "",
    test: "test/sql/foundation.test.ts",
    noticed: "what a later migration forgets to protect is closed all the same",
  },
  {
    name: "a token names a user",
    file: "migrations/20261121000100_foundation.sql",
    from:
      `  if coalesce(v_claims ->> 'sub', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    or not`,
    to: "  if not",
    test: "test/security/tokens.test.ts",
    noticed: "a token is refused with 401 by functions and by the data API when it is",
  },
  {
    name: "a token is made for us",
    file: "migrations/20261121000100_foundation.sql",
    from: `
    or not coalesce(v_claims -> 'aud' @> '"authenticated"', false)`,
    to: "",
    test: "test/security/tokens.test.ts",
    noticed: "a token is refused with 401 by functions and by the data API when it is",
  },
  {
    name: "every request is checked",
    file: "migrations/20261121000100_foundation.sql",
    from: "alter role authenticator set pgrst.db_pre_request = 'app.check_request';",
    to: "",
    test: "test/security/tokens.test.ts",
    noticed: "a token is refused with 401 by functions and by the data API when it is",
  },
  {
    name: "a setting stays within its range",
    file: "migrations/20261121000100_foundation.sql",
    from: "  constraint settings_in_range check (value between minimum and maximum)",
    to: "  constraint settings_in_range check (true)",
    test: "test/sql/foundation.test.ts",
    noticed: "a setting stays within its range and is read by name",
  },
  {
    name: "a deadline holds for who had to wait",
    file: "migrations/20261121000100_foundation.sql",
    from: `  select clock_timestamp()
`,
    to: `  select now()
`,
    test: "test/sql/foundation.test.ts",
    noticed: "the clock goes on within a transaction: a deadline holds for who had to wait",
  },
  {
    name: "a code that is not in the table is no answer",
    file: "migrations/20261121000100_foundation.sql",
    from: `  if v_status is null then
    raise exception 'app.fail: unknown error code %', p_code;
  end if;
`,
    to: "",
    test: "test/sql/foundation.test.ts",
    noticed: "a code that is not in the table is a mistake of ours, not an answer",
  },
  {
    name: "staff who are suspended have no power",
    file: "migrations/20261121000200_identity.sql",
    from: ` and p.status = 'ACTIVE'
  )`,
    to: `
  )`,
    test: "test/functions/admin.test.ts",
    noticed:
      "an operator suspends players, not staff and not themselves; a suspended admin has no power",
  },
  {
    name: "an operator is no admin",
    file: "migrations/20261121000200_identity.sql",
    from: "r.role in (p_role, 'admin')",
    to: "r.role in ('operator', 'admin')",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "staff power is asked for",
    file: "migrations/20261121000200_identity.sql",
    from: "  if not app.has_role(p_role) then",
    to: "  if false then",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "on staff only admins act",
    file: "migrations/20261121000200_identity.sql",
    from: `    perform app.require_role('admin');
  end if;
  if`,
    to: `    null;
  end if;
  if`,
    test: "test/functions/admin.test.ts",
    noticed:
      "an operator suspends players, not staff and not themselves; a suspended admin has no power",
  },
  {
    name: "who may act is active",
    file: "migrations/20261121000200_identity.sql",
    from: "  if v_status <> 'ACTIVE' then",
    to: "  if false then",
    test: "test/functions/admin.test.ts",
    noticed:
      "a deactivated user may do nothing that moves money, keeps the history, and can come back",
  },
  {
    name: "who may act has a verified address",
    file: "migrations/20261121000200_identity.sql",
    from:
      "  if not exists (select from auth.users where id = v_user_id and email_confirmed_at is not null) then",
    to: "  if false then",
    test: "test/functions/admin.test.ts",
    noticed: "an unverified user may not act",
  },
  {
    name: "nobody changes their own birth date",
    file: "migrations/20261121000200_identity.sql",
    from: "and (new.id = auth.uid() or not app.has_role('operator'))",
    to: "and not app.has_role('operator')",
    test: "test/functions/account.test.ts",
    noticed: "a birth date is set once by the user, and changed only by operators",
  },
  {
    name: "a birth date is set once",
    file: "migrations/20261121000200_identity.sql",
    from: `  if old.birth_date is not null and new.birth_date is distinct from old.birth_date
    and`,
    to: "  if false and",
    test: "test/functions/account.test.ts",
    noticed: "a birth date is set once by the user, and changed only by operators",
  },
  {
    name: "nobody was born tomorrow",
    file: "migrations/20261121000200_identity.sql",
    from: "  if new.birth_date > (app.clock() at time zone 'utc')::date then",
    to: "  if false then",
    test: "test/functions/account.test.ts",
    noticed: "is refused and named",
  },
  {
    name: "preferences are small",
    file: "migrations/20261121000200_identity.sql",
    from: "    and not preferences @? 'strict",
    to: "    and true or not preferences @? 'strict",
    test: "test/functions/account.test.ts",
    noticed: "preferences cannot be made larger than they look, by the function or by the table",
  },
  {
    name: "a user who was deleted is nobody",
    file: "migrations/20261121000200_identity.sql",
    from: `      perform app.fail('not_authenticated');
    end if;
  end if;`,
    to: `      null;
    end if;
  end if;`,
    test: "test/concurrency/identity.test.ts",
    noticed: "a deleted user is nobody, and is not made anew",
  },
  {
    name: "two requests that heal a profile make one",
    file: "migrations/20261121000200_identity.sql",
    from: `  where id = p_user_id
  on conflict (id) do nothing
`,
    to: `  where id = p_user_id
`,
    test: "test/concurrency/identity.test.ts",
    noticed: "two requests that heal the same profile make one, and neither fails",
  },
  {
    name: "the admin secret is tried five times an hour",
    file: "migrations/20261121000700_admin.sql",
    from: "  if v_tries >= app.setting('admin_claims_per_hour') then",
    to: "  if false then",
    test: "test/functions/admin.test.ts",
    noticed:
      "a sixth try within an hour is refused, even with the right secret, and every try is logged",
  },
  {
    name: "a claim is granted within a minute",
    file: "migrations/20261121000700_admin.sql",
    from: " and not granted and at > app.clock() - interval '1 minute'",
    to: " and not granted",
    test: "test/functions/admin.test.ts",
    noticed: "a claim cannot be granted by a user, nor twice, nor late",
  },
  {
    name: "there is one first admin",
    file: "migrations/20261121000700_admin.sql",
    from: "  if exists (select from public.user_roles where role = 'admin') then",
    to: "  if false then",
    test: "test/concurrency/identity.test.ts",
    noticed: "of two claims whose secret was right, the later one finds an admin",
  },
  {
    name: "a setting is changed by admins",
    file: "migrations/20261121000700_admin.sql",
    from: `  perform app.require_role('admin');
  select * into v_setting`,
    to: "  select * into v_setting",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a setting is changed within its range",
    file: "migrations/20261121000700_admin.sql",
    from:
      "  if p_value is null or p_value not between v_setting.minimum and v_setting.maximum then",
    to: "  if false then",
    test: "test/functions/admin.test.ts",
    noticed: "what staff change is in the audit log, which only admins read and nobody edits",
  },
  {
    name: "who claims to be admin is active and verified",
    file: "migrations/20261121000700_admin.sql",
    from: `  perform app.active_user();
`,
    to: "",
    test: "test/functions/admin.test.ts",
    noticed: "an unverified user may not act",
  },
  {
    name: "the admin secret is compared",
    file: "functions/account/index.ts",
    from:
      `    if (!isSameSecret(body.secret, env().ADMIN_SECRET)) throw new ApiError("not_permitted");
`,
    to: "",
    test: "test/functions/admin.test.ts",
    noticed: "is whoever knows the secret, once",
  },
  {
    name: "a raffle is published by operators",
    file: "migrations/20261122000300_publishing.sql",
    from: `  perform app.require_role('operator');
  select * into v_raffle from public.raffles where id = p_raffle_id for update;`,
    to: "  select * into v_raffle from public.raffles where id = p_raffle_id for update;",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a raffle is copied by operators",
    file: "migrations/20261122000300_publishing.sql",
    from: `  perform app.require_role('operator');
  select * into v_copy`,
    to: "  select * into v_copy",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a raffle is cancelled by operators",
    file: "migrations/20261122000700_cancelling.sql",
    from: `  perform app.require_role('operator');
  perform app.require_note`,
    to: "  perform app.require_note",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a prize is sent by operators",
    file: "migrations/20261123000400_prize_claims.sql",
    from: `  perform app.require_role('operator');
  if p_status is null`,
    to: "  if p_status is null",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "an alert is closed by operators",
    file: "migrations/20261121000850_alerts.sql",
    from: `  perform app.require_role('operator');
  update public.operator_alerts`,
    to: "  update public.operator_alerts",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "messages are queued again by operators",
    file: "migrations/20261125000100_notifications.sql",
    from: `  perform app.require_role('operator');
  with queued`,
    to: "  with queued",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a wallet is suspended by operators",
    file: "migrations/20261121001000_wallet.sql",
    from: `  perform app.require_power_over(p_user_id, 'operator');
  perform app.require_note('reason'`,
    to: "  perform app.require_note('reason'",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a wallet is reinstated by operators",
    file: "migrations/20261121001000_wallet.sql",
    from: `  perform app.require_power_over(p_user_id, 'operator');
  perform from public.wallet_accounts`,
    to: "  perform from public.wallet_accounts",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a balance is corrected by admins",
    file: "migrations/20261121001000_wallet.sql",
    from: `  perform app.require_power_over(p_user_id, 'admin');
  perform app.require_currency`,
    to: "  perform app.require_currency",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "a payout account is set by operators",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  perform app.require_power_over(p_user_id, 'operator');
  update public.profiles`,
    to: "  update public.profiles",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "an account is suspended by operators",
    file: "migrations/20261121000200_identity.sql",
    from: `  perform app.require_power_over(p_user_id, 'operator');
  perform app.take_turn`,
    to: "  perform app.take_turn",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "an identity is verified by operators",
    file: "migrations/20261121000200_identity.sql",
    from: `  perform app.require_power_over(p_user_id, 'operator');
  update public.profiles set kyc`,
    to: "  update public.profiles set kyc",
    test: "test/security/access-matrix.test.ts",
    noticed: "a function does for each person what is written down",
  },
  {
    name: "others' top-ups are not found",
    file: "migrations/20261121001100_topups.sql",
    from: "where id = p_topup_id and user_id = app.signed_in_user();",
    to: "where id = p_topup_id;",
    test: "test/functions/topup.test.ts",
    noticed: "somebody else's top-up is neither read nor verified",
  },
  {
    name: "others' withdrawals are not found",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "  where id = p_withdrawal_id and user_id = app.signed_in_user();",
    to: "  where id = p_withdrawal_id;",
    test: "test/functions/withdraw.test.ts",
    noticed: "is listed and read by its owner and nobody else",
  },
  {
    name: "others' purchases are not found",
    file: "migrations/20261122000500_buying.sql",
    from: "where id = p_purchase_id and user_id = app.signed_in_user();",
    to: "where id = p_purchase_id;",
    test: "test/functions/purchase.test.ts",
    noticed: "somebody else's purchase is neither read, verified nor redeemed",
  },
  {
    name: "others' purchases are not redeemed",
    file: "migrations/20261122000500_buying.sql",
    from: "where id = p_purchase_id and user_id = p_user_id for update;",
    to: "where id = p_purchase_id for update;",
    test: "test/sql/purchases.test.ts",
    noticed: "is refused for others', unpaid and refunded purchases",
  },
  {
    name: "others' money does not go back to their card",
    file: "migrations/20261122000700_cancelling.sql",
    from: "where id = p_purchase_id and user_id = v_user_id for update;",
    to: "where id = p_purchase_id for update;",
    test: "test/sql/cancelling.test.ts",
    noticed: "takes the money out of the wallet, once",
  },
  {
    name: "a ticket's salt is told to its owner alone",
    file: "migrations/20261123000500_draw_proof.sql",
    from:
      "case when v_ticket.user_id = auth.uid() then encode(app.salt_of(p_raffle_id, p_ticket_num), 'hex') end",
    to: "encode(app.salt_of(p_raffle_id, p_ticket_num), 'hex')",
    test: "test/functions/draw.test.ts",
    noticed: "proves each ticket, beyond one block of the tree too; the salt is for its owner",
  },
  {
    name: "a view looks with its reader's eyes",
    file: "migrations/20261121001000_wallet.sql",
    from: "create view public.wallet_balances with (security_invoker = true) as",
    to: "create view public.wallet_balances as",
    test: "test/security/access-matrix.test.ts",
    noticed: "every view of public looks with the eyes of its reader",
  },
  {
    name: "row level security is on for the ledger",
    file: "migrations/20261121000900_ledger.sql",
    from: `alter table public.wallet_ledger enable row level security;
`,
    to: "",
    test: "test/security/access-matrix.test.ts",
    noticed: "row level security is on for every table of public",
  },
  {
    name: "row level security is on for wallets",
    file: "migrations/20261121000900_ledger.sql",
    from: `alter table public.wallet_accounts enable row level security;
`,
    to: "",
    test: "test/security/access-matrix.test.ts",
    noticed: "row level security is on for every table of public",
  },
  {
    name: "whose name stands in the search path changes nothing",
    file: "migrations/20261121000900_ledger.sql",
    from: `create function app.account_of(
  p_kind public.account_kind, p_currency text, p_user_id uuid default null, p_raffle_id uuid default null
) returns bigint
language plpgsql security definer set search_path = '' as`,
    to: `create function app.account_of(
  p_kind public.account_kind, p_currency text, p_user_id uuid default null, p_raffle_id uuid default null
) returns bigint
language plpgsql security definer as`,
    test: "test/security/access-matrix.test.ts",
    noticed: "every function has an empty search_path",
  },
  {
    name: "who is not signed in is told so",
    file: "shared/endpoint.ts",
    from: `  if (route.caller === "user" && !token) throw new ApiError("not_authenticated");
`,
    to: "",
    test: "test/security/tokens.test.ts",
    noticed: "that is secret sees everybody; beside a user's token it sees what the user sees",
  },
  {
    name: "only the scheduler has the clock's work done",
    file: "shared/endpoint.ts",
    from:
      `  if (route.caller === "scheduler" && !isScheduler) throw new ApiError("not_authenticated");
`,
    to: "",
    test: "test/functions/reconcile.test.ts",
    noticed: "only the scheduler may reconcile and sweep",
  },
  {
    name: "only origins on the list read answers in a browser",
    file: "shared/endpoint.ts",
    from: 'origin: origins.includes("*") ? "*" : origins,',
    to: 'origin: "*",',
    test: "test/unit/endpoint.test.ts",
    noticed: "only origins on the list may read answers in a browser",
  },
  {
    name: "a body has a limit",
    file: "shared/endpoint.ts",
    from: "maxSize: BODY_LIMIT,",
    to: "maxSize: BODY_LIMIT * 1000,",
    test: "test/unit/endpoint.test.ts",
    noticed: "each kind of bad request has its own clear answer",
  },
  {
    name: "every answer has the security headers",
    file: "shared/endpoint.ts",
    from: `  app.use("*", secureHeaders({ crossOriginResourcePolicy: "cross-origin" }));
`,
    to: "",
    test: "test/unit/endpoint.test.ts",
    noticed: "every answer has the security headers",
  },
  {
    name: "a request id is fit for a log",
    file: "shared/endpoint.ts",
    from: "REQUEST_ID.test(given) ? given : crypto.randomUUID()",
    to: "given || crypto.randomUUID()",
    test: "test/unit/endpoint.test.ts",
    noticed: "a client may send its own request id, unless it is unfit for a log",
  },
  {
    name: "an opaque key is nobody's session",
    file: "shared/endpoint.ts",
    from: 'return token && !token.startsWith("sb_") ? token : null;',
    to: "return token || null;",
    test: "test/security/tokens.test.ts",
    noticed: "that is secret sees everybody; beside a user's token it sees what the user sees",
  },
  {
    name: "what moves money needs a key",
    file: "shared/endpoint.ts",
    from: `  if (key.length < 1 || key.length > 255) throw new ApiError("idempotency_key_required");
`,
    to: "",
    test: "test/unit/endpoint.test.ts",
    noticed: "a request that moves money needs a key, and says when its answer is a repeated one",
  },
  {
    name: "an unknown method is told what is allowed",
    file: "shared/endpoint.ts",
    from: '      throw new ApiError("method_not_allowed", { allowed: methods });',
    to: '      throw new ApiError("route_not_found");',
    test: "test/unit/endpoint.test.ts",
    noticed: "an unknown route is 404, an unknown method 405 with what is allowed",
  },
  {
    name: "a bad session is told before a bad body",
    file: "shared/endpoint.ts",
    from: `      await rpc("check_session");
`,
    to: "",
    test: "test/security/hostile-input.test.ts",
    noticed: "a session that is not valid is 401 where one is needed, however large it is",
  },
  {
    name: "a body is JSON by its type",
    file: "shared/request.ts",
    from:
      `  if (text !== "" && type !== "application/json") throw new ApiError("content_type_unsupported");
`,
    to: "",
    test: "test/unit/endpoint.test.ts",
    noticed: "each kind of bad request has its own clear answer",
  },
  {
    name: "a text can be stored",
    file: "shared/request.ts",
    from: '  if (!text.isWellFormed() || text.includes("\\0")) {',
    to: "  if (false) {",
    test: "test/unit/endpoint.test.ts",
    noticed: "each kind of bad request has its own clear answer",
  },
  {
    name: "people are sent back to our own pages alone",
    file: "shared/return-url.ts",
    from: "  if (!isAllowed(given, [new URL(SITE_URL).origin, ...RETURN_URL_ORIGINS])) {",
    to: "  if (false) {",
    test: "test/functions/topup.test.ts",
    noticed: "nobody is sent to",
  },
  {
    name: "no user name looks like another host",
    file: "shared/return-url.ts",
    from: " || username || password) return false;",
    to: ") return false;",
    test: "test/functions/topup.test.ts",
    noticed: "nobody is sent to",
  },
  {
    name: "an unknown failure tells nothing",
    file: "shared/report.ts",
    from: '  return new ApiError("internal_error");',
    to: '  return new ApiError("internal_error", { error: error.message });',
    test: "test/unit/endpoint.test.ts",
    noticed: "an unknown failure tells nothing but a request id",
  },
  {
    name: "somebody else's card is not forgotten",
    file: "shared/cards.ts",
    from: "if (!card || card.customer !== customer_id)",
    to: "if (!card)",
    test: "test/functions/topup.test.ts",
    noticed: "somebody else's are not listed, charged or forgotten",
  },
  {
    name: "a missing setting stops the start",
    file: "shared/env.ts",
    from:
      "  throw new Error(get(name) ? `The setting ${name} ${message}` : `The setting ${name} is missing`);",
    to: "  return {} as Environment;",
    test: "test/unit/endpoint.test.ts",
    noticed: "the start stops and names it",
  },
  {
    name: "a secret is no short word",
    file: "shared/env.ts",
    from: 'z.string().min(8, "must have at least 8 characters")',
    to: "z.string()",
    test: "test/unit/endpoint.test.ts",
    noticed: "a senseless value is named, and not shown",
  },
  {
    name: "nobody makes a type that is looked up before Postgres's own",
    file: "migrations/20261121000100_foundation.sql",
    from: "revoke temporary on database %I from public",
    to: "revoke create on database %I from public",
    test: "test/security/shadowing.test.ts",
    noticed: "that is what the migrations do, and not only our clones of what they made",
  },
];
