import type postgres from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import { crowd, range, tally } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { codeOf, testDatabase } from "../support/database.ts";
import type { Order } from "../support/raffles.ts";
import { buy, raffle, stateOf, ticketsOf } from "../support/raffles.ts";
import { lostTicket } from "../support/draws.ts";
import { race } from "../support/races.ts";
import { scaled, seed } from "../support/scale.ts";
import { violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
let people: string[];
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
  people = await crowd(db, 50, 10_000_000);
});
afterEach(async () => expect(await violations(db)).toEqual([]));

const dice = the.dice(seed);
const attempt = (userId: string, order: Order, key?: string) =>
  the.outcomeOf(buy(db, userId, order, key));
const all = (order: (at: number) => Order) =>
  Promise.all(people.map((id, at) => attempt(id, order(at))));

describe("the last ticket", () => {
  /** A raffle of which one ticket is left. */
  async function almostSoldOut(lanes: number): Promise<string> {
    const raffle_id = await raffle(db, { ticket_price_cents: 10, tickets_required: lanes, lanes });
    if (lanes > 1) await buy(db, people[0], { raffle_id, quantity: lanes - 1 });
    return raffle_id;
  }

  async function expectSoldOnce(lanes: number): Promise<void> {
    const raffle_id = await almostSoldOut(lanes);
    const outcomes = await all(() => ({ raffle_id }));
    expect(tally(outcomes)).toEqual({ none: 1, raffle_sold_out: people.length - 1 });
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, lanes));
    expect(await stateOf(db, raffle_id)).toBe("FULL");
  }

  test.each([1, 8])("of %i lanes is sold once to fifty buyers", async (lanes) => {
    for (let round = 0; round < scaled(15, 5_000); round++) await expectSoldOnce(lanes);
  });

  test("is sold once, however long the one who gets it takes", async () => {
    await the.withPause(db, "public.purchases", "insert", 20, async () => {
      for (let round = 0; round < scaled(1, 50); round++) {
        for (const lanes of [1, 8]) await expectSoldOnce(lanes);
      }
    });
  });

  test("and the last but one, of two lanes and sold at once, make the raffle FULL", async () => {
    const raffle_id = await raffle(db, { tickets_required: 2, lanes: 2 });
    const outcome = await race(
      db,
      (sql) => the.buyWithin(sql, people[0], { raffle_id }),
      (sql) => the.buyWithin(sql, people[1], { raffle_id }),
    );
    expect(outcome).toMatchObject({ first: "fulfilled", second: "done" });
    expect(await stateOf(db, raffle_id)).toBe("FULL");
  });
});

describe("a raffle sold by many", () => {
  /** Everybody buys 1 to 7 at a time, and fewer when refused, until there is nothing left. */
  async function buyUntilSoldOut(raffle_id: string, buyers: number, order: () => Partial<Order>) {
    const refusals: { quantity: number; remaining: number }[] = [];
    const codes: { code: string }[] = [];
    await Promise.all(
      people.slice(0, buyers).map(async (userId) => {
        let most = 7;
        while (most > 0) {
          const { numbers } = order();
          const quantity = numbers?.length ?? 1 + dice.upTo(most);
          const outcome = await attempt(userId, { raffle_id, quantity, numbers });
          codes.push(outcome);
          if (outcome.code === "raffle_sold_out") {
            const remaining = outcome.details!.remaining;
            refusals.push({ quantity, remaining });
            most = Math.min(most, remaining);
          } else if (!["none", "number_taken"].includes(outcome.code)) break;
        }
      }),
    );
    expect(Object.keys(tally(codes)).filter((code) => !KNOWN.includes(code))).toEqual([]);
    expect(refusals.filter(({ quantity, remaining }) => remaining >= quantity)).toEqual([]);
  }
  const KNOWN = ["none", "raffle_sold_out", "number_taken"];

  async function expectSoldOut(raffle_id: string, tickets: number): Promise<void> {
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, tickets));
    expect(await stateOf(db, raffle_id)).toBe("FULL");
  }

  test.each([
    [8, 20, "SEQUENTIAL"],
    [16, 50, "SEQUENTIAL"],
    [8, 50, "RANDOM"],
  ])(
    "over %i lanes by %i people, %s, is sold to the last number, each once",
    async (lanes, buyers, numbering) => {
      for (let round = 0; round < scaled(4, 50); round++) {
        // Small lanes: most of the sale is the end of one, where seats must be gathered.
        const tickets_required = lanes * (round % 2 ? 9 : 40);
        const terms = { ticket_price_cents: 10, tickets_required, lanes, numbering };
        const raffle_id = await raffle(db, terms);
        await buyUntilSoldOut(raffle_id, buyers, () => ({}));
        await expectSoldOut(raffle_id, tickets_required);
      }
    },
  );

  test("nobody is told that it is sold out while others wait for seats that are enough", async () => {
    const raffle_id = await raffle(db, { tickets_required: 40, lanes: 4 });
    const outcomes = await the.withPause(
      db,
      "public.purchases",
      "insert",
      20,
      () => Promise.all(people.slice(0, 20).map((id) => attempt(id, { raffle_id, quantity: 2 }))),
    );
    expect(tally(outcomes)).toEqual({ none: 20 });
    await expectSoldOut(raffle_id, 40);
  });

  test("by lucky and by choosing buyers is sold to the last number, each once", async () => {
    const tickets_required = scaled(160, 2_000);
    const terms = { numbering: "PICK", ticket_price_cents: 10, tickets_required, lanes: 8 };
    const raffle_id = await raffle(db, terms);
    const numbers = range(1, tickets_required);
    await buyUntilSoldOut(
      raffle_id,
      30,
      () => dice.chance(0.5) ? {} : { numbers: dice.some(numbers, 1 + dice.upTo(3)) },
    );
    await expectSoldOut(raffle_id, tickets_required);
  });

  test("lucky numbers and chosen ones never wait for each other crosswise", async () => {
    for (let round = 0; round < scaled(3, 30); round++) {
      const terms = { numbering: "PICK", ticket_price_cents: 10, tickets_required: 40, lanes: 8 };
      const raffle_id = await raffle(db, terms);
      await the.withPause(
        db,
        "app.number_claims",
        "insert",
        2,
        () =>
          buyUntilSoldOut(
            raffle_id,
            20,
            () => dice.chance(0.6) ? {} : { numbers: dice.some(range(1, 40), 2) },
          ),
      );
      await expectSoldOut(raffle_id, 40);
    }
  });
});

