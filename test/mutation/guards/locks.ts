// Locks: who changes a row has it to themselves.
import type { Guard } from "../guard.ts";

export const locks: Guard[] = [
  {
    name: "a transaction locks the wallets it moves",
    file: "migrations/20261121000900_ledger.sql",
    from: `    order by id
    for no key update
  loop
    v_amount := (select sum`,
    to: `    order by id
  loop
    v_amount := (select sum`,
    test: "test/concurrency/ledger.test.ts",
    noticed: "transfers sums to the constant (SEED=",
  },
  {
    name: "one reversal of a transaction at a time, and an entry is reversed once",
    file: "migrations/20261121000900_ledger.sql",
    from: `  perform pg_advisory_xact_lock(hashtextextended('reverse ' || p_transaction_id, 0));
`,
    to: "",
    and: [{
      from: "create unique index wallet_ledger_reversed_once",
      to: "create index wallet_ledger_reversed_once",
    }],
    test: "test/concurrency/ledger.test.ts",
    noticed: "of two that reverse the same transaction, the second waits and finds it done",
  },
  {
    name: "a wallet that is being made waits for a suspension",
    file: "migrations/20261121000900_ledger.sql",
    from: `      perform from public.profiles where id = p_user_id for share;
`,
    to: `      null;
`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "an account that is being made while its user is suspended is suspended as well",
  },
  {
    name: "a hold locks the wallet",
    file: "migrations/20261121001000_wallet.sql",
    from: `where id = p_account_id for no key update;
  if v_account.status = 'SUSPENDED'`,
    to: `where id = p_account_id;
  if v_account.status = 'SUSPENDED'`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "a hold waits for a debit that is under way, and does not take the same money",
  },
  {
    name: "ending a hold locks it",
    file: "migrations/20261121001000_wallet.sql",
    from: "where id = p_hold_id for update;",
    to: "where id = p_hold_id;",
    test: "test/concurrency/wallet.test.ts",
    noticed: "of two that end a hold, the second waits and finds it done",
  },
  {
    name: "the clock passes over a hold that is being ended",
    file: "migrations/20261121001000_wallet.sql",
    from: `    order by account_id, id limit 1000
    for update skip locked`,
    to: `    order by account_id, id limit 1000
    for update`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "the clock does not wait for a hold that is being ended",
  },
  {
    name: "taking money back locks the wallet",
    file: "migrations/20261121001000_wallet.sql",
    from: `where id = p_account_id for no key update;
  if v_account.kind <> 'USER'`,
    to: `where id = p_account_id;
  if v_account.kind <> 'USER'`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "money that is taken back while it is being spent becomes a debt",
  },
  {
    name: "a suspension of a wallet waits for a wallet that is being made",
    file: "migrations/20261121001000_wallet.sql",
    from: `  perform from public.profiles where id = p_user_id for no key update;
  -- Whoever`,
    to: "  -- Whoever",
    test: "test/concurrency/wallet.test.ts",
    noticed: "an account that is being made while its user is suspended is suspended as well",
  },
  {
    name: "one person's purchases come one after another",
    file: "migrations/20261121000200_identity.sql",
    from: `  perform pg_advisory_xact_lock(uuid_hash_extended(p_user_id, 1));
`,
    to: `  null;
`,
    test: "test/concurrency/purchases.test.ts",
    noticed: "with one key waits for the first, and hears the same",
  },
  {
    name: "what moves money shares a lock with a suspension",
    file: "migrations/20261121000200_identity.sql",
    from: `where id = v_user_id for share;
  if v_status`,
    to: `where id = v_user_id;
  if v_status`,
    test: "test/concurrency/identity.test.ts",
    noticed: "a suspension waits for what the user has under way, and nothing begins after it",
  },
  {
    name: "suspending somebody waits for what they have under way",
    file: "migrations/20261121000200_identity.sql",
    from: `  perform app.take_turn(p_user_id);
  update public.profiles set status`,
    to: "  update public.profiles set status",
    test: "test/concurrency/endings.test.ts",
    noticed: "wait for each other: what has begun is finished, nothing begins after it",
  },
  {
    name: "excluding oneself waits for what is under way",
    file: "migrations/20261121000600_play_limits.sql",
    from: `  perform app.take_turn(v_user_id);
  update public.profiles set self_excluded_until`,
    to: "  update public.profiles set self_excluded_until",
    test: "test/concurrency/endings.test.ts",
    noticed: "wait for each other: what has begun is finished, nothing begins after it",
  },
  {
    name: "changing a limit waits for what is under way",
    file: "migrations/20261121000600_play_limits.sql",
    from: `  perform app.take_turn(v_user_id);
  perform app.take_token('account', v_user_id);
  perform app.require_currency`,
    to: `  perform app.take_token('account', v_user_id);
  perform app.require_currency`,
    test: "test/concurrency/endings.test.ts",
    noticed: "wait for each other: what has begun is finished, nothing begins after it",
  },
  {
    name: "two claims at once make one admin",
    file: "migrations/20261121000700_admin.sql",
    from: `  lock table public.user_roles in share row exclusive mode;
`,
    to: "",
    test: "test/concurrency/identity.test.ts",
    noticed: "of two claims whose secret was right, the later one finds an admin",
  },
  {
    name: "tries of the admin secret are counted one by one",
    file: "migrations/20261121000700_admin.sql",
    from: `  perform from public.profiles where id = v_user_id for update;
  perform app.active_user`,
    to: "  perform app.active_user",
    test: "test/functions/admin.test.ts",
    noticed: "forty parallel tries by one user are five tries",
  },
  {
    name: "recording what Stripe made locks the top-up",
    file: "migrations/20261121001100_topups.sql",
    from: `where id = p_topup_id for update;
  if v_topup.provider_txn_id`,
    to: `where id = p_topup_id;
  if v_topup.provider_txn_id`,
    test: "test/concurrency/completions.test.ts",
    noticed: "what Stripe made for a top-up that is being cancelled is not handed out",
  },
  {
    name: "refusing a withdrawal locks it",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "where id = p_withdrawal_id for update;",
    to: "where id = p_withdrawal_id;",
    test: "test/concurrency/completions.test.ts",
    noticed: "what is told of a payout we know of, and our giving it up, come one after the other",
  },
  {
    name: "Stripe's word on a top-up locks it",
    file: "migrations/20261121001300_stripe.sql",
    from: "or intent_id = v_id for update;",
    to: "or intent_id = v_id;",
    and: [{
      from: "app.metadata_id(p_object, 'topup_id') for update;",
      to: "app.metadata_id(p_object, 'topup_id');",
    }],
    test: "test/concurrency/completions.test.ts",
    noticed:
      "an event and its repetition for a payment we know of wait for each other and credit once",
  },
  {
    name: "a payment and what is told of it wait for each other",
    file: "migrations/20261121001300_stripe.sql",
    from: "  select pg_advisory_xact_lock(hashtextextended('payment ' || p_intent_id, 0))",
    to: "  select",
    test: "test/concurrency/completions.test.ts",
    noticed: "a refund that is told while its payment is coming in waits for it, and is taken",
  },
  {
    name: "Stripe's word on a transfer locks the withdrawal",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from: `app.metadata_id(p_transfer, 'withdrawal_id')
  for update;`,
    to: "app.metadata_id(p_transfer, 'withdrawal_id');",
    test: "test/concurrency/completions.test.ts",
    noticed: "two words on a transfer wait for each other, and count once",
  },
  {
    name: "Stripe's word on a payout locks the withdrawal",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from: `app.metadata_id(p_payout, 'withdrawal_id')
  for update;`,
    to: "app.metadata_id(p_payout, 'withdrawal_id');",
    test: "test/concurrency/completions.test.ts",
    noticed: "two words on a payout we know of wait for each other, and count once",
  },
  {
    name: "cancelling a top-up locks it",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: "where id = p_topup_id for update;",
    to: "where id = p_topup_id;",
    test: "test/concurrency/completions.test.ts",
    noticed: "what is paid while it is being cancelled waits, and is credited all the same",
  },
  {
    name: "an unfinished top-up is handed to one sweeper",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `from public.wallet_topups where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)`,
    to: `from public.wallet_topups where check_at <= app.clock()
      order by check_at limit p_max)`,
    test: "test/concurrency/completions.test.ts",
    noticed: "what is unfinished is handed to one sweeper, and the next does not wait",
  },
  {
    name: "an unfinished withdrawal is handed to one sweeper",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `from public.wallet_withdrawals where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)`,
    to: `from public.wallet_withdrawals where check_at <= app.clock()
      order by check_at limit p_max)`,
    test: "test/concurrency/completions.test.ts",
    noticed: "what is unfinished is handed to one sweeper, and the next does not wait",
  },
  {
    name: "house balances are rolled up by one at a time",
    file: "migrations/20261121000950_house_balances.sql",
    from: "from app.ledger_mark for update",
    to: "from app.ledger_mark",
    test: "test/sql/house-balances.test.ts",
    noticed: "twenty at once add each entry once",
  },
  {
    name: "an entry that is committed late is not missed in the house balances",
    file: "migrations/20261121000950_house_balances.sql",
    from: `
    or pg_snapshot_xmin(pg_current_snapshot()) < v_mark.noted_xmax`,
    to: "",
    test: "test/sql/house-balances.test.ts",
    noticed: "an entry that is written before others and committed after them is not missed",
  },
  {
    name: "the newest ten seconds wait to be rolled up",
    file: "migrations/20261121000950_house_balances.sql",
    from: `v_mark.noted_at > clock_timestamp() - interval '10 seconds'
    or `,
    to: "",
    test: "test/sql/house-balances.test.ts",
    noticed: "what was entered in the last ten seconds waits for the next time",
  },
  {
    name: "a key that is claimed is locked",
    file: "migrations/20261121000300_idempotency.sql",
    from: `  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
  for update;
  if v_row`,
    to: `  where user_id = p_user_id and endpoint = p_endpoint and key = p_key;
  if v_row`,
    test: "test/sql/idempotency.test.ts",
    noticed: "of two that claim a key whose lease is over, the second waits and finds it claimed",
  },
  {
    name: "of two who enter a result at once the second sees the first",
    file: "migrations/20261122000150_lotteries.sql",
    from: "where id = p_lottery_id for no key update;",
    to: "where id = p_lottery_id;",
    test: "test/sql/lottery.test.ts",
    noticed: "by two at once is confirmed once: the second waits and sees the first",
  },
  {
    name: "cancelling and sealing keep out who changes purchases",
    file: "migrations/20261122000200_lanes.sql",
    from: "  select pg_advisory_xact_lock(hashtextextended('raffle ' || p_raffle_id, 0))",
    to: "  select",
    test: "test/concurrency/reservations.test.ts",
    noticed: "and the cancellation wait for each other, one way round",
  },
  {
    name: "who changes purchases enters the raffle first",
    file: "migrations/20261122000200_lanes.sql",
    from: "  select pg_advisory_xact_lock_shared(hashtextextended('raffle ' || p_raffle_id, 0))",
    to: "  select",
    test: "test/concurrency/reservations.test.ts",
    noticed: "and the cancellation wait for each other, one way round",
  },
  {
    name: "the last seats are gathered from lanes that are held",
    file: "migrations/20261122000200_lanes.sql",
    from: `where raffle_id = p_raffle_id order by lane_no for update
  loop
    if not v_lane.open`,
    to: `where raffle_id = p_raffle_id order by lane_no
  loop
    if not v_lane.open`,
    test: "test/concurrency/purchases.test.ts",
    noticed: ", is sold to the last number, each once",
  },
  {
    name: "of two that sell the last seats of two lanes, the second makes the raffle full",
    file: "migrations/20261122000200_lanes.sql",
    from: `  perform from public.raffles where id = p_raffle_id for no key update;
`,
    to: "",
    test: "test/concurrency/purchases.test.ts",
    noticed: "and the last but one, of two lanes and sold at once, make the raffle FULL",
  },
  {
    name: "a draft is published once",
    file: "migrations/20261122000300_publishing.sql",
    from: `where id = p_raffle_id for update;
  if not found`,
    to: `where id = p_raffle_id;
  if not found`,
    test: "test/sql/catalogue.test.ts",
    noticed: "is taken once by a raffle that is published twice at once",
  },
  {
    name: "terms change while no lane is being sold from",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "perform from app.raffle_lanes where raffle_id = old.id order by lane_no for update nowait;",
    to: "perform from app.raffle_lanes where raffle_id = old.id;",
    test: "test/concurrency/terms.test.ts",
    noticed: "is refused once the first sale is under way",
  },
  {
    name: "who changes terms does not wait for a sale",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "perform from app.raffle_lanes where raffle_id = old.id order by lane_no for update nowait;",
    to: "perform from app.raffle_lanes where raffle_id = old.id order by lane_no for update;",
    test: "test/concurrency/terms.test.ts",
    noticed: "and the sale of all tickets at once do not wait for each other crosswise",
  },
  {
    name: "a prize changes while no raffle of it is being sold",
    file: "migrations/20261122000300_publishing.sql",
    from: "    order by l.raffle_id, l.lane_no for update of l nowait;",
    to: "    order by l.raffle_id, l.lane_no;",
    test: "test/concurrency/terms.test.ts",
    noticed: "is what a buyer plays for who waited for it",
  },
  {
    name: "who changes a prize does not wait for a sale",
    file: "migrations/20261122000300_publishing.sql",
    from: "    order by l.raffle_id, l.lane_no for update of l nowait;",
    to: "    order by l.raffle_id, l.lane_no for update of l;",
    test: "test/concurrency/terms.test.ts",
    noticed: "and a cancellation, which gives the prize back, do not wait for each other crosswise",
  },
  {
    name: "one purchase is redeemed by one at a time",
    file: "migrations/20261122000500_buying.sql",
    from:
      "  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = p_user_id for update;",
    to:
      "  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = p_user_id;",
    test: "test/concurrency/reservations.test.ts",
    noticed:
      "a redemption waits for whoever issues the tickets of its purchase, and finds them issued",
  },
  {
    name: "recording a payment locks the purchase",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `  perform app.lock_purchase_key(p_purchase_id, p_key);
  select * into strict v_purchase from public.purchases where id = p_purchase_id for update;`,
    to: `  perform app.lock_purchase_key(p_purchase_id, p_key);
  select * into strict v_purchase from public.purchases where id = p_purchase_id;`,
    test: "test/concurrency/reservations.test.ts",
    noticed: "after its reservation has expired changes nothing, also when it waited for that",
  },
  {
    name: "refusing a payment locks the purchase",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      `  select * into strict v_purchase from public.purchases where id = p_purchase_id for update;
  if v_purchase.status = 'PENDING' and v_purchase.provider_txn_id is null`,
    to: `  select * into strict v_purchase from public.purchases where id = p_purchase_id;
  if v_purchase.status = 'PENDING' and v_purchase.provider_txn_id is null`,
    test: "test/concurrency/reservations.test.ts",
    noticed: "when our refusal waits for it is in time, and nothing is refused",
  },
  {
    name: "what is recorded of a payment takes the key before the purchase",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `endpoint = 'purchase' and key = p_key
  for update
`,
    to: `endpoint = 'purchase' and key = p_key
`,
    test: "test/concurrency/reservations.test.ts",
    noticed: "waits for its key without the purchase in hand, as those do who buy",
  },
  {
    name: "a payment takes its buyer's turn",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `  perform app.take_turn(v_purchase.user_id);
  perform app.enter_raffle(v_purchase.raffle_id);`,
    to: "  perform app.enter_raffle(v_purchase.raffle_id);",
    test: "test/concurrency/reservations.test.ts",
    noticed: "are one ticket where one is allowed, whichever comes first",
  },
  {
    name: "a payment locks its purchase",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `and payment_method = 'card'
  for update;`,
    to: "and payment_method = 'card';",
    test: "test/concurrency/reservations.test.ts",
    noticed: "when its reservation expires waits, and takes new seats",
  },
  {
    name: "an expiry locks the purchases whose time is over",
    file: "migrations/20261122000600_card_purchases.sql",
    from: "      order by id limit 1000 for update skip locked);",
    to: "      order by id limit 1000);",
    test: "test/concurrency/reservations.test.ts",
    noticed: "when its reservation is about to expire is in time, and nothing expires",
  },
  {
    name: "an expiry holds all lanes before it gives seats back",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      `    perform from app.raffle_lanes where raffle_id = v_raffle_id order by lane_no for update;
`,
    to: "",
    test: "test/concurrency/reservations.test.ts",
    noticed: "an expiry of many reservations and a buyer of many seats never wait crosswise",
  },
  {
    name: "a refund to be sent is handed to one sweeper",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `from app.card_refunds where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)`,
    to: `from app.card_refunds where check_at <= app.clock()
      order by check_at limit p_max)`,
    test: "test/concurrency/completions.test.ts",
    noticed: "what is unfinished is handed to one sweeper, and the next does not wait",
  },
  {
    name: "an unfinished purchase is handed to one sweeper",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `from public.purchases where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)`,
    to: `from public.purchases where check_at <= app.clock()
      order by check_at limit p_max)`,
    test: "test/concurrency/completions.test.ts",
    noticed: "what is unfinished is handed to one sweeper, and the next does not wait",
  },
  {
    name: "cancelling stops the lanes before it looks",
    file: "migrations/20261122000700_cancelling.sql",
    from: `  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select state into v_state`,
    to: "  select state into v_state",
    test: "test/concurrency/endings.test.ts",
    noticed: "at any moment: everybody has their money back, and no ticket is left",
  },
  {
    name: "a raffle is cancelled once",
    file: "migrations/20261122000700_cancelling.sql",
    from: "select state into v_state from public.raffles where id = p_raffle_id for update;",
    to: "select state into v_state from public.raffles where id = p_raffle_id;",
    test: "test/sql/cancelling.test.ts",
    noticed: "of a draft and its publication come one after the other, whichever is first",
  },
  {
    name: "a purchase is refunded by one at a time",
    file: "migrations/20261122000700_cancelling.sql",
    from: "status = 'CONFIRMED' limit p_max for update)",
    to: "status = 'CONFIRMED' limit p_max)",
    test: "test/sql/cancelling.test.ts",
    noticed: "pays each purchase back once, when two clocks go on with it at once",
  },
  {
    name: "a refund to the card waits for who takes the payment back",
    file: "migrations/20261122000700_cancelling.sql",
    from: "where intent_id = v_purchase.provider_txn_id for update;",
    to: "where intent_id = v_purchase.provider_txn_id;",
    test: "test/sql/cancelling.test.ts",
    noticed: "is refused while Stripe takes the payment back: nobody pays twice",
  },
  {
    name: "sealing stops the lanes before it looks",
    file: "migrations/20261123000200_sealing.sql",
    from: `  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select * into v_raffle`,
    to: "  select * into v_raffle",
    test: "test/concurrency/sealing.test.ts",
    noticed: "a purchase that is under way is waited for: it counts, and its tickets are sealed",
  },
  {
    name: "a raffle is drawn once",
    file: "migrations/20261123000300_drawing.sql",
    from: `  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  select * into v_draw from public.draws where raffle_id = p_raffle_id for update;`,
    to: `  select * into v_raffle from public.raffles where id = p_raffle_id;
  select * into v_draw from public.draws where raffle_id = p_raffle_id;`,
    test: "test/concurrency/sealing.test.ts",
    noticed: "of two that draw, and of two that settle, the second waits and finds it done",
  },
  {
    name: "a raffle is settled once",
    file: "migrations/20261123000300_drawing.sql",
    from: `select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if v_raffle.state is distinct from 'DRAWN'`,
    to: `select * into v_raffle from public.raffles where id = p_raffle_id;
  if v_raffle.state is distinct from 'DRAWN'`,
    test: "test/concurrency/sealing.test.ts",
    noticed: "of two that draw, and of two that settle, the second waits and finds it done",
  },
  {
    name: "a lottery draws a raffle once",
    file: "migrations/20261123000350_lottery_draws.sql",
    from: `  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select * into v_raffle from public.raffles where id = p_raffle_id for update;`,
    to: "  select * into v_raffle from public.raffles where id = p_raffle_id;",
    test: "test/sql/lottery.test.ts",
    noticed: "is drawn once, by two clocks at once",
  },
  {
    name: "a prize is passed on by one at a time, once",
    file: "migrations/20261123000400_prize_claims.sql",
    from: "select * into v_raffle from public.raffles where id = v_due.raffle_id for update;",
    to: "select * into v_raffle from public.raffles where id = v_due.raffle_id;",
    and: [{
      from: `and place = v_due.place and status = 'OFFERED' and claim_until <= clock_timestamp();
    continue when not found;`,
      to: "and place = v_due.place;",
    }],
    test: "test/concurrency/sealing.test.ts",
    noticed: "of two clocks that pass a prize on, the second waits and finds it done",
  },
  {
    name: "claiming locks the claim",
    file: "migrations/20261123000400_prize_claims.sql",
    from: "and user_id = v_user_id for update;",
    to: "and user_id = v_user_id;",
    test: "test/concurrency/sealing.test.ts",
    noticed: "a prize that is being sent is not claimed to somewhere else",
  },
  {
    name: "a raffle is published on a calendar that stays",
    file: "migrations/20261122000300_publishing.sql",
    from:
      `  perform from public.lotteries where id = v_raffle.lottery_id for share; -- its calendar stays as it is looked at
`,
    to: "",
    test: "test/sql/lottery.test.ts",
    noticed: "that is published",
  },
  {
    name: "new terms are checked on a calendar that stays",
    file: "migrations/20261122000300_publishing.sql",
    from: `  perform from public.lotteries where id = new.lottery_id for share;
`,
    to: "",
    test: "test/sql/lottery.test.ts",
    noticed: "whose terms change",
  },
  {
    name: "a raffle looks to the next draw on a calendar that stays",
    file: "migrations/20261123000350_lottery_draws.sql",
    from:
      `    perform from public.lotteries where id = v_draw.lottery_id for share; -- its calendar stays as it is looked at
`,
    to: "",
    test: "test/sql/lottery.test.ts",
    noticed: "whose number was unsold",
  },
  {
    name: "a date of a lottery is set while nobody looks to it",
    file: "migrations/20261122000150_lotteries.sql",
    from: `where id = p_lottery_id for update;
  if not found`,
    to: `where id = p_lottery_id;
  if not found`,
    test: "test/sql/lottery.test.ts",
    noticed: "that is published",
  },
];
