// Terms of raffles: what a draft must fulfil to be published.
import type { Guard } from "../guard.ts";

export const terms: Guard[] = [
  {
    name: "a ticket costs something",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.ticket_price_cents > 0)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "a raffle has a number of tickets",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.tickets_required between 1 and 10000000)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "what a raffle brings in can be reckoned with",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.ticket_price_cents::numeric * p_raffle.tickets_required <= 9007199254740991)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "a minimum is within the tickets",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.min_tickets between 1 and p_raffle.tickets_required)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "winners are no more than the minimum",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.winners_count between 1 and p_raffle.min_tickets)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "a raffle closes in the future",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.closes_at > app.clock())",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "of a sale that is over already is refused",
  },
  {
    name: "a raffle closes after it opens",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.closes_at > p_raffle.opens_at)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "lanes are no more than tickets",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.lanes between 1 and least(64, p_raffle.tickets_required))",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "a boost costs something",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.boost_price_cents > 0)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "a retry costs something",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.retry_price_cents > 0)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "of a retry that costs nothing is refused",
  },
  {
    name: "a lottery's raffle has one winner",
    file: "migrations/20261122000300_publishing.sql",
    from: "p_raffle.draw_method <> 'LOTTERY' or p_raffle.winners_count = 1)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "of a raffle that a lottery decides fits its figures",
  },
  {
    name: "a lottery's raffle fits its figures",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "p_raffle.tickets_required <= (select power(10, digits) from public.lotteries where id = p_raffle.lottery_id))",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed: "of a raffle that a lottery decides fits its figures",
  },
  {
    name: "a lottery's raffle looks to a day that has a draw",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "p_raffle.lottery_id is null or app.lottery_moment(p_raffle.lottery_id, p_raffle.lottery_draw_date) is not null)",
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed:
      "of a raffle that a lottery decides ends the sale an hour before the draw, on a day that has one",
  },
  {
    name: "nobody buys a number that may be known already",
    file: "migrations/20261122000300_publishing.sql",
    from: `p_raffle.closes_at <= app.lottery_moment(p_raffle.lottery_id, p_raffle.lottery_draw_date)
        - make_interval(mins => app.setting('lottery_cutoff_minutes')))`,
    to: "true)",
    test: "test/sql/catalogue.test.ts",
    noticed:
      "of a raffle that a lottery decides ends the sale an hour before the draw, on a day that has one",
  },
  {
    name: "the prize money is there even if only the minimum is sold",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "    + coalesce(p_raffle.prize_per_winner_cents, 0)::numeric * p_raffle.winners_count > v_fund",
    to: "    + 0 > 9e18",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "prize money is reckoned with the lowest price",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "least(p_raffle.ticket_price_cents, p_raffle.boost_price_cents, p_raffle.retry_price_cents)",
    to: "p_raffle.ticket_price_cents",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "no place is named twice",
    file: "migrations/20261122000300_publishing.sql",
    from: `having count(*) > 1) then
    return next 'must not name anything twice'`,
    to: `having false) then
    return next 'must not name anything twice'`,
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "no place beyond the winners is paid",
    file: "migrations/20261122000300_publishing.sql",
    from: "(tier ->> 'place')::bigint > p_raffle.winners_count)",
    to: "false)",
    test: "test/sql/catalogue.test.ts",
    noticed: "when the terms are",
  },
  {
    name: "a fund beyond what comes in is refused",
    file: "migrations/20261122000300_publishing.sql",
    from: "  if p_raffle.rake_cents < 0 then",
    to: "  if false then",
    test: "test/sql/catalogue.test.ts",
    noticed:
      "of a fund beyond what the raffle brings in is refused, and whatever is not checked, they add up",
  },
  {
    name: "rake and prize fund are all that comes in",
    file: "migrations/20261122000100_catalogue.sql",
    from: `  constraint raffles_gross check (published_at is null
    or rake_cents + prize_fund_cents = ticket_price_cents * tickets_required)
`,
    to: `  constraint raffles_gross check (true)
`,
    test: "test/sql/catalogue.test.ts",
    noticed:
      "of a fund beyond what the raffle brings in is refused, and whatever is not checked, they add up",
  },
  {
    name: "a picture is at a web address",
    file: "migrations/20261122000100_catalogue.sql",
    from: " and app.are_web_addresses(image_urls)",
    to: "",
    test: "test/sql/catalogue.test.ts",
    noticed: "is not kept with a",
  },
];
