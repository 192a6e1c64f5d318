// States: what is looked at again under the lock, and which change follows which.
import type { Guard } from "../guard.ts";

export const states: Guard[] = [
  {
    name: "a state changes only as the table says",
    file: "migrations/20261121000100_foundation.sql",
    from:
      `    select from app.state_changes where subject = tg_table_name and from_state = v_from and to_state = v_to
`,
    to: `    select 1
`,
    test: "test/sql/purchases.test.ts",
    noticed: "a purchase changes its state in its order only: no final state is left again",
  },
  {
    name: "a purchase's state",
    file: "migrations/20261122000400_purchases.sql",
    from: `create trigger enforce_state_change before update on public.purchases
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: "a purchase changes its state in its order only: no final state is left again",
  },
  {
    name: "a raffle's state",
    file: "migrations/20261122000100_catalogue.sql",
    from: `create trigger enforce_state_change before update on public.raffles
  for each row when (old.state is distinct from new.state) execute function app.enforce_state_change('state');`,
    to: "",
    test: "test/sql/catalogue.test.ts",
    noticed: "a state only changes in its order, and a published raffle is not deleted",
  },
  {
    name: "a hold's state",
    file: "migrations/20261121001000_wallet.sql",
    from: `create trigger enforce_state_change before update on public.wallet_holds
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();`,
    to: "",
    test: "test/concurrency/completions.test.ts",
    noticed: "a top-up, a withdrawal and a hold change their states in their order only",
  },
  {
    name: "a hold ends once",
    file: "migrations/20261121001000_wallet.sql",
    from: "v_hold.status <> 'ACTIVE' or (p_status",
    to: "(p_status",
    test: "test/sql/wallet.test.ts",
    noticed: "a hold ends once, and an expired one is not captured",
  },
  {
    name: "an expired hold is not captured",
    file: "migrations/20261121001000_wallet.sql",
    from: " or (p_status = 'CAPTURED' and v_hold.expires_at <= app.clock())",
    to: "",
    test: "test/sql/wallet.test.ts",
    noticed: "a hold ends once, and an expired one is not captured",
  },
  {
    name: "only holds whose time is over are released",
    file: "migrations/20261121001000_wallet.sql",
    from: `    where status = 'ACTIVE' and expires_at <= app.clock()
`,
    to: `    where status = 'ACTIVE'
`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "a hold whose time is over is given back once, however often the clock runs",
  },
  {
    name: "a top-up's state",
    file: "migrations/20261121001100_topups.sql",
    from: `create trigger enforce_state_change before update on public.wallet_topups
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();`,
    to: "",
    test: "test/concurrency/completions.test.ts",
    noticed: "a top-up, a withdrawal and a hold change their states in their order only",
  },
  {
    name: "a top-up that is over ends no second time",
    file: "migrations/20261121001100_topups.sql",
    from: "  if p_topup.status in ('COMPLETED', 'CANCELLED', p_status) then",
    to: "  if p_topup.status in ('COMPLETED', p_status) then",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "a completed top-up does not fail",
    file: "migrations/20261121001100_topups.sql",
    from: "  if p_topup.status in ('COMPLETED', 'CANCELLED', p_status) then",
    to: "  if p_topup.status in ('CANCELLED', p_status) then",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "what Stripe made for another try is not taken for this one",
    file: "migrations/20261121001100_topups.sql",
    from: "  if v_topup.provider_txn_id is distinct from p_object ->> 'id' then",
    to: "  if false then",
    test: "test/concurrency/completions.test.ts",
    noticed: "what Stripe made for a top-up that is being cancelled is not handed out",
  },
  {
    name: "a top-up adopts one payment",
    file: "migrations/20261121001100_topups.sql",
    from: "  if v_topup.provider_txn_id is null and v_topup.status = 'CREATED' then",
    to: "  if true then",
    test: "test/concurrency/completions.test.ts",
    noticed: "what Stripe made for a top-up that is being cancelled is not handed out",
  },
  {
    name: "a withdrawal's state",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `create trigger enforce_state_change before update on public.wallet_withdrawals
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();`,
    to: "",
    test: "test/concurrency/completions.test.ts",
    noticed: "a top-up, a withdrawal and a hold change their states in their order only",
  },
  {
    name: "the transfer of a withdrawal is asked for once",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `where id = p_withdrawal_id and status = 'CREATED'
  returning jsonb`,
    to: `where id = p_withdrawal_id
  returning jsonb`,
    test: "test/concurrency/completions.test.ts",
    noticed: "of many that claim a step of a withdrawal at once, one gets it",
  },
  {
    name: "the payout of a withdrawal is asked for once",
    file: "migrations/20261121001200_withdrawals.sql",
    from: " and transfer_id is not null and payout_claimed_at is null",
    to: " and transfer_id is not null",
    test: "test/concurrency/completions.test.ts",
    noticed: "of many that claim a step of a withdrawal at once, one gets it",
  },
  {
    name: "a payout is asked for after its transfer",
    file: "migrations/20261121001200_withdrawals.sql",
    from: " and transfer_id is not null and payout_claimed_at is null",
    to: " and payout_claimed_at is null",
    test: "test/concurrency/completions.test.ts",
    noticed: "of many that claim a step of a withdrawal at once, one gets it",
  },
  {
    name: "a transfer is booked once",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  if p_withdrawal.transfer_id is not null then
    return false;
  end if;
`,
    to: "",
    test: "test/concurrency/completions.test.ts",
    noticed: "two words on a transfer wait for each other, and count once",
  },
  {
    name: "a reversal of a transfer is booked once",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  if p_withdrawal.transfer_reversed_at is not null then
    return false;
  end if;
`,
    to: "",
    test: "test/concurrency/completions.test.ts",
    noticed: "a transfer that comes back comes back once, however often that is told",
  },
  {
    name: "a withdrawal is captured once, when it was under way",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  if p_withdrawal.status <> 'PROCESSING' then
    return false;
  end if;
`,
    to: "",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "a withdrawal fails once",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `  if p_withdrawal.status not in ('PROCESSING', 'COMPLETED') then
    return false;
  end if;
`,
    to: "",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "a withdrawal that was paid and came back gives the money back",
    file: "migrations/20261121001200_withdrawals.sql",
    from: "not in ('PROCESSING', 'COMPLETED') then",
    to: "not in ('PROCESSING') then",
    test: "test/concurrency/completions.test.ts",
    noticed:
      "a payout's failure that is told while its payment is being booked gives the money back once",
  },
  {
    name: "a withdrawal that failed holds nothing",
    file: "migrations/20261121001200_withdrawals.sql",
    from: `    perform app.release_hold(p_withdrawal.hold_id);
  else`,
    to: `    null;
  else`,
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "only a withdrawal of which nothing was sent is cancelled",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `where id = p_withdrawal_id and status = 'CREATED'
  returning * into`,
    to: `where id = p_withdrawal_id
  returning * into`,
    test: "test/concurrency/completions.test.ts",
    noticed: "a withdrawal that may have been sent is not cancelled",
  },
  {
    name: "a cancelled withdrawal holds nothing",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `  perform app.release_hold(v_withdrawal.hold_id);
  perform app.tell`,
    to: "  perform app.tell",
    test: "test/functions/sweep.test.ts",
    noticed: "a withdrawal of which nothing was sent is cancelled, and its money is free",
  },
  {
    name: "a paid session credits once",
    file: "migrations/20261121001300_stripe.sql",
    from: "  if v_paid and v_topup.status <> 'COMPLETED' then",
    to: "  if v_paid then",
    test: "test/concurrency/completions.test.ts",
    noticed: "fifty completions of one top-up at once credit it once, and none fails",
  },
  {
    name: "a paid intent credits once",
    file: "migrations/20261121001300_stripe.sql",
    from: "  if v_status = 'succeeded' and v_topup.status <> 'COMPLETED' then",
    to: "  if v_status = 'succeeded' then",
    test: "test/concurrency/completions.test.ts",
    noticed: "fifty completions of one top-up at once credit it once, and none fails",
  },
  {
    name: "what Stripe told later is not undone by what it told before",
    file: "migrations/20261121001400_chargebacks.sql",
    from: " where excluded.rank > r.rank;",
    to: ";",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "an older charge gives nothing back",
    file: "migrations/20261121001400_chargebacks.sql",
    from: "greatest(charge_refunded_cents, v_refunded)",
    to: "v_refunded",
    test: "test/sql/stripe-misfits.test.ts",
    noticed:
      "what a charge says was refunded of it is taken, and an older charge gives nothing back",
  },
  {
    name: "what is taken already is not taken again",
    file: "migrations/20261121001400_chargebacks.sql",
    from: `  if v_target = p_payment.taken_cents then
    return 'duplicate';
  end if;
  update app.card_payments set taken_cents = v_target where intent_id = p_payment.intent_id;`,
    to: "  update app.card_payments set taken_cents = 0 where intent_id = p_payment.intent_id;",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "no seat is taken from a lane that is closed",
    file: "migrations/20261122000200_lanes.sql",
    from: "l.raffle_id = p_raffle_id and l.open and l.fresh >= p_quantity",
    to: "l.raffle_id = p_raffle_id and l.fresh >= p_quantity",
    and: [{
      from: "where raffle_id = p_raffle_id and open and fresh >= p_quantity and lane_no = (",
      to: "where raffle_id = p_raffle_id and fresh >= p_quantity and lane_no = (",
    }, {
      from: `where raffle_id = p_raffle_id and open and fresh >= p_quantity
          order`,
      to: `where raffle_id = p_raffle_id and fresh >= p_quantity
          order`,
    }, { from: "    if not v_lane.open then", to: "    if false then" }],
    test: "test/concurrency/endings.test.ts",
    noticed: "at any moment: everybody has their money back, and no ticket is left",
  },
  {
    name: "no more seats are sold than there are",
    file: "migrations/20261122000200_lanes.sql",
    from: "  if v_free < p_quantity then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "to the last ticket makes the raffle FULL, and then it is sold out",
  },
  {
    name: "a lane never counts below zero",
    file: "migrations/20261122000200_lanes.sql",
    from: "create domain app.seat_count as integer check (value >= 0);",
    to: "create domain app.seat_count as integer;",
    test: "test/concurrency/purchases.test.ts",
    noticed: "whatever is not locked, no lane sells more than it has",
  },
  {
    name: "a raffle is full only when every seat is paid",
    file: "migrations/20261122000200_lanes.sql",
    from: "    where raffle_id = p_raffle_id and (fresh > 0 or returned > 0 or unpaid > 0));",
    to: "    where raffle_id = p_raffle_id and (fresh > 0 or returned > 0));",
    test: "test/sql/purchases.test.ts",
    noticed: "beside the last reservation leaves the raffle OPEN: its payment makes it FULL",
  },
  {
    name: "a raffle is full only when every lane is sold",
    file: "migrations/20261122000200_lanes.sql",
    from: `  where id = p_raffle_id and state = 'OPEN' and not exists (
    select from app.raffle_lanes
    where raffle_id = p_raffle_id and (fresh > 0 or returned > 0 or unpaid > 0));`,
    to: "  where id = p_raffle_id and state = 'OPEN';",
    test: "test/concurrency/purchases.test.ts",
    noticed: ", is sold to the last number, each once",
  },
  {
    name: "only a draft is published",
    file: "migrations/20261122000300_publishing.sql",
    from: "  elsif v_raffle.state <> 'DRAFT' then",
    to: "  elsif false then",
    test: "test/sql/catalogue.test.ts",
    noticed: "is taken once by a raffle that is published twice at once",
  },
  {
    name: "a prize that is out of stock is not raffled",
    file: "migrations/20261122000300_publishing.sql",
    from: "where id = v_raffle.prize_id and stock >= v_raffle.prizes_taken;",
    to: "where id = v_raffle.prize_id;",
    test: "test/sql/catalogue.test.ts",
    noticed: "needs a prize in stock, and an operator",
  },
  {
    name: "a draft with a fault is not published",
    file: "migrations/20261122000300_publishing.sql",
    from: `  perform app.require_sound_terms(v_raffle);
`,
    to: "",
    test: "test/sql/catalogue.test.ts",
    noticed:
      "of a fund beyond what the raffle brings in is refused, and whatever is not checked, they add up",
  },
  {
    name: "nothing is sold but while the raffle is open",
    file: "migrations/20261122000400_purchases.sql",
    from:
      "  if p_raffle.state <> 'OPEN' or clock_timestamp() not between p_raffle.opens_at and p_raffle.closes_at then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "before it opens, after it closes, what is a draft, or does not exist",
  },
  {
    name: "nothing is sold before the opening",
    file: "migrations/20261122000400_purchases.sql",
    from: "not between p_raffle.opens_at and p_raffle.closes_at then",
    to: "> p_raffle.closes_at then",
    test: "test/sql/purchases.test.ts",
    noticed: "before it opens, after it closes, what is a draft, or does not exist",
  },
  {
    name: "nothing is sold after the closing",
    file: "migrations/20261122000400_purchases.sql",
    from: "clock_timestamp() not between p_raffle.opens_at and p_raffle.closes_at then",
    to: "clock_timestamp() < p_raffle.opens_at then",
    test: "test/sql/purchases.test.ts",
    noticed: "before it opens, after it closes, what is a draft, or does not exist",
  },
  {
    name: "only confirmed purchases are redeemed",
    file: "migrations/20261122000500_buying.sql",
    from: "  elsif v_purchase.status <> 'CONFIRMED' then",
    to: "  elsif false then",
    test: "test/sql/purchases.test.ts",
    noticed: "is refused for others', unpaid and refunded purchases",
  },
  {
    name: "an unpaid purchase is not redeemed",
    file: "migrations/20261122000500_buying.sql",
    from: `  elsif v_purchase.status = 'PENDING' then
    perform app.fail('purchase_not_confirmed');
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: "is refused for others', unpaid and refunded purchases",
  },
  {
    name: "a purchase is redeemed once",
    file: "migrations/20261122000500_buying.sql",
    from: "  elsif v_purchase.redeemed then",
    to: "  elsif false then",
    test: "test/sql/purchases.test.ts",
    noticed: "gives the tickets that were kept, once; the same key the same ones",
  },
  {
    name: "nobody redeems after the closing",
    file: "migrations/20261122000500_buying.sql",
    from: "  if v_raffle.state not in ('OPEN', 'FULL') or app.clock() > v_raffle.closes_at then",
    to: "  if v_raffle.state not in ('OPEN', 'FULL') then",
    test: "test/sql/purchases.test.ts",
    noticed: "is over when the raffle closes: nobody chooses a number after that",
  },
  {
    name: "numbers that were chosen when buying stay",
    file: "migrations/20261122000500_buying.sql",
    from: "    if cardinality(v_numbers) > 0 and not p_numbers <@ v_numbers then",
    to: "    if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "takes no number twice, and no others than were chosen when it was bought",
  },
  {
    name: "what expired meanwhile is not paid for any more",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      "  if v_purchase.status not in ('PENDING', 'CONFIRMED') or v_purchase.provider_txn_id is distinct from p_intent ->> 'id' then",
    to: "  if false then",
    test: "test/concurrency/reservations.test.ts",
    noticed: "after its reservation has expired changes nothing, also when it waited for that",
  },
  {
    name: "another payment does not take the place of the first",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      "  if v_purchase.status = 'PENDING' and coalesce(v_purchase.provider_txn_id, p_intent ->> 'id') = p_intent ->> 'id' then",
    to: "  if v_purchase.status = 'PENDING' then",
    test: "test/concurrency/reservations.test.ts",
    noticed: "stays what it was when another payment is named",
  },
  {
    name: "a refusal ends no reservation whose payment is known",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `  if v_purchase.status = 'PENDING' and v_purchase.provider_txn_id is null then
    perform app.end`,
    to: `  if v_purchase.status = 'PENDING' then
    perform app.end`,
    test: "test/concurrency/reservations.test.ts",
    noticed: "or its refusal, once it is known at Stripe, leaves the reservation as it is",
  },
  {
    name: "a cancellation that is told late undoes nothing",
    file: "migrations/20261122000600_card_purchases.sql",
    from: "  elsif v_purchase.status = 'PENDING' and v_status = 'canceled' then",
    to: "  elsif v_status = 'canceled' then",
    test: "test/concurrency/reservations.test.ts",
    noticed: "is not undone by a cancellation that is told later",
  },
  {
    name: "a payment is taken once",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      `  if exists (select from app.card_payments where intent_id = p_purchase.provider_txn_id) then
    return false;
  end if;
`,
    to: "",
    test: "test/concurrency/reservations.test.ts",
    noticed: "when it is told twice is taken once",
  },
  {
    name: "a late payment buys nothing for who may not play",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `    perform app.require_player(p_purchase.user_id);
    perform app.require_active_wallet(app.find`,
    to: "    perform app.require_active_wallet(app.find",
    test: "test/concurrency/reservations.test.ts",
    noticed: ", is sent back; one in time is honoured",
  },
  {
    name: "a late payment buys nothing for a suspended wallet",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      `    perform app.require_active_wallet(app.find_account('USER', p_purchase.currency, p_purchase.user_id, null));
`,
    to: "",
    test: "test/concurrency/reservations.test.ts",
    noticed: ", is sent back; one in time is honoured",
  },
  {
    name: "a late payment keeps to the terms",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      `    perform app.price_for(v_raffle, p_purchase.user_id, p_purchase.type, p_purchase.quantity, p_purchase.ticket_id);
`,
    to: "",
    test: "test/concurrency/reservations.test.ts",
    noticed: "does not give one person more tickets than they may have",
  },
  {
    name: "a late payment keeps to the buyer's limits",
    file: "migrations/20261122000600_card_purchases.sql",
    from:
      `    perform app.within_spend_limits(p_purchase.user_id, p_purchase.currency, p_purchase.amount_cents);
`,
    to: "",
    test: "test/concurrency/reservations.test.ts",
    noticed: ", is sent back; one in time is honoured",
  },
  {
    name: "a late payment for chosen numbers buys these",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `    if p_purchase.numbers is not null then
      perform app.claim_numbers(v_raffle, p_purchase.id, p_purchase.numbers);
    end if;
  exception`,
    to: "  exception",
    test: "test/concurrency/reservations.test.ts",
    noticed: "for chosen numbers buys these, or is sent back",
  },
  {
    name: "only reservations whose time is over expire",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `      where raffle_id = v_raffle_id and status = 'PENDING' and expires_at <= app.clock()
`,
    to: `      where raffle_id = v_raffle_id and status = 'PENDING'
`,
    test: "test/concurrency/reservations.test.ts",
    noticed: ", is sent back; one in time is honoured",
  },
  {
    name: "what has ended does not expire",
    file: "migrations/20261122000600_card_purchases.sql",
    from: `      where raffle_id = v_raffle_id and status = 'PENDING' and expires_at <= app.clock()
`,
    to: `      where raffle_id = v_raffle_id and expires_at <= app.clock()
`,
    test: "test/concurrency/reservations.test.ts",
    noticed: "what has expired or failed before is not ended again, and nobody is told twice",
  },
  {
    name: "a reservation ends at the closing at the latest",
    file: "migrations/20261122000500_buying.sql",
    from:
      "    least(app.clock() + make_interval(mins => app.setting('reservation_minutes')), v_raffle.closes_at),",
    to: "    app.clock() + make_interval(mins => app.setting('reservation_minutes')),",
    test: "test/sql/purchases.test.ts",
    noticed: "a reservation keeps no number beyond the closing",
  },
  {
    name: "a raffle that is drawn or cancelled is not cancelled",
    file: "migrations/20261122000700_cancelling.sql",
    from:
      "  elsif v_state in ('DRAWN', 'SETTLED', 'CANCELLED') or app.draw_is_near(p_raffle_id) then",
    to: "  elsif app.draw_is_near(p_raffle_id) then",
    test: "test/sql/cancelling.test.ts",
    noticed: "happens once",
  },
  {
    name: "nobody cancels a raffle whose winner may be known",
    file: "migrations/20261122000700_cancelling.sql",
    from:
      "  elsif v_state in ('DRAWN', 'SETTLED', 'CANCELLED') or app.draw_is_near(p_raffle_id) then",
    to: "  elsif v_state in ('DRAWN', 'SETTLED', 'CANCELLED') then",
    test: "test/sql/draw.test.ts",
    noticed: "ends buying, redeeming and cancelling in time to win",
  },
  {
    name: "cancelling is a dry run unless it is said otherwise",
    file: "migrations/20261122000700_cancelling.sql",
    from: "  if not coalesce(p_dry_run, true) then",
    to: "  if not coalesce(p_dry_run, false) then",
    test: "test/sql/cancelling.test.ts",
    noticed: "in a dry run says to how many people and how much, and changes nothing",
  },
  {
    name: "a refunded purchase is not refunded again",
    file: "migrations/20261122000700_cancelling.sql",
    from: "where raffle_id = p_raffle_id and status = 'CONFIRMED' limit p_max for update)",
    to: "where raffle_id = p_raffle_id and confirmed_at is not null limit p_max for update)",
    test: "test/sql/cancelling.test.ts",
    noticed: "pays each purchase back once, when two clocks go on with it at once",
  },
  {
    name: "a cancelled raffle sells nothing",
    file: "migrations/20261122000700_cancelling.sql",
    from: `  update app.raffle_lanes set open = false where raffle_id = p_raffle_id;
`,
    to: "",
    test: "test/concurrency/endings.test.ts",
    noticed: "at any moment: everybody has their money back, and no ticket is left",
  },
  {
    name: "cancelling voids the tickets",
    file: "migrations/20261122000700_cancelling.sql",
    from:
      `  update public.tickets set voided_at = app.clock() where raffle_id = p_raffle_id and voided_at is null;
`,
    to: "",
    test: "test/sql/cancelling.test.ts",
    noticed: "gives everybody their money, whichever way they paid, and the prize back to stock",
  },
  {
    name: "cancelling gives the prize back to stock",
    file: "migrations/20261122000700_cancelling.sql",
    from:
      `  update public.prizes set stock = stock + v_raffle.prizes_taken where id = v_raffle.prize_id;
`,
    to: "",
    test: "test/sql/cancelling.test.ts",
    noticed: "gives everybody their money, whichever way they paid, and the prize back to stock",
  },
  {
    name: "cancelling fails what is unpaid",
    file: "migrations/20261122000700_cancelling.sql",
    from: `    where raffle_id = p_raffle_id and status = 'PENDING'
    returning`,
    to: `    where raffle_id = p_raffle_id and false
    returning`,
    test: "test/sql/cancelling.test.ts",
    noticed: "fails what is unpaid, and has its payment cancelled",
  },
  {
    name: "only a refunded card purchase goes back to its card",
    file: "migrations/20261122000700_cancelling.sql",
    from: `  if v_purchase.status <> 'REFUNDED' or v_purchase.payment_method <> 'card'
    or exists`,
    to: "  if exists",
    test: "test/sql/cancelling.test.ts",
    noticed: "takes the money out of the wallet, once",
  },
  {
    name: "a payment goes back to its card once",
    file: "migrations/20261122000700_cancelling.sql",
    from: `
    or exists (select from app.card_refunds where purchase_id = p_purchase_id)`,
    to: "",
    test: "test/sql/cancelling.test.ts",
    noticed: "takes the money out of the wallet, once",
  },
  {
    name: "a payment that Stripe takes back is not sent back too",
    file: "migrations/20261122000700_cancelling.sql",
    from: `
    or not exists (select from app.card_payments where intent_id = v_purchase.provider_txn_id and taken_cents = 0)`,
    to: "",
    test: "test/sql/cancelling.test.ts",
    noticed: "is refused while Stripe takes the payment back: nobody pays twice",
  },
  {
    name: "a refund that failed is kept once",
    file: "migrations/20261122000600_card_purchases.sql",
    from: ` and r.failed_at is null
`,
    to: `
`,
    test: "test/sql/cancelling.test.ts",
    noticed: "is in the buyer's wallet, once, in whatever order and however often it is told",
  },
  {
    name: "a refund is ours to the cent",
    file: "migrations/20261122000600_card_purchases.sql",
    from: "(e.kind, e.intent_id, e.amount_cents) = ('REFUND', r.intent_id, r.amount_cents)",
    to: "(e.kind, e.intent_id) = ('REFUND', r.intent_id)",
    test: "test/sql/cancelling.test.ts",
    noticed: "is ours to the cent: a smaller one with its id leaves it to be sent",
  },
  {
    name: "only a refund that failed is kept",
    file: "migrations/20261122000600_card_purchases.sql",
    from: " and e.status in ('failed', 'canceled') and r.refund_id",
    to: " and r.refund_id",
    test: "test/sql/cancelling.test.ts",
    noticed: "is in the buyer's wallet, once, in whatever order and however often it is told",
  },
  {
    name: "a prize claim's state",
    file: "migrations/20261123000400_prize_claims.sql",
    from: `create trigger enforce_state_change before update on public.prize_claims
  for each row when (old.status is distinct from new.status) execute function app.enforce_state_change();
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "is claimed by its winner alone, sent and delivered",
  },
  {
    name: "a prize is claimed by its winner",
    file: "migrations/20261123000400_prize_claims.sql",
    from: "  where raffle_id = p_raffle_id and place = p_place and user_id = v_user_id for update;",
    to: "  where raffle_id = p_raffle_id and place = p_place for update;",
    test: "test/sql/draw.test.ts",
    noticed: "is claimed by its winner alone, sent and delivered",
  },
  {
    name: "a prize is claimed in time",
    file: "migrations/20261123000400_prize_claims.sql",
    from: " or v_claim.status = 'OFFERED' and v_claim.claim_until <= clock_timestamp() then",
    to: " then",
    test: "test/sql/draw.test.ts",
    noticed:
      "goes to the next place of the same draw when its time is over, and in the end back to stock",
  },
  {
    name: "a prize that was sent is not claimed elsewhere",
    file: "migrations/20261123000400_prize_claims.sql",
    from: "v_claim.status not in ('OFFERED', 'CLAIMED') or ",
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "is claimed by its winner alone, sent and delivered",
  },
  {
    name: "a prize is passed on once its time is over",
    file: "migrations/20261123000400_prize_claims.sql",
    from:
      `    select raffle_id, place from public.prize_claims where status = 'OFFERED' and claim_until <= clock_timestamp()
`,
    to: `    select raffle_id, place from public.prize_claims where status = 'OFFERED'
`,
    and: [{
      from: "and place = v_due.place and status = 'OFFERED' and claim_until <= clock_timestamp();",
      to: "and place = v_due.place and status = 'OFFERED';",
    }],
    test: "test/sql/draw.test.ts",
    noticed:
      "goes to the next place of the same draw when its time is over, and in the end back to stock",
  },
  {
    name: "a prize is claimed by who is active and verified",
    file: "migrations/20261123000400_prize_claims.sql",
    from: "app.take_token('account', app.active_user())",
    to: "app.take_token('account', app.signed_in_user())",
    test: "test/sql/draw.test.ts",
    noticed:
      "is not claimed without saying where, nor by who is suspended, nor sent with a senseless tracking",
  },
  {
    name: "a raffle is sealed when it is full or over, and not before",
    file: "migrations/20261123000200_sealing.sql",
    from:
      "  if not (v_raffle.state = 'FULL' or v_raffle.state = 'OPEN' and v_raffle.closes_at <= clock_timestamp()) then",
    to: "  if v_raffle.state not in ('FULL', 'OPEN') then",
    test: "test/sql/draw.test.ts",
    noticed: "is due when the time is over or the raffle is full, and not before",
  },
  {
    name: "a raffle below its minimum is not drawn",
    file: "migrations/20261123000200_sealing.sql",
    from: "  if v_raffle.min_tickets > (",
    to: "  if 0 > (",
    test: "test/sql/draw.test.ts",
    noticed: "below the minimum everybody gets their money back instead",
  },
  {
    name: "unpaid purchases do not count towards the minimum",
    file: "migrations/20261123000200_sealing.sql",
    from: `where raffle_id = p_raffle_id and status = 'CONFIRMED')
  then`,
    to: `where raffle_id = p_raffle_id)
  then`,
    test: "test/sql/draw.test.ts",
    noticed: "below the minimum everybody gets their money back instead",
  },
  {
    name: "a sealed raffle sells nothing",
    file: "migrations/20261123000200_sealing.sql",
    from: `  update app.raffle_lanes set open = false where raffle_id = p_raffle.id;
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "ends buying, redeeming and cancelling in time to win",
  },
  {
    name: "what is unpaid at the seal gets no ticket",
    file: "migrations/20261123000200_sealing.sql",
    from: "    perform app.end_reservation(v_purchase, 'EXPIRED', 'raffle_not_open');",
    to: "    null;",
    test: "test/sql/draw.test.ts",
    noticed: "issues what was paid and not redeemed, and ends what was not paid",
  },
  {
    name: "what was paid and not redeemed is in the draw",
    file: "migrations/20261123000200_sealing.sql",
    from: "    perform app.redeem_seats(v_purchase, p_raffle, null);",
    to: "    null;",
    test: "test/sql/draw.test.ts",
    noticed: "issues what was paid and not redeemed, and ends what was not paid",
  },
  {
    name: "nothing is sent to who owes us",
    file: "migrations/20261123000400_prize_claims.sql",
    from: "user_id = v_claim.user_id and status = 'SUSPENDED'",
    to: "false",
    test: "test/sql/draw.test.ts",
    noticed: "is not sent to who owes us what their bank took back, until it is paid",
  },
];
