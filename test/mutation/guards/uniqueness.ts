// Once only: keys, unique indexes, and the idempotency of requests.
import type { Guard } from "../guard.ts";

export const uniqueness: Guard[] = [
  {
    name: "one account for each user, currency and kind",
    file: "migrations/20261121000900_ledger.sql",
    from:
      `  constraint wallet_accounts_once unique nulls not distinct (user_id, raffle_id, currency, kind),
`,
    to:
      `  constraint wallet_accounts_once unique nulls distinct (user_id, raffle_id, currency, kind),
`,
    test: "test/concurrency/ledger.test.ts",
    noticed: "of two that make the same account, the second gets what the first made",
  },
  {
    name: "of two that make an account both get the same",
    file: "migrations/20261121000900_ledger.sql",
    from: `    on conflict on constraint wallet_accounts_once do nothing;
    v_id`,
    to: `    ;
    v_id`,
    test: "test/concurrency/ledger.test.ts",
    noticed: "of two that make the same account, the second gets what the first made",
  },
  {
    name: "an entry is taken back once",
    file: "migrations/20261121000900_ledger.sql",
    from: "create unique index wallet_ledger_reversed_once",
    to: "create index wallet_ledger_reversed_once",
    test: "test/sql/ledger.test.ts",
    noticed: "an entry is taken back once, whatever goes wrong in the functions",
  },
  {
    name: "a top-up is credited once",
    file: "migrations/20261121000900_ledger.sql",
    from: "create unique index wallet_ledger_topup_once",
    to: "create index wallet_ledger_topup_once",
    test: "test/concurrency/completions.test.ts",
    noticed: "whatever is not locked, a second credit of one top-up is refused",
  },
  {
    name: "a withdrawal is captured once",
    file: "migrations/20261121000900_ledger.sql",
    from: "create unique index wallet_ledger_withdrawal_once",
    to: "create index wallet_ledger_withdrawal_once",
    test: "test/concurrency/completions.test.ts",
    noticed: "whatever is not locked, a second capture of one withdrawal is refused",
  },
  {
    name: "one row for each key",
    file: "migrations/20261121000300_idempotency.sql",
    from: `  on conflict do nothing;
  if found then
    return null;`,
    to: `  on conflict do nothing;
  if true then
    return null;`,
    test: "test/sql/idempotency.test.ts",
    noticed: "twenty requests with one key at the same time have one effect and one answer",
  },
  {
    name: "a key belongs to one user, one endpoint",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  primary key (user_id, endpoint, key)",
    to: "  primary key (endpoint, key)",
    test: "test/sql/idempotency.test.ts",
    noticed: "the same key of another user or for another endpoint is another key",
  },
  {
    name: "a key belongs to one endpoint",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  primary key (user_id, endpoint, key)",
    to: "  primary key (user_id, key)",
    test: "test/sql/idempotency.test.ts",
    noticed: "the same key of another user or for another endpoint is another key",
  },
  {
    name: "the first answer under a key stays",
    file: "migrations/20261121000300_idempotency.sql",
    from: "set answer = coalesce(answer, p_answer)",
    to: "set answer = p_answer",
    test: "test/sql/idempotency.test.ts",
    noticed:
      "of two that answer under one key, since one went on after its lease, the first is told by both",
  },
  {
    name: "the same key for another request is refused",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  if v_row.request_hash is distinct from v_hash then",
    to: "  if false then",
    test: "test/sql/idempotency.test.ts",
    noticed: "the order of a body's fields does not matter, its values do",
  },
  {
    name: "a request that is running is not begun again",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  if v_row.answer is null and v_row.leased_until > app.clock() then",
    to: "  if false then",
    test: "test/sql/idempotency.test.ts",
    noticed:
      "a request that left its transaction is in progress until its lease ends or is released",
  },
  {
    name: "a lease ends",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  if v_row.answer is null and v_row.leased_until > app.clock() then",
    to: "  if v_row.answer is null then",
    test: "test/sql/idempotency.test.ts",
    noticed:
      "a request that left its transaction is in progress until its lease ends or is released",
  },
  {
    name: "what is repeated gets the answer that was given",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  return v_row.answer;",
    to: "  return null;",
    test: "test/sql/idempotency.test.ts",
    noticed: "twenty requests with one key at the same time have one effect and one answer",
  },
  {
    name: "keys are kept for their retention",
    file: "migrations/20261121000300_idempotency.sql",
    from:
      `    where created_at < app.clock() - make_interval(hours => app.setting('idempotency_retention_hours'))
`,
    to: "",
    test: "test/sql/idempotency.test.ts",
    noticed: "keys are kept for their retention and then purged",
  },
  {
    name: "a key has from 1 to 255 characters",
    file: "migrations/20261121000300_idempotency.sql",
    from: "  if coalesce(length(p_key), 0) not between 1 and 255 then",
    to: "  if false then",
    test: "test/sql/idempotency.test.ts",
    noticed: "is refused",
  },
  {
    name: "a purchase by wallet has a key",
    file: "migrations/20261122000500_buying.sql",
    from: "  elsif coalesce(length(p_key), 0) not between 1 and 255 then",
    to: "  elsif false then",
    test: "test/sql/purchases.test.ts",
    noticed: "buys nothing",
  },
  {
    name: "a purchase under a known key is not made again",
    file: "migrations/20261122000500_buying.sql",
    from: "  if v_known.key then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "with the same key takes it once, and answers the same",
  },
  {
    name: "of a purchase under a known key the request is compared",
    file: "migrations/20261122000500_buying.sql",
    from: "app.claim_key(v_user_id, 'purchase', p_key, p_request)",
    to:
      "(select answer from app.idempotency_keys where user_id = v_user_id and endpoint = 'purchase' and key = p_key)",
    test: "test/sql/purchases.test.ts",
    noticed: "with the same key takes it once, and answers the same",
  },
  {
    name: "a second try of a card purchase goes on with the first",
    file: "migrations/20261122000500_buying.sql",
    from: "'purchase', p_order.key) and status in ('PENDING', 'CONFIRMED');",
    to: "'purchase', p_order.key) and false;",
    test: "test/functions/purchase.test.ts",
    noticed: "a card that is declined when the payment is made keeps its seats",
  },
  {
    name: "a redemption under a known key is not made again",
    file: "migrations/20261122000500_buying.sql",
    from: `  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  perform app.enter_raffle`,
    to: `  perform app.take_token('money', v_user_id);
  perform app.enter_raffle`,
    test: "test/sql/purchases.test.ts",
    noticed: "gives the tickets that were kept, once; the same key the same ones",
  },
  {
    name: "one payment is of one purchase",
    file: "migrations/20261122000400_purchases.sql",
    from: "create unique index purchases_provider",
    to: "create index purchases_provider",
    test: "test/sql/purchases.test.ts",
    noticed: "one payment is of one purchase, whatever is not checked",
  },
  {
    name: "a losing ticket is retried once",
    file: "migrations/20261122000400_purchases.sql",
    from: "create unique index purchases_retry_once",
    to: "create index purchases_retry_once",
    test: "test/concurrency/purchases.test.ts",
    noticed: "whatever is not locked, a second retry of a ticket is refused",
  },
  {
    name: "one claim for each chosen number",
    file: "migrations/20261122000400_purchases.sql",
    from: "  primary key (raffle_id, num)",
    to: "  primary key (raffle_id, num, purchase_id)",
    test: "test/concurrency/purchases.test.ts",
    noticed: "are each sold once to fifty buyers; who comes too late keeps the money",
  },
  {
    name: "a top-up under a known key is not made again",
    file: "migrations/20261121001100_topups.sql",
    from: `  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
`,
    to: "",
    test: "test/functions/topup.test.ts",
    noticed: "gives the same answer, asks Stripe once, and is refused for another body",
  },
  {
    name: "a second try of a top-up goes on with the first",
    file: "migrations/20261121001100_topups.sql",
    from: "'topup', p_key) and status <> 'CANCELLED'",
    to: "'topup', p_key) and false",
    test: "test/functions/topup.test.ts",
    noticed: ": one top-up, one payment, one credit",
  },
  {
    name: "a top-up that was declined goes on with the same payment",
    file: "migrations/20261121001100_topups.sql",
    from: "'topup', p_key) and status <> 'CANCELLED'",
    to: "'topup', p_key) and status not in ('CANCELLED', 'FAILED')",
    test: "test/functions/topup.test.ts",
    noticed: "one that is charged after a decline is charged once for a key",
  },
  {
    name: "one payment of Stripe's is of one top-up",
    file: "migrations/20261121001100_topups.sql",
    from: `  provider_txn_id text unique,
  intent_id text unique,`,
    to: `  provider_txn_id text,
  intent_id text,`,
    test: "test/concurrency/completions.test.ts",
    noticed: "whatever is not locked, one payment and one payout of Stripe's are of one row",
  },
  {
    name: "of two customers that were made at once the first stays",
    file: "migrations/20261121001100_topups.sql",
    from: `  on conflict (user_id) do nothing;
  select customer_id`,
    to: `  on conflict (user_id) do update set customer_id = excluded.customer_id;
  select customer_id`,
    test: "test/sql/wallet.test.ts",
    noticed: "of two customers that Stripe made for one person the first stays",
  },
  {
    name: "a second try of a withdrawal goes on with the first",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "'withdraw', p_key) and status in ('CREATED', 'PROCESSING', 'COMPLETED');",
    to: "'withdraw', p_key) and false;",
    test: "test/sql/wallet.test.ts",
    noticed: "a second try of a withdrawal goes on with the first",
  },
  {
    name: "one payout of Stripe's is of one withdrawal",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  transfer_id text unique,
  provider_txn_id text unique,`,
    to: `  transfer_id text,
  provider_txn_id text,`,
    test: "test/concurrency/completions.test.ts",
    noticed: "whatever is not locked, one payment and one payout of Stripe's are of one row",
  },
  {
    name: "one open alert for each thing that is wrong",
    file: "migrations/20261121000850_alerts.sql",
    from:
      `create unique index operator_alerts_open on public.operator_alerts (kind, subject) where resolved_at is null;
`,
    to: "",
    and: [{
      from: `  on conflict (kind, subject) where resolved_at is null
  do update set times = a.times + 1, details = excluded.details
`,
      to: "",
    }],
    test: "test/sql/jobs.test.ts",
    noticed: "a violated invariant is told to who works here, once",
  },
  {
    name: "a result counts once for each source",
    file: "migrations/20261122000150_lotteries.sql",
    from:
      "  constraint lottery_entries_once unique nulls not distinct (lottery_id, draw_date, operator_id),",
    to:
      "  constraint lottery_entries_once unique nulls not distinct (lottery_id, draw_date, operator_id, entered_at),",
    test: "test/sql/lottery.test.ts",
    noticed: "counts when two operators have entered the same, and not before",
  },
  {
    name: "what is confirmed is not entered again",
    file: "migrations/20261122000150_lotteries.sql",
    from:
      "  if not exists (select from public.lottery_results where lottery_id = p_lottery_id and draw_date = p_draw_date) then",
    to: "  if true then",
    test: "test/sql/lottery.test.ts",
    noticed: "that is confirmed stays, whatever is entered afterwards",
  },
  {
    name: "one beacon is in use for new draws",
    file: "migrations/20261123000200_sealing.sql",
    from: "create unique index beacon_chains_in_use",
    to: "create index beacon_chains_in_use",
    test: "test/sql/draw.test.ts",
    noticed:
      "whatever writes it, a draw has all of its beacon, a ticket one place, and one chain is in use",
  },
  {
    name: "a category has a name of its own",
    file: "migrations/20261122000100_catalogue.sql",
    from: `  name text not null unique check (app.is_name(name, 100)),
  color`,
    to: `  name text not null check (app.is_name(name, 100)),
  color`,
    test: "test/sql/catalogue.test.ts",
    noticed: "two categories do not share a name",
  },
];
