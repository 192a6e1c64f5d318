// Order: whoever takes many locks takes them in one order, so that nobody waits crosswise.
import type { Guard } from "../guard.ts";

export const order: Guard[] = [
  {
    name: "wallets are locked in the order of their ids",
    file: "migrations/20261121000900_ledger.sql",
    from: `    order by id
    for no key update
  loop
    v_amount := (select sum`,
    to: `    order by id desc
    for no key update
  loop
    v_amount := (select sum`,
    test: "test/concurrency/ledger.test.ts",
    noticed: ": whoever waits for an account has locked none with a higher id, rows",
  },
  {
    name: "many payouts lock wallets in the order of their ids",
    file: "migrations/20261121000900_ledger.sql",
    from: "(select account_id from unnest(p_items)) order by id for no key update",
    to: "(select account_id from unnest(p_items)) order by id desc for no key update",
    test: "test/concurrency/ledger.test.ts",
    noticed: ": whoever waits for an account has locked none with a higher id, rows",
  },
  {
    name: "a suspension locks wallets in the order of their ids",
    file: "migrations/20261121001000_wallet.sql",
    from:
      `  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id for no key update;
  update public.wallet_accounts set suspended_reason = btrim`,
    to:
      `  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id desc for no key update;
  update public.wallet_accounts set suspended_reason = btrim`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "takes a user's wallets in the order of their ids",
  },
  {
    name: "a reinstatement locks wallets in the order of their ids",
    file: "migrations/20261121001000_wallet.sql",
    from:
      `  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id for no key update;
  update public.wallet_accounts set suspended_reason = null`,
    to:
      `  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id desc for no key update;
  update public.wallet_accounts set suspended_reason = null`,
    test: "test/concurrency/wallet.test.ts",
    noticed: "takes a user's wallets in the order of their ids",
  },
  {
    name: "expired holds are ended in the order of their wallets",
    file: "migrations/20261121001000_wallet.sql",
    from: "order by account_id, id limit 1000",
    to: "order by account_id desc, id limit 1000",
    test: "test/concurrency/wallet.test.ts",
    noticed: "takes a user's wallets in the order of their ids",
  },
  {
    name: "lanes are locked in their order",
    file: "migrations/20261122000200_lanes.sql",
    from: `where raffle_id = p_raffle_id order by lane_no for update
  loop
    if not v_lane.open`,
    to: `where raffle_id = p_raffle_id order by lane_no desc for update
  loop
    if not v_lane.open`,
    test: "test/concurrency/reservations.test.ts",
    noticed: "waits for the first lane without another in hand",
  },
  {
    name: "reserved seats are paid in the order of lanes",
    file: "migrations/20261122000200_lanes.sql",
    from: `group by lane_no order by lane_no
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats where`,
    to: `group by lane_no order by lane_no desc
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats where`,
    test: "test/concurrency/reservations.test.ts",
    noticed: ", of seats in many lanes, and a buyer of many never wait crosswise",
  },
  {
    name: "seats come back in the order of lanes",
    file: "migrations/20261122000200_lanes.sql",
    from: `group by lane_no order by lane_no
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats, returned`,
    to: `group by lane_no order by lane_no desc
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats, returned`,
    test: "test/concurrency/reservations.test.ts",
    noticed: ", of seats in many lanes, and a buyer of many never wait crosswise",
  },
  {
    name: "whoever waited for one lane in vain lets it go before the next",
    file: "migrations/20261122000200_lanes.sql",
    from: `    raise sqlstate 'LANE0';
  exception when sqlstate 'LANE0' then
    v_lane := app.take_any_lane(p_raffle_id, p_quantity, v_unpaid);
  end;`,
    to: `  end;
  v_lane := app.take_any_lane(p_raffle_id, p_quantity, v_unpaid);`,
    test: "test/concurrency/purchases.test.ts",
    noticed: ", is sold to the last number, each once",
  },
  {
    name: "chosen numbers are claimed in ascending order",
    file: "migrations/20261122000450_numbers.sql",
    from: `select p_raffle.id, n, p_purchase_id from unnest(p_numbers) as n order by n
`,
    to: `select p_raffle.id, n, p_purchase_id from unnest(p_numbers) as n
`,
    test: "test/concurrency/purchases.test.ts",
    noticed: "are each sold once to fifty buyers; who comes too late keeps the money",
  },
  {
    name: "lucky numbers are claimed in ascending order",
    file: "migrations/20261122000450_numbers.sql",
    from: `select p_raffle.id, n, p_purchase_id from unnest(v_wish) as n order by n
`,
    to: `select p_raffle.id, n, p_purchase_id from unnest(v_wish) as n
`,
    test: "test/concurrency/purchases.test.ts",
    noticed: "of purchases that were kept and are all redeemed at once are lucky ones, each once",
  },
  {
    name: "who gets only some lucky numbers gives them back",
    file: "migrations/20261122000450_numbers.sql",
    from: "      raise sqlstate 'LUCK0';",
    to: "      null;",
    test: "test/concurrency/purchases.test.ts",
    noticed: "lucky numbers and chosen ones never wait for each other crosswise",
  },
  {
    name: "an expiry locks lanes in their order",
    file: "migrations/20261122000600_card_purchases.sql",
    from: "where raffle_id = v_raffle_id order by lane_no for update;",
    to: "where raffle_id = v_raffle_id order by lane_no desc for update;",
    test: "test/concurrency/reservations.test.ts",
    noticed: "waits for the first lane without another in hand",
  },
  {
    name: "cancelling locks lanes in their order",
    file: "migrations/20261122000700_cancelling.sql",
    from: "where raffle_id = p_raffle_id order by lane_no for update;",
    to: "where raffle_id = p_raffle_id order by lane_no desc for update;",
    test: "test/concurrency/reservations.test.ts",
    noticed: "waits for the first lane without another in hand",
  },
  {
    name: "sealing locks lanes in their order",
    file: "migrations/20261123000200_sealing.sql",
    from: "where raffle_id = p_raffle_id order by lane_no for update;",
    to: "where raffle_id = p_raffle_id order by lane_no desc for update;",
    test: "test/concurrency/reservations.test.ts",
    noticed: "waits for the first lane without another in hand",
  },
];
