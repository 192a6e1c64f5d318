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

create policy "Users read their own wallets, operators read all accounts" on public.wallet_accounts
  for select to authenticated
  using (user_id = (select auth.uid()) and kind = 'USER' or (select app.has_role('operator')));

create policy "Users read their own entries, operators read all" on public.wallet_ledger
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Users read their own holds, operators read all" on public.wallet_holds
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Users read their own top-ups, operators read all" on public.wallet_topups
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Users read their own withdrawals, operators read all" on public.wallet_withdrawals
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Everyone reads prizes" on public.prizes for select to anon, authenticated using (true);
create policy "Everyone reads categories" on public.raffle_categories for select to anon, authenticated using (true);
create policy "Everyone reads lotteries" on public.lotteries for select to anon, authenticated using (true);
create policy "Everyone reads published raffles" on public.raffles for select to anon using (published_at is not null);
create policy "Everyone reads published raffles, operators drafts too" on public.raffles
  for select to authenticated
  using (published_at is not null or (select app.has_role('operator')));

create policy "Operators add prizes" on public.prizes
  for insert to authenticated with check ((select app.has_role('operator')));
create policy "Operators change prizes" on public.prizes
  for update to authenticated using ((select app.has_role('operator'))) with check ((select app.has_role('operator')));
create policy "Operators delete prizes" on public.prizes
  for delete to authenticated using ((select app.has_role('operator')));
create policy "Operators add categories" on public.raffle_categories
  for insert to authenticated with check ((select app.has_role('operator')));
create policy "Operators change categories" on public.raffle_categories
  for update to authenticated using ((select app.has_role('operator'))) with check ((select app.has_role('operator')));
create policy "Operators delete categories" on public.raffle_categories
  for delete to authenticated using ((select app.has_role('operator')));
create policy "Operators add raffles" on public.raffles
  for insert to authenticated with check ((select app.has_role('operator')));
create policy "Operators change raffles" on public.raffles
  for update to authenticated using ((select app.has_role('operator'))) with check ((select app.has_role('operator')));
create policy "Operators delete drafts" on public.raffles
  for delete to authenticated using ((select app.has_role('operator')));

create policy "Users read their own purchases, operators read all" on public.purchases
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));
create policy "Users read their own tickets, operators read all" on public.tickets
  for select to authenticated
  using (user_id = (select auth.uid()) or (select app.has_role('operator')));

create policy "Everyone reads the calendars of lotteries" on public.lottery_dates for select to anon, authenticated using (true);
create policy "Everyone reads results" on public.lottery_results for select to anon, authenticated using (true);
create policy "Everyone reads which results decide" on public.lottery_draws for select to anon, authenticated using (true);
create policy "Everyone reads draws" on public.draws for select to anon, authenticated using (true);
create policy "Everyone reads winners" on public.winners for select to anon, authenticated using (true);
create policy "Winners read their own claims, operators read all" on public.prize_claims
  for select to authenticated using (user_id = (select auth.uid()) or (select app.has_role('operator')));
create policy "Everyone reads how far raffles are" on public.raffle_progress for select to anon, authenticated using (true);
create policy "Operators read jobs" on public.jobs for select to authenticated using ((select app.has_role('operator')));
create policy "Operators read notifications" on public.notifications
  for select to authenticated using ((select app.has_role('operator')));
create policy "Operators read house balances" on public.house_balances
  for select to authenticated using ((select app.has_role('operator')));
create policy "Operators read alerts" on public.operator_alerts
  for select to authenticated
  using ((select app.has_role('operator')));

create policy "Everyone reads the currencies" on public.currencies
  for select to anon, authenticated
  using (true);

create policy "Admins read the audit log" on public.audit_log
  for select to authenticated
  using ((select app.has_role('admin')));


-- anon: whoever has the publishable key ---------------------------------------------------------

grant usage on schema app to anon;
grant execute on function app.check_request(), app.fail(text, jsonb), app.report_health() to anon;
grant execute on function public.report_health() to anon;
grant select on app.error_codes to anon;
grant select on public.currencies, public.prizes, public.raffle_categories, public.lotteries, public.raffles,
  public.draws, public.winners, public.lottery_dates, public.lottery_results, public.lottery_draws, public.raffle_progress to anon;
grant execute on function
  public.list_raffles(integer, integer, public.raffle_state, uuid, text, text),
  public.get_raffle(uuid),
  public.tickets_sold(public.raffles),
  public.describe_draw(uuid, integer, integer),
  public.prove_ticket(uuid, integer),
  public.describe_state(uuid),
  app.describe_draw(uuid, integer, integer),
  app.prove_ticket(uuid, integer),
  app.describe_state(uuid),
  app.list_raffles(integer, integer, public.raffle_state, uuid, text, text),
  app.get_raffle(uuid),
  app.count_taken(uuid)