describe("chosen numbers", () => {
  test("are each sold once to fifty buyers; who comes too late keeps the money", async () => {
    for (let round = 0; round < scaled(1, 50); round++) {
      const terms = { numbering: "PICK", ticket_price_cents: 100, tickets_required: 1000 };
      const raffle_id = await raffle(db, { ...terms, lanes: 16 });
      const buyers = await crowd(db, 50, 1_000);
      const numbers = range(1, 30);
      // Half of them name their numbers upwards, half downwards.
      const outcomes = await the.withPause(
        db,
        "app.number_claims",
        "insert",
        2,
        () =>
          Promise.all(buyers.map(async (id, at) => {
            const wish = dice.some(numbers, 5).sort((a, b) => at % 2 ? a - b : b - a);
            return { id, ...await attempt(id, { raffle_id, numbers: wish }) };
          })),
      );
      const { none: sold, number_taken: late, ...others } = tally(outcomes);
      expect([others, sold + late, sold > 0]).toEqual([{}, 50, true]);
      for (const { id, code } of outcomes) {
        expect((await walletOf(db, id)).balance).toBe(code === "none" ? 500 : 1_000);
      }
      const tickets = await ticketsOf(db, raffle_id);
      expect([tickets.length, new Set(tickets).size]).toEqual([5 * sold, 5 * sold]);
    }
  });

  test("of purchases that were kept and are all redeemed at once are lucky ones, each once", async () => {
    const terms = { numbering: "PICK", ticket_price_cents: 10, tickets_required: 100, lanes: 8 };
    const raffle_id = await raffle(db, terms);
    const kept = await Promise.all(
      people.slice(0, 20).map(async (id) => {
        const { purchase } = await buy(db, id, { raffle_id, quantity: 5, redeem: false });
        return { id, purchase };
      }),
    );
    const outcomes = await the.withPause(
      db,
      "app.number_claims",
      "insert",
      1,
      () =>
        Promise.all(kept.map(({ id, purchase }) => the.outcomeOf(the.redeem(db, id, purchase.id)))),
    );
    expect(tally(outcomes)).toEqual({ none: 20 });
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, 100));
  });

  test("whatever is not locked, one number has one ticket", async () => {
    const raffle_id = await raffle(db);
    const { tickets: [{ id }] } = await buy(db, people[0], { raffle_id });
    const again = db.sql`insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
      select raffle_id, ticket_num, user_id, purchase_id from public.tickets where id = ${id}`;
    expect(await codeOf(again)).toBe("23505");
  });
});

