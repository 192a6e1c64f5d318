// Limits: rates, people's own limits, age, and how much one person may have.
import type { Guard } from "../guard.ts";

export const limits: Guard[] = [
  {
    name: "money is moved ten times a minute",
    file: "migrations/20261121000400_rate_limits.sql",
    from: "  elsif v_wait > '0' then",
    to: "  elsif false then",
    test: "test/sql/rate-limits.test.ts",
    noticed: "money may be moved ten times a minute by one user, also when all come at once",
  },
  {
    name: "one user's requests take nothing from another's",
    file: "migrations/20261121000400_rate_limits.sql",
    from: "b.class = p_class and b.subject = p_user_id",
    to: "b.class = p_class",
    test: "test/sql/rate-limits.test.ts",
    noticed: "one user's requests take nothing from another's",
  },
  {
    name: "buckets that are not full yet stay",
    file: "migrations/20261121000400_rate_limits.sql",
    from: "    delete from app.rate_buckets where full_at < app.clock() returning 1",
    to: "    delete from app.rate_buckets returning 1",
    test: "test/sql/rate-limits.test.ts",
    noticed: "buckets that are full again are purged, others stay",
  },
  {
    name: "of two first requests at once both are counted",
    file: "migrations/20261121000400_rate_limits.sql",
    from: `    on conflict do nothing;
    if not found then
      return app.take_token`,
    to: `    on conflict do nothing;
    if false then
      return app.take_token`,
    test: "test/sql/rate-limits.test.ts",
    noticed: "of two first requests at once both count",
  },
  {
    name: "a raised limit waits a day",
    file: "migrations/20261121000600_play_limits.sql",
    from: "    amount_cents = least(p_amount_cents, app.limit_in_force(l)),",
    to: "    amount_cents = p_amount_cents,",
    test: "test/functions/account.test.ts",
    noticed: "a limit is lowered at once and raised only after a day",
  },
  {
    name: "a limit is raised once its day is over",
    file: "migrations/20261121000600_play_limits.sql",
    from: `  select case when p_limit.pending_from <= app.clock() then p_limit.pending_amount_cents
    else p_limit.amount_cents end`,
    to: "  select p_limit.amount_cents",
    test: "test/functions/account.test.ts",
    noticed: "a limit is lowered at once and raised only after a day",
  },
  {
    name: "asking again makes nobody wait longer",
    file: "migrations/20261121000600_play_limits.sql",
    from:
      `      when p_amount_cents = l.pending_amount_cents and l.pending_from > app.clock() then l.pending_from
`,
    to: "",
    test: "test/functions/account.test.ts",
    noticed: "a limit is lowered at once and raised only after a day",
  },
  {
    name: "a self-exclusion is never shortened",
    file: "migrations/20261121000600_play_limits.sql",
    from:
      "  where id = v_user_id and (self_excluded_until is null or self_excluded_until <= p_until);",
    to: "  where id = v_user_id;",
    test: "test/functions/account.test.ts",
    noticed: "can be made longer but never lifted or shortened",
  },
  {
    name: "a self-exclusion is in the future",
    file: "migrations/20261121000600_play_limits.sql",
    from:
      "  if p_until is null or p_until not between app.clock() and app.clock() + interval '100 years' then",
    to: "  if false then",
    test: "test/functions/account.test.ts",
    noticed: "can be made longer but never lifted or shortened",
  },
  {
    name: "nobody deposits who has excluded themselves",
    file: "migrations/20261121001100_topups.sql",
    from:
      "  if exists (select from public.profiles where id = app.active_user() and self_excluded_until > app.clock()) then",
    to: "  if false then",
    test: "test/functions/topup.test.ts",
    noticed: "not the suspended, the self-excluded, or those whose address is not verified",
  },
  {
    name: "nobody deposits beyond their own limit",
    file: "migrations/20261121001100_topups.sql",
    from: `  perform app.check_deposit_limits(p_account_id, p_amount_cents);
`,
    to: "",
    test: "test/functions/topup.test.ts",
    noticed:
      "not beyond one's own deposit limit: what is under way counts, what ended unpaid does not",
  },
  {
    name: "deposits under way count towards the limit",
    file: "migrations/20261121001100_topups.sql",
    from: `    and t.status in ('CREATED', 'PROCESSING', 'COMPLETED')
`,
    to: `    and t.status = 'COMPLETED'
`,
    test: "test/functions/topup.test.ts",
    noticed:
      "not beyond one's own deposit limit: what is under way counts, what ended unpaid does not",
  },
  {
    name: "old deposits do not count towards the limit",
    file: "migrations/20261121001100_topups.sql",
    from: `
    and t.created_at > app.clock() - app.length_of(l.period)`,
    to: "",
    test: "test/sql/wallet.test.ts",
    noticed: "a deposit counts towards the limit of a",
  },
  {
    name: "a top-up has a least and a largest amount",
    file: "migrations/20261121001100_topups.sql",
    from: `  if p_amount_cents is null
    or p_amount_cents not between app.setting('topup_minimum_cents') and app.setting('topup_maximum_cents')
  then`,
    to: "  if false then",
    test: "test/sql/wallet.test.ts",
    noticed: "is refused, whoever asks",
  },
  {
    name: "money is deposited ten times a minute",
    file: "migrations/20261121001100_topups.sql",
    from: `  perform app.take_token('money', v_user_id);
`,
    to: "",
    test: "test/sql/rate-limits.test.ts",
    noticed: "is refused when there is no token left, before anything else",
  },
  {
    name: "nobody buys who is suspended",
    file: "migrations/20261122000400_purchases.sql",
    from: `    when p_status <> 'ACTIVE' then 'account_suspended'
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: ", by wallet or card",
  },
  {
    name: "nobody buys without a verified address",
    file: "migrations/20261122000400_purchases.sql",
    from: `    when p_email_confirmed_at is null then 'email_unverified'
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: ", by wallet or card",
  },
  {
    name: "nobody buys who has excluded themselves",
    file: "migrations/20261122000400_purchases.sql",
    from: `    when p_self_excluded_until > clock_timestamp() then 'self_excluded'
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: ", by wallet or card",
  },
  {
    name: "nobody buys under age",
    file: "migrations/20261122000400_purchases.sql",
    from:
      "      > (clock_timestamp() at time zone 'utc')::date - make_interval(years => p_minimum_age)) then",
    to: "      > (clock_timestamp() at time zone 'utc')::date) then",
    test: "test/sql/purchases.test.ts",
    noticed: "under age, or of unknown age; unless there is no minimum",
  },
  {
    name: "an unknown age is too young",
    file: "migrations/20261122000400_purchases.sql",
    from: "(p_birth_date is null or p_birth_date",
    to: "(p_birth_date",
    test: "test/sql/purchases.test.ts",
    noticed: "under age, or of unknown age; unless there is no minimum",
  },
  {
    name: "nobody spends beyond their own limit",
    file: "migrations/20261122000400_purchases.sql",
    from: "    if v_limit.used_cents + p_amount_cents > v_limit.amount_cents then",
    to: "    if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "beyond their own spend limit",
  },
  {
    name: "what is pending counts towards the spend limit",
    file: "migrations/20261122000400_purchases.sql",
    from: `p.status in ('PENDING', 'CONFIRMED')
        and p.created_at`,
    to: `p.status = 'CONFIRMED'
        and p.created_at`,
    test: "test/sql/purchases.test.ts",
    noticed: "beyond what they allow themselves in a",
  },
  {
    name: "old purchases do not count towards the spend limit",
    file: "migrations/20261122000400_purchases.sql",
    from: `
        and p.created_at > app.clock() - app.length_of(l.period)`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: "beyond their own spend limit",
  },
  {
    name: "nobody has more tickets than one person may",
    file: "migrations/20261122000400_purchases.sql",
    from: "    if v_count + p_quantity > p_raffle.max_per_user then",
    to: "    if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "more than one person may have, over several purchases",
  },
  {
    name: "tickets under way count towards what one person may have",
    file: "migrations/20261122000400_purchases.sql",
    from: `type <> 'BOOST' and status in ('PENDING', 'CONFIRMED');
    if v_count`,
    to: `type <> 'BOOST' and status = 'CONFIRMED';
    if v_count`,
    test: "test/sql/purchases.test.ts",
    noticed: "more than one person may have, over several purchases",
  },
  {
    name: "a boost has its limit",
    file: "migrations/20261122000400_purchases.sql",
    from: "  if v_count + p_quantity > v_limit then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "a boost is for a ticket one holds, at its price, up to its limit",
  },
  {
    name: "a boost is not boosted",
    file: "migrations/20261122000400_purchases.sql",
    from: "case v_bought_as when 'BOOST' then 0 else coalesce(p_raffle.boost_limit, 0) end",
    to: "coalesce(p_raffle.boost_limit, 0)",
    test: "test/sql/purchases.test.ts",
    noticed: "a boost is not boosted again: the limit is one",
  },
  {
    name: "a boost is for one's own ticket of this raffle",
    file: "migrations/20261122000400_purchases.sql",
    from: "  where t.id = p_ticket_id and t.user_id = p_user_id and t.raffle_id = p_raffle.id;",
    to: "  where t.id = p_ticket_id;",
    test: "test/sql/purchases.test.ts",
    noticed: "a boost is for a ticket one holds, at its price, up to its limit",
  },
  {
    name: "a retry is for one's own ticket",
    file: "migrations/20261122000400_purchases.sql",
    from: `where id = p_ticket_id and user_id = p_user_id) then
    perform app.fail('ticket_not_found')`,
    to: `where id = p_ticket_id) then
    perform app.fail('ticket_not_found')`,
    test: "test/sql/purchases.test.ts",
    noticed: "a retry is for a ticket that lost in the raffle before, once",
  },
  {
    name: "a retry is for a ticket that lost",
    file: "migrations/20261122000400_purchases.sql",
    from:
      "        and not exists (select from public.winners w where w.raffle_id = t.raffle_id and w.ticket_num = t.ticket_num))",
    to: "        )",
    test: "test/sql/purchases.test.ts",
    noticed: "a retry is for a ticket that lost in the raffle before, once",
  },
  {
    name: "a retry is of the raffle before, once it is drawn",
    file: "migrations/20261122000400_purchases.sql",
    from: "r.id = p_raffle.retry_of and r.state in ('DRAWN', 'SETTLED') and",
    to: "true and",
    test: "test/sql/purchases.test.ts",
    noticed: "a retry is for a ticket that lost in the raffle before, once",
  },
  {
    name: "a retry is of one ticket",
    file: "migrations/20261122000400_purchases.sql",
    from: `  if p_quantity <> 1
    or not exists`,
    to: "  if not exists",
    test: "test/sql/purchases.test.ts",
    noticed: "a retry is for a ticket that lost in the raffle before, once",
  },
  {
    name: "a process works on so many requests at once and no more",
    file: "shared/places.ts",
    from: "  if (taken >= env().REQUESTS_AT_ONCE * SHARE[claim]) throw",
    to: "  if (false) throw",
    test: "test/unit/places.test.ts",
    noticed: "one more than it works on is told to try again at once, until one of them is done",
  },
  {
    name: "who has failed leaves the place",
    file: "shared/places.ts",
    from: `  } finally {
    taken--;
  }`,
    to: "  } finally {}",
    test: "test/unit/places.test.ts",
    noticed: "who has failed has left the place",
  },
];