to anon, authenticated, service_role;


-- authenticated: whoever is signed in ------------------------------------------------------------

grant usage on schema app to authenticated;
grant execute on function app.check_request(), app.fail(text, jsonb), app.report_health() to authenticated;
grant select on app.error_codes to authenticated;

grant select on public.currencies, public.profiles, public.user_roles, public.play_limits, public.audit_log, public.operator_alerts,
  public.wallet_accounts, public.wallet_ledger, public.wallet_holds, public.wallet_balances, public.wallet_topups, public.wallet_withdrawals,
  public.prizes, public.raffle_categories, public.lotteries, public.raffles, public.purchases, public.tickets,
  public.draws, public.winners, public.prize_claims, public.lottery_dates, public.lottery_results, public.lottery_draws,
  public.raffle_progress, public.house_balances, public.jobs, public.notifications
to authenticated;

grant insert (title, description, value_cents, currency, stock, sponsor, image_urls),
  update (title, description, value_cents, currency, stock, sponsor, image_urls), delete on public.prizes to authenticated;
grant insert (name, color, ticket_price_cents, currency, rake_bps, prize_fund_cents, prize_per_winner_cents),
  update (name, color, ticket_price_cents, currency, rake_bps, prize_fund_cents, prize_per_winner_cents), delete
on public.raffle_categories to authenticated;
grant insert (prize_id, category_id, title, description, ticket_price_cents, currency, tickets_required, min_tickets,
    max_per_user, numbering, winners_count, prize_tiers, draw_method, lottery_id, lottery_draw_date, unsold_rule,
    opens_at, closes_at, lanes, boost_price_cents, boost_limit, retry_of, retry_price_cents),
  update (prize_id, category_id, title, description, ticket_price_cents, currency, tickets_required, min_tickets,
    max_per_user, numbering, winners_count, prize_tiers, draw_method, lottery_id, lottery_draw_date, unsold_rule,
    opens_at, closes_at, lanes, boost_price_cents, boost_limit, retry_of, retry_price_cents), delete
on public.raffles to authenticated;
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
  public.set_setting(text, integer),
  public.begin_topup(text, bigint, text, public.payment_form, jsonb),
  public.get_customer(),
  public.get_topup(uuid),
  public.list_topups(integer, integer),
  public.begin_topup_check(uuid),
  public.begin_withdrawal(text, bigint, text),
  public.get_withdrawal(uuid),
  public.list_withdrawals(integer, integer),
  public.set_payout_account(uuid, text),
  public.suspend_wallet(uuid, text),
  public.reinstate_wallet(uuid),
  public.adjust_wallet(uuid, text, bigint, text),
  public.resolve_alert(bigint),
  public.requeue_notifications(uuid[]),
  public.publish_raffle(uuid),
  public.cancel_raffle(uuid, text, boolean),
  public.duplicate_raffle(uuid),
  public.begin_purchase(text, uuid, integer, integer[], public.purchase_type, public.payment_method, boolean, bigint),
  public.get_purchase(uuid),
  public.list_purchases(integer, integer),
  public.begin_purchase_check(uuid),
  public.redeem_ticket(text, uuid, integer[]),
  public.request_card_refund(uuid),
  public.claim_prize(uuid, integer, jsonb),
  public.send_prize(uuid, integer, public.prize_claim_status, text),
  public.record_lottery_result(uuid, date, text, text),
  public.set_lottery_date(uuid, date, boolean)
to authenticated;

grant execute on function
  app.has_role(public.staff_role),
  app.are_web_addresses(text[]),
  app.is_name(text, integer),
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
  app.set_setting(text, integer),
  app.begin_topup(text, bigint, text, public.payment_form, jsonb),
  app.get_customer(),
  app.get_topup(uuid),
  app.list_topups(integer, integer),
  app.begin_topup_check(uuid),
  app.begin_withdrawal(text, bigint, text, jsonb),
  app.get_withdrawal(uuid),
  app.list_withdrawals(integer, integer),
  app.set_payout_account(uuid, text),
  app.suspend_wallet(uuid, text),
  app.reinstate_wallet(uuid),
  app.adjust_wallet(uuid, text, bigint, text),
  app.resolve_alert(bigint),
  app.requeue_notifications(uuid[]),
  app.publish_raffle(uuid),
  app.cancel_raffle(uuid, text, boolean),
  app.duplicate_raffle(uuid),
  app.begin_purchase(text, uuid, integer, integer[], public.purchase_type, public.payment_method, boolean, bigint, jsonb),
  app.get_purchase(uuid),
  app.list_purchases(integer, integer),
  app.begin_purchase_check(uuid),
  app.redeem_ticket(text, uuid, integer[], jsonb),
  app.request_card_refund(uuid),
  app.claim_prize(uuid, integer, jsonb),
  app.send_prize(uuid, integer, public.prize_claim_status, text),
  app.record_lottery_result(uuid, date, text, text),
  app.set_lottery_date(uuid, date, boolean)