test("whatever is not locked, no lane sells more than it has", async () => {
  const raffle_id = await raffle(db, { tickets_required: 2 });
  for (const column of ["fresh", "returned", "unpaid"]) {
    const below = db.sql`update app.raffle_lanes set ${db.sql(column)} = -1
      where raffle_id = ${raffle_id}`;
    expect(await codeOf(below)).toBe("23514");
  }
});

describe("of a hundred purchases of one person at once", () => {
  let ana: string;
  /** Wallet and card in turn, so many tickets each. */
  const hundred = (order: Order, quantity: (at: number) => number = () => 1) =>
    Promise.all(
      range(1, 100).map((at) =>
        attempt(ana, {
          ...order,
          quantity: quantity(at),
          payment_method: at % 2 ? "wallet" : "card",
        })
      ),
    );
  const bought = async (raffleId: string) =>
    (await db.sql`select sum(quantity)::integer as quantity, sum(amount_cents)::integer as cents
      from public.purchases where raffle_id = ${raffleId} and user_id = ${ana}`)[0];
  beforeAll(async () => void ([ana] = await crowd(db, 1, 1_000_000)));

  test("no more tickets come than one person may have", async () => {
    const raffle_id = await raffle(db, { tickets_required: 400, lanes: 16, max_per_user: 10 });
    const outcomes = await hundred({ raffle_id }, (at) => at % 3 + 1);
    const { none: _, ...refused } = tally(outcomes);
    expect(Object.keys(refused)).toEqual(["ticket_limit_reached"]);
    expect((await bought(raffle_id)).quantity).toBe(10);
  });

  test("no more is spent than their limit", async () => {
    await db.sql`insert into public.play_limits (user_id, kind, period, currency, amount_cents)
      select ${ana}, 'spend', 'day', 'EUR', 2000 + coalesce(sum(amount_cents), 0)
      from public.purchases where user_id = ${ana}`;
    const raffle_id = await raffle(db, {
      ticket_price_cents: 100,
      tickets_required: 400,
      lanes: 16,
    });
    const outcomes = await hundred({ raffle_id }, (at) => at % 3 + 1);
    await db.sql`delete from public.play_limits where user_id = ${ana}`;
    const { none: _, ...refused } = tally(outcomes);
    expect(Object.keys(refused)).toEqual(["spend_limit_reached"]);
    expect((await bought(raffle_id)).cents).toBe(2000);
  });

  test("no ticket is boosted beyond its limit", async () => {
    const terms = { tickets_required: 400, lanes: 16, boost_price_cents: 50, boost_limit: 7 };
    const raffle_id = await raffle(db, terms);
    const { tickets: [{ id: ticket_id }] } = await buy(db, ana, { raffle_id });
    const outcomes = await hundred({ raffle_id, type: "BOOST", ticket_id });
    expect(tally(outcomes)).toEqual({ none: 7, boost_limit_reached: 93 });
    expect((await bought(raffle_id)).quantity).toBe(8);
  });

  async function retried() {
    const { before, ticketId: id } = await lostTicket(db, ana);
    const terms = { retry_of: before, retry_price_cents: 20, tickets_required: 400, lanes: 16 };
    return { ticket_id: id, raffle_id: await raffle(db, terms), type: "RETRY" as const };
  }

  test("a ticket that lost is retried once", async () => {
    const outcomes = await hundred(await retried());
    expect(tally(outcomes)).toEqual({ none: 1, retry_not_available: 99 });
  });

  test("whatever is not locked, a second retry of a ticket is refused", async () => {
    const order = await retried();
    await buy(db, ana, order);
    const again = db.sql`insert into public.purchases
        (user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method, redeem, ticket_id)
      select user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method, redeem, ticket_id
      from public.purchases where ticket_id = ${order.ticket_id}`;
    expect(await codeOf(again)).toBe("23505");
  });

  test("with one key waits for the first, and hears the same", async () => {
    const raffle_id = await raffle(db);
    const key = crypto.randomUUID();
    const again = (sql: postgres.ISql) => the.buyWithin(sql, ana, { raffle_id }, key);
    expect(await race(db, again, again))
      .toEqual({ first: "fulfilled", second: "done", waited: true });
    expect((await bought(raffle_id)).quantity).toBe(1);
  });

  test("with one key there is one purchase, and everybody hears the same", async () => {
    const raffle_id = await raffle(db);
    const key = crypto.randomUUID();
    const outcomes = await Promise.all(
      range(1, 20).map(() => attempt(ana, { raffle_id, quantity: 2 }, key)),
    );
    expect(tally(outcomes)).toEqual({ none: 20 });
    for (const { answer } of outcomes) expect(answer).toEqual(outcomes[0].answer);
    expect((await bought(raffle_id)).quantity).toBe(2);
  });
});
