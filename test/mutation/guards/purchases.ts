// Purchases: what is bought, and with which numbers.
import type { Guard } from "../guard.ts";

export const purchases: Guard[] = [
  {
    name: "a purchase has from 1 to 100 tickets",
    file: "migrations/20261122000500_buying.sql",
    from: `  if p_order.quantity is null or p_order.quantity < 1
    or p_order.quantity > 1 and p_order.quantity > app.setting('purchase_maximum_quantity')
  then`,
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "tickets at once",
  },
  {
    name: "no number is named twice",
    file: "migrations/20261122000500_buying.sql",
    from: "  if exists (select from unnest(p_numbers) as n group by n having count(*) > 1) then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "of a PICK raffle are the buyer's choice, or lucky ones, each sold once",
  },
  {
    name: "numbers are as many as tickets",
    file: "migrations/20261122000500_buying.sql",
    from:
      "  if p_order.numbers is not null and cardinality(p_order.numbers) <> p_order.quantity then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "are as many as the tickets",
  },
  {
    name: "numbers are chosen only where they are for choosing",
    file: "migrations/20261122000500_buying.sql",
    from: "  if p_order.numbers is not null and p_raffle.numbering <> 'PICK' then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "cannot be chosen where they are not for choosing",
  },
  {
    name: "a boost or retry names its ticket",
    file: "migrations/20261122000500_buying.sql",
    from: "  if p_order.ticket_id is null and p_order.type <> 'ENTRY' then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "a ticket that is missing, and one that is too much, are named for what they are",
  },
  {
    name: "a purchase of its own names no ticket",
    file: "migrations/20261122000500_buying.sql",
    from: "  elsif p_order.ticket_id is not null and p_order.type = 'ENTRY' then",
    to: "  elsif false then",
    test: "test/sql/purchases.test.ts",
    noticed: "a ticket that is missing, and one that is too much, are named for what they are",
  },
  {
    name: "who has a fault does not buy by wallet",
    file: "migrations/20261122000500_buying.sql",
    from: "  if v_known.fault is distinct from '' then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "under age, or of unknown age; unless there is no minimum",
  },
  {
    name: "who has a fault does not buy by card",
    file: "migrations/20261122000500_buying.sql",
    from: `    perform app.require_player(p_order.user_id);
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: ", by wallet or card",
  },
  {
    name: "a suspended wallet does not pay",
    file: "migrations/20261122000500_buying.sql",
    from: "    and status = 'ACTIVE' and balance_cents - held_cents >= p_cents",
    to: "    and balance_cents - held_cents >= p_cents",
    test: "test/sql/purchases.test.ts",
    noticed: ", by wallet or card",
  },
  {
    name: "who has too little money does not buy",
    file: "migrations/20261122000500_buying.sql",
    from: "    and status = 'ACTIVE' and balance_cents - held_cents >= p_cents",
    to: "    and status = 'ACTIVE'",
    test: "test/sql/purchases.test.ts",
    noticed: "without enough money leaves no trace",
  },
  {
    name: "what is held does not pay",
    file: "migrations/20261122000500_buying.sql",
    from: `balance_cents - held_cents >= p_cents
`,
    to: `balance_cents >= p_cents
`,
    test: "test/sql/purchases.test.ts",
    noticed: "what is held for something else buys nothing",
  },
  {
    name: "whose wallet is suspended reserves nothing by card",
    file: "migrations/20261122000500_buying.sql",
    from:
      `  perform app.require_active_wallet(app.account_of('USER', v_raffle.currency, p_order.user_id));
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: ", by wallet or card",
  },
  {
    name: "own limits are looked at",
    file: "migrations/20261122000500_buying.sql",
    from: `  if p_order.has_limits then
    perform`,
    to: `  if false then
    perform`,
    test: "test/sql/purchases.test.ts",
    noticed: "beyond their own spend limit",
  },
  {
    name: "buying by wallet is counted",
    file: "migrations/20261122000500_buying.sql",
    from: "  v_user_id := app.take_token('money', v_user_id);",
    to: "  v_user_id := v_user_id;",
    test: "test/sql/rate-limits.test.ts",
    noticed: "is refused when there is no token left, before anything else",
  },
  {
    name: "buying by card is counted",
    file: "migrations/20261122000500_buying.sql",
    from: `  perform app.take_token('money', p_order.user_id);
`,
    to: "",
    test: "test/sql/rate-limits.test.ts",
    noticed: "is refused when there is no token left, before anything else",
  },
  {
    name: "redeeming is counted",
    file: "migrations/20261122000500_buying.sql",
    from: `  perform app.take_token('money', v_user_id);
  perform app.enter_raffle`,
    to: "  perform app.enter_raffle",
    test: "test/functions/purchase.test.ts",
    noticed: "whoever buys or redeems more than ten times a minute is told when to come back",
  },
  {
    name: "numbers of a redemption are as many as were bought",
    file: "migrations/20261122000500_buying.sql",
    from:
      "  if p_numbers is not null and (v_raffle.numbering <> 'PICK' or cardinality(p_numbers) <> v_purchase.quantity) then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "of a PICK raffle takes the numbers then",
  },
  {
    name: "a number is within the raffle's",
    file: "migrations/20261122000450_numbers.sql",
    from: "  if cardinality(v_wrong) > 0 then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "of a PICK raffle are the buyer's choice, or lucky ones, each sold once",
  },
  {
    name: "a number that is taken is refused",
    file: "migrations/20261122000450_numbers.sql",
    from: "  if coalesce(cardinality(v_claimed), 0) < cardinality(p_numbers) then",
    to: "  if false then",
    test: "test/sql/purchases.test.ts",
    noticed: "of a PICK raffle are the buyer's choice, or lucky ones, each sold once",
  },
  {
    name: "the order of a RANDOM raffle's numbers is unforeseeable",
    file: "migrations/20261122000450_numbers.sql",
    from: "md5(p_key || ':' || v_round || ':' || v_right)",
    to: "md5(v_round || ':' || v_right)",
    test: "test/sql/purchases.test.ts",
    noticed: "of a RANDOM raffle are each sold once, in an order that tells nothing",
  },
  {
    name: "a shuffled number is within the raffle's",
    file: "migrations/20261122000450_numbers.sql",
    from: "    exit when v_place < p_size;",
    to: "    exit;",
    test: "test/sql/purchases.test.ts",
    noticed: "of a RANDOM raffle are each sold once, in an order that tells nothing",
  },
  {
    name: "a payment is made once at Stripe for each try",
    file: "shared/purchases.ts",
    from: "  }, { idempotencyKey: attempt === 0 ? purchase.id : `${purchase.id}:${attempt}` });",
    to: "  });",
    test: "test/functions/purchase.test.ts",
    noticed: "the same key is tried again: one purchase, one payment",
  },
  {
    name: "a payment says which purchase it is for",
    file: "shared/purchases.ts",
    from: `    metadata: { purchase_id: purchase.id },
`,
    to: "",
    test: "test/functions/purchase.test.ts",
    noticed: "the same key is tried again: one purchase, one payment",
  },
  {
    name: "no price, amount or identity comes from a body",
    file: "functions/purchase/contract.ts",
    from: "    body: z.strictObject({",
    to: "    body: z.looseObject({",
    test: "test/functions/purchase.test.ts",
    noticed: "price, amount, currency and user in the body are refused",
  },
];