to authenticated;


-- service_role: our own functions, where a user cannot be the one who acts ------------------------

-- Nobody waits for these: sealing and drawing a large raffle may take longer than a request of a user's.
alter role service_role set statement_timeout = '120s';

grant usage on schema app to service_role;
grant execute on function app.check_request(), app.fail(text, jsonb), app.report_health() to service_role;
grant select on app.error_codes to service_role;

-- Reading, for tools that hold the secret key; writing goes through functions for it as for everybody.
grant select on public.currencies, public.profiles, public.user_roles, public.play_limits, public.audit_log, public.operator_alerts,
  public.wallet_accounts, public.wallet_ledger, public.wallet_holds, public.wallet_balances, public.wallet_topups, public.wallet_withdrawals,
  public.prizes, public.raffle_categories, public.lotteries, public.raffles, public.purchases, public.tickets,
  public.draws, public.winners, public.prize_claims, public.lottery_dates, public.lottery_results, public.lottery_draws,
  public.raffle_progress, public.house_balances, public.jobs, public.notifications
to service_role;

grant execute on function
  public.report_health(),
  public.grant_admin_claim(uuid),
  public.record_customer(uuid, text),
  public.record_topup(uuid, text, jsonb),
  public.record_topup_failure(uuid, text, text, boolean),
  public.claim_transfer(uuid),
  public.claim_payout(uuid),
  public.refuse_withdrawal(uuid, text),
  public.answer_withdrawal(uuid, text),
  public.cancel_topup(uuid, text),
  public.cancel_withdrawal(uuid),
  public.claim_unfinished(integer),
  public.recent_destinations(integer),
  public.missing_events(text[]),
  public.told_by_stripe(integer, jsonb),
  public.report_denial(text, text, jsonb),
  public.receive_stripe_event(jsonb),
  public.apply_stripe_object(jsonb, text),
  public.record_purchase_payment(uuid, text, jsonb),
  public.record_purchase_failure(uuid, text, text, boolean),
  public.refuse_purchase(uuid, text, text),
  public.finish_purchase_check(uuid),
  public.due_draws(uuid, integer),
  public.seal_raffle(uuid),
  public.draw_raffle(uuid, bigint, text, text),
  public.settle_raffle(uuid),
  public.draw_by_lottery(uuid),
  public.report_late_draw(uuid, jsonb),
  public.awaited_results(integer),
  public.record_feed_result(uuid, date, text, text),
  public.claim_notifications(integer),
  public.record_notifications(uuid[], uuid[], jsonb)
to service_role;

grant execute on function
  app.grant_admin_claim(uuid),
  app.record_customer(uuid, text),
  app.record_topup(uuid, text, jsonb),
  app.record_topup_failure(uuid, text, text, boolean),
  app.claim_transfer(uuid),
  app.claim_payout(uuid),
  app.refuse_withdrawal(uuid, text),
  app.answer_withdrawal(uuid, text),
  app.cancel_topup(uuid, text),
  app.cancel_withdrawal(uuid),
  app.claim_unfinished(integer),
  app.recent_destinations(integer),
  app.missing_events(text[]),
  app.told_by_stripe(integer, jsonb),
  app.report_denial(text, text, jsonb),
  app.receive_stripe_event(jsonb),
  app.apply_stripe_object(jsonb, text, text),
  app.record_purchase_payment(uuid, text, jsonb),
  app.record_purchase_failure(uuid, text, text, boolean),
  app.refuse_purchase(uuid, text, text),
  app.finish_purchase_check(uuid),
  app.due_draws(uuid, integer),
  app.seal_raffle(uuid),
  app.draw_raffle(uuid, bigint, text, text),
  app.settle_raffle(uuid),
  app.draw_by_lottery(uuid),
  app.report_late_draw(uuid, jsonb),
  app.awaited_results(integer),
  app.enter_lottery_result(uuid, date, text, text, app.lottery_source, uuid),
  app.claim_notifications(integer),
  app.record_notifications(uuid[], uuid[], jsonb)
to service_role;


-- A running PostgREST reads its settings (foundation) and this schema again.
notify pgrst, 'reload config';
notify pgrst, 'reload schema';
