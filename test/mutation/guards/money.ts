// Money: the ledger, wallets, withdrawals, what finds lost payments, and the invariants.
import type { Guard } from "../guard.ts";

export const money: Guard[] = [
  {
    name: "the entries of a transaction sum to zero",
    file: "migrations/20261121000900_ledger.sql",
    from: "  if v_cents <> 0 or v_first <> v_last and exists",
    to: "  if v_first <> v_last and exists",
    test: "test/sql/ledger.test.ts",
    noticed: "and nothing is written",
  },
  {
    name: "the entries sum to zero in each currency",
    file: "migrations/20261121000900_ledger.sql",
    from: `  if v_cents <> 0 or v_first <> v_last and exists (
    select from unnest(p_postings) p join public.wallet_accounts a on a.id = p.account_id
    group by a.currency having sum(p.amount_cents) <> 0)
  then`,
    to: "  if v_cents <> 0 then",
    test: "test/sql/ledger.test.ts",
    noticed: "and nothing is written",
  },
  {
    name: "a transaction has two entries or more, on accounts that exist",
    file: "migrations/20261121000900_ledger.sql",
    from: "  if v_written < 2 or v_written is distinct from cardinality(p_postings) then",
    to: "  if false then",
    test: "test/sql/ledger.test.ts",
    noticed: "and nothing is written",
  },
  {
    name: "an adjustment has its note",
    file: "migrations/20261121000900_ledger.sql",
    from: "  if p_reason = 'ADJUSTMENT' and p_note is null then",
    to: "  if false then",
    test: "test/sql/ledger.test.ts",
    noticed: "an adjustment with the note",
  },
  {
    name: "a suspended wallet refuses debits",
    file: "migrations/20261121000900_ledger.sql",
    from: "    if v_amount < 0 and v_account.status = 'SUSPENDED' and not p_even_suspended then",
    to: "    if false then",
    test: "test/sql/wallet.test.ts",
    noticed: "a suspended wallet refuses debits and holds, takes credits, and is reinstated",
  },
  {
    name: "nobody spends more than they have",
    file: "migrations/20261121000900_ledger.sql",
    from:
      "    if v_amount < 0 and v_account.balance_cents - v_account.held_cents + v_amount < 0 then",
    to: "    if false then",
    and: [{
      from: `  constraint wallet_accounts_balance check (balance_cents >= held_cents)
`,
      to: `  constraint wallet_accounts_balance check (true)
`,
    }],
    test: "test/concurrency/ledger.test.ts",
    noticed: "the last money is spent once",
  },
  {
    name: "a balance covers what is held of it",
    file: "migrations/20261121000900_ledger.sql",
    from: `  constraint wallet_accounts_balance check (balance_cents >= held_cents)
`,
    to: `  constraint wallet_accounts_balance check (true)
`,
    test: "test/sql/ledger.test.ts",
    noticed: ", whatever goes wrong in the functions",
  },
  {
    name: "an amount is above zero",
    file: "migrations/20261121000900_ledger.sql",
    from: "create domain app.note as text check (length(value) between 1 and 500);",
    to: "create domain app.note as text;",
    test: "test/sql/ledger.test.ts",
    noticed: "an adjustment with the note",
  },
  {
    name: "new wallets inherit a suspension",
    file: "migrations/20261121000900_ledger.sql",
    from: "select max(suspended_reason) from public.wallet_accounts where user_id = p_user_id",
    to: "null",
    test: "test/sql/wallet.test.ts",
    noticed: "a suspended user's new wallets are suspended, the first one included",
  },
  {
    name: "whoever owes something pays it from whatever comes in",
    file: "migrations/20261121000900_ledger.sql",
    from: "  if v_owes then",
    to: "  if false then",
    test: "test/sql/wallet.test.ts",
    noticed: "a debt suspends until it is paid from whatever comes in",
  },
  {
    name: "a debt suspends the wallet",
    file: "migrations/20261121000900_ledger.sql",
    from: "new.suspended_reason is null and coalesce(new.debt_cents, 0) = 0",
    to: "new.suspended_reason is null",
    test: "test/sql/wallet.test.ts",
    noticed: "a debt suspends until it is paid from whatever comes in",
  },
  {
    name: "what was reversed is not reversed again",
    file: "migrations/20261121000900_ledger.sql",
    from: "    perform app.fail('transaction_already_reversed');",
    to: "    null;",
    test: "test/concurrency/ledger.test.ts",
    noticed: "a transaction is reversed once, however many try at once",
  },
  {
    name: "a debt is given back by charge_back alone",
    file: "migrations/20261121000900_ledger.sql",
    from: "    raise exception 'app.reverse_transaction: a debt is given back by app.charge_back';",
    to: "    null;",
    test: "test/sql/ledger.test.ts",
    noticed: "what is spent already cannot be reversed, a debt by nothing but charge_back",
  },
  {
    name: "a kind of account has its columns",
    file: "migrations/20261121000900_ledger.sql",
    from:
      "    raise exception 'an account of kind % has other columns', new.kind using errcode = 'check_violation';",
    to: "    null;",
    test: "test/sql/ledger.test.ts",
    noticed: "no account has another kind's columns, and no entry is of nothing:",
  },
  {
    name: "payouts are of amounts above zero, and not from a wallet",
    file: "migrations/20261121000900_ledger.sql",
    from: "    raise exception 'app.post_payouts: pays amounts above zero, and not from a wallet';",
    to: "    null;",
    test: "test/sql/ledger.test.ts",
    noticed: "payouts are of amounts above zero, and never from a wallet",
  },
  {
    name: "payouts pay debts first",
    file: "migrations/20261121000900_ledger.sql",
    from:
      "  perform app.collect_debts(array(select (account_id, amount_cents)::app.posting from unnest(p_items)));",
    to: "  null;",
    test: "test/sql/cancelling.test.ts",
    noticed: "pays a debt before anything else",
  },
  {
    name: "an amount is above zero, whatever is not checked",
    file: "migrations/20261121000100_foundation.sql",
    from: "create domain app.amount as bigint check (value > 0);",
    to: "create domain app.amount as bigint;",
    test: "test/sql/ledger.test.ts",
    noticed: "no account has another kind's columns, and no entry is of nothing:",
  },
  {
    name: "nothing is held or owed below zero",
    file: "migrations/20261121000100_foundation.sql",
    from: "create domain app.cents as bigint check (value >= 0);",
    to: "create domain app.cents as bigint;",
    test: "test/sql/ledger.test.ts",
    noticed: ", whatever goes wrong in the functions",
  },
  {
    name: "what is held is not held again",
    file: "migrations/20261121001000_wallet.sql",
    from: "  if v_account.balance_cents - v_account.held_cents < p_amount_cents then",
    to: "  if v_account.balance_cents < p_amount_cents then",
    test: "test/concurrency/wallet.test.ts",
    noticed: "holds and debits that race never spend the same money twice",
  },
  {
    name: "a suspended wallet refuses holds",
    file: "migrations/20261121001000_wallet.sql",
    from: `  if v_account.status = 'SUSPENDED' then
    perform app.fail('wallet_suspended');
  end if;
  if v_account.balance`,
    to: "  if v_account.balance",
    test: "test/sql/wallet.test.ts",
    noticed: "a suspended wallet refuses debits and holds, takes credits, and is reinstated",
  },
  {
    name: "what is released pays a debt",
    file: "migrations/20261121001000_wallet.sql",
    from: "  perform app.collect_debts(array[(v_hold.account_id, 0)::app.posting]);",
    to: "  null;",
    test: "test/sql/wallet.test.ts",
    noticed: "a debt suspends until it is paid from whatever comes in",
  },
  {
    name: "an adjustment is neither zero nor beyond measure",
    file: "migrations/20261121001000_wallet.sql",
    from: "  if coalesce(p_amount_cents, 0) = 0 or abs(p_amount_cents) > 100000000000 then",
    to: "  if false then",
    test: "test/sql/wallet.test.ts",
    noticed:
      "staff act on others' wallets alone, adjust as admins, and all of it is in the audit log",
  },
  {
    name: "an adjustment is in the audit log",
    file: "migrations/20261121001000_wallet.sql",
    from:
      `  insert into public.audit_log (actor_id, actor_kind, action, subject_table, subject_id, after)
  values (auth.uid(), app.actor_kind(), 'adjust', 'wallet_accounts', v_account_id, jsonb_build_object(
    'amount_cents', p_amount_cents, 'note', btrim(p_note), 'transaction_id', v_transaction_id));
`,
    to: "",
    test: "test/sql/wallet.test.ts",
    noticed:
      "staff act on others' wallets alone, adjust as admins, and all of it is in the audit log",
  },
  {
    name: "a suspension is in the audit log",
    file: "migrations/20261121001000_wallet.sql",
    from: `create trigger record_change after update of suspended_reason on public.wallet_accounts
  for each row execute function app.record_change('id');
`,
    to: "",
    test: "test/sql/wallet.test.ts",
    noticed:
      "staff act on others' wallets alone, adjust as admins, and all of it is in the audit log",
  },
  {
    name: "a reason is given",
    file: "migrations/20261121001000_wallet.sql",
    from: "  if coalesce(length(btrim(p_note)), 0) not between 1 and 500 then",
    to: "  if false then",
    test: "test/sql/wallet.test.ts",
    noticed:
      "staff act on others' wallets alone, adjust as admins, and all of it is in the audit log",
  },
  {
    name: "what is not there becomes a debt",
    file: "migrations/20261121001000_wallet.sql",
    from: "    then greatest(p_amount_cents - (v_account.balance_cents - v_account.held_cents), 0)",
    to: "    then 0",
    test: "test/concurrency/wallet.test.ts",
    noticed: "money that is taken back while it is being spent becomes a debt",
  },
  {
    name: "who is not verified takes nothing out",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "  if v_profile.kyc_status <> 'VERIFIED' then",
    to: "  if false then",
    test: "test/functions/withdraw.test.ts",
    noticed: "to whoever is not checked, has no account to be paid to, or not enough money",
  },
  {
    name: "who has no account to be paid to takes nothing out",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "  if v_profile.payout_account is null then",
    to: "  if false then",
    test: "test/functions/withdraw.test.ts",
    noticed: "to whoever is not checked, has no account to be paid to, or not enough money",
  },
  {
    name: "who owes in one currency takes nothing out in another",
    file: "migrations/20261121001200_withdrawals.sql",
    from:
      "  if exists (select from public.wallet_accounts where user_id = v_user_id and debt_cents > 0) then",
    to: "  if false then",
    test: "test/functions/withdraw.test.ts",
    noticed: "who owes in one currency takes nothing out in another",
  },
  {
    name: "a withdrawal has a least amount",
    file: "migrations/20261121001200_withdrawals.sql",
    from:
      "  if p_amount_cents is null or p_amount_cents < app.setting('withdrawal_minimum_cents') then",
    to: "  if false then",
    test: "test/functions/withdraw.test.ts",
    noticed: ", and nothing is held",
  },
  {
    name: "a payout account is one of Stripe's",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "check (payout_account ~ '^acct_[A-Za-z0-9]{1,64}$')",
    to: "check (true)",
    test: "test/functions/withdraw.test.ts",
    noticed: "a payout account set by whoever is no operator, for oneself, or that is none",
  },
  {
    name: "withdrawing is counted",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  perform app.take_token('money', v_user_id);
`,
    to: "",
    test: "test/sql/rate-limits.test.ts",
    noticed: "is refused when there is no token left, before anything else",
  },
  {
    name: "a step whose answer is lost is not taken for refused",
    file: "shared/withdrawals.ts",
    from: '    if (outcome !== "unknown") await refused(code);',
    to: "    await refused(code);",
    test: "test/functions/sweep.test.ts",
    noticed: "a transfer is found, never sent twice, and goes on to the bank when",
  },
  {
    name: "the transfer of a refused payout is fetched back",
    file: "shared/withdrawals.ts",
    from: `      await fetchBack(system, transferId).catch(readFailure);
    },`,
    to: "    },",
    test: "test/functions/withdraw.test.ts",
    noticed: "when Stripe refuses the payout the transfer is fetched back",
  },
  {
    name: "a transfer says which withdrawal it is for",
    file: "shared/withdrawals.ts",
    from: `      transfer_group: step.id,
      metadata: { withdrawal_id: step.id },
    }, { idempotencyKey: step.id`,
    to: `      transfer_group: step.id,
    }, { idempotencyKey: step.id`,
    test: "test/functions/withdraw.test.ts",
    noticed: "is held, sent, and captured once the bank has it",
  },
  {
    name: "a transfer that Stripe does not know is not given up at once",
    file: "functions/reconcile/sweep.ts",
    from: "return row.given_up ? await giveUp",
    to: "return true ? await giveUp",
    test: "test/functions/sweep.test.ts",
    noticed: "a transfer that Stripe does not know is given up only after the setting's minutes",
  },
  {
    name: "a payout that Stripe does not know is not given up at once",
    file: "functions/reconcile/sweep.ts",
    from: "  else if (row.given_up) {",
    to: "  else {",
    test: "test/functions/sweep.test.ts",
    noticed:
      "a payout that Stripe does not know is given up only then too, and its transfer fetched back",
  },
  {
    name: "a top-up is cancelled only once Stripe was asked",
    file: "functions/reconcile/sweep.ts",
    from: "const payment = id ? await readPayment(id) : await findPayment(topup);",
    to: "const payment = id ? await readPayment(id) : null;",
    test: "test/functions/sweep.test.ts",
    noticed: "a top-up that is paid but not known to us is found and credited",
  },
  {
    name: "the transfer of a failed withdrawal is fetched back",
    file: "functions/reconcile/sweep.ts",
    from: `    if (!row.transfer_reversed) await fetchBack(system, transferId);
`,
    to: "",
    test: "test/functions/sweep.test.ts",
    noticed: "the transfer of a failed payout is fetched back once, and nothing stays under way",
  },
  {
    name: "a refund that was sent is not sent again",
    file: "functions/reconcile/sweep.ts",
    from: "refunds.data.find(({ metadata }) => metadata?.refund_id === id) ??",
    to: "undefined ??",
    test: "test/functions/purchase.test.ts",
    noticed: "and goes back to its card if there are none, and the buyer is told",
  },
  {
    name: "payouts of the accounts are looked for too",
    file: "functions/reconcile/lost.ts",
    from: '  for (const account of await system("recent_destinations", { days: days + 30 })) {',
    to:
      '  for (const account of (await system("recent_destinations", { days: days + 30 })).slice(0, 0)) {',
    test: "test/functions/reconcile.test.ts",
    noticed: "a payout that the bank sends back after it was paid is found though nobody was told",
  },
  {
    name: "what was lost is applied",
    file: "functions/reconcile/lost.ts",
    from: "      for (const event of page.filter(({ id }) => missing.has(id))) {",
    to: "      for (const event of page.filter(() => false)) {",
    test: "test/functions/reconcile.test.ts",
    noticed: "a payout that the bank sends back after it was paid is found though nobody was told",
  },
  {
    name: "a balance that is not the sum of its entries is noticed",
    file: "migrations/20261128000000_invariants.sql",
    from: "having a.balance_cents <> coalesce(sum(l.cents), 0)",
    to: "having false",
    test: "test/sql/ledger.test.ts",
    noticed: "invariant",
  },
  {
    name: "an escrow that is not what was paid is noticed",
    file: "migrations/20261128000000_invariants.sql",
    from: "  having coalesce(sum(l.cents), 0) <> case r.state when 'SETTLED' then 0 else 1 end * (",
    to: "  having 1 < 0 * (",
    test: "test/sql/invariants.test.ts",
    noticed: ") notices:",
  },
  {
    name: "a purchase without its tickets is noticed",
    file: "migrations/20261128000000_invariants.sql",
    from: "t.tickets <> p.quantity or s.seats <> 0",
    to: "false",
    test: "test/sql/invariants.test.ts",
    noticed: ") notices:",
  },
  {
    name: "a root that is not that of the tickets is noticed",
    file: "migrations/20261128000000_invariants.sql",
    from: "r.state <> 'CANCELLED' and d.ticket_root <>",
    to: "false and d.ticket_root <>",
    test: "test/sql/draw.test.ts",
    noticed: "is missed by invariant 6 when a superuser makes it",
  },
  {
    name: "another winner is noticed",
    file: "migrations/20261128000000_invariants.sql",
    from: "  where d.randomness is not null and (",
    to: "  where false and (",
    test: "test/sql/draw.test.ts",
    noticed: "is missed by invariant 6 when a superuser makes it",
  },
];
