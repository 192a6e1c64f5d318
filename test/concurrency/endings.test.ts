// Buyers at the moment when something ends: the sale, the raffle, or their own right to play.
import type postgres from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import { crowd, range, tally } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import type { Order } from "../support/raffles.ts";
import { buy, operatorOf, raffle, stateOf, ticketsOf } from "../support/raffles.ts";
import { race } from "../support/races.ts";
import { scaled, seed } from "../support/scale.ts";
import { violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
let people: string[];
let operator: string;
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
  people = await crowd(db, 8, 10_000_000);
  operator = (await operatorOf(db) as { id: string }).id;
});
afterEach(async () => expect(await violations(db)).toEqual([]));

const dice = the.dice(seed);
const codeOf = async (userId: string, order: Order) =>
  (await the.outcomeOf(buy(db, userId, order))).code;
const anyOrder = (raffle_id: string): Order => ({
  raffle_id,
  quantity: 1 + dice.upTo(3),
  redeem: dice.chance(0.7),
  payment_method: dice.chance(0.7) ? "wallet" : "card",
});
const purchasesOf = (raffleId: string) =>
  db.sql`select status, payment_method, redeemed from public.purchases where raffle_id = ${raffleId}`;

describe("buyers and the cancellation", () => {
  test("at any moment: everybody has their money back, and no ticket is left", async () => {
    for (let round = 0; round < scaled(20, 1_000); round++) {
      const terms = { ticket_price_cents: 100, tickets_required: 12, lanes: 1 + dice.upTo(3) };
      const raffle_id = await raffle(db, terms);
      const before = await Promise.all(people.map((id) => walletOf(db, id)));
      const [cancelled, ...codes] = await Promise.all([
        the.sleep(dice.upTo(8)).then(() => the.outcomeOf(the.cancel(db, raffle_id)))
          .then(({ code }) => code),
        ...people.map((id) => the.sleep(dice.upTo(10)).then(() => codeOf(id, anyOrder(raffle_id)))),
      ]);
      expect(cancelled).toBe("none");
      expect(["none", "raffle_not_open", "raffle_sold_out"]).toEqual(
        expect.arrayContaining([...new Set(codes)]),
      );
      expect(await stateOf(db, raffle_id)).toBe("CANCELLED");
      for (const { status, payment_method } of await purchasesOf(raffle_id)) {
        expect(status).toBe(payment_method === "card" ? "FAILED" : "REFUNDED");
      }
      expect(
        await db
          .sql`select from public.tickets where raffle_id = ${raffle_id} and voided_at is null`,
      ).toHaveLength(0);
      expect(await Promise.all(people.map((id) => walletOf(db, id)))).toEqual(before);
      if (round % 50 === 0) expect(await violations(db)).toEqual([]);
    }
  });

  test("that comes while the last ticket is being bought: neither waits for the other crosswise", async () => {
    const raffle_id = await raffle(db, { tickets_required: 2 });
    const codes = await the.withPause(db, "app.raffle_lanes", "update", 100, async () => {
      const buying = codeOf(people[0], { raffle_id, quantity: 2 });
      await the.sleep(40);
      const { code } = await the.outcomeOf(the.cancel(db, raffle_id));
      return [await buying, code];
    });
    expect(codes).toEqual(["none", "none"]);
    expect((await purchasesOf(raffle_id)).map(({ status }) => status)).toEqual(["REFUNDED"]);
  });

  test("that has begun: nobody waits in vain, and nobody gets a ticket", async () => {
    const raffle_id = await raffle(db, { tickets_required: 8, lanes: 4 });
    const outcome = await race(
      db,
      (sql) => the.cancelWithin(sql, operator, raffle_id),
      (sql) => the.buyWithin(sql, people[0], { raffle_id, quantity: 5 }),
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "raffle_not_open", waited: true });
  });
});

describe("buyers and the closing", () => {
  /** A raffle that closes so soon; later where publishing it took longer than that. */
  async function closingIn(milliseconds: number, terms = {}) {
    const closes_at = new Date(Date.now() + milliseconds);
    try {
      return { closes_at, raffle_id: await raffle(db, { ...terms, closes_at }) };
    } catch (error) {
      expect((error as Error).message).toBe("raffle_terms_invalid");
      return closingIn(milliseconds * 2, terms);
    }
  }

  /** Answers with the tickets that are in it. */
  async function seal(sql: postgres.ISql, raffleId: string) {
    await sql`select app.seal_raffle(${raffleId})`;
    return await ticketsOf({ ...db, sql: sql as postgres.Sql }, raffleId);
  }

  test("at any moment: who comes after it buys nothing, and no ticket comes after the sealing", async () => {
    for (let round = 0; round < scaled(15, 1_000); round++) {
      const { raffle_id, closes_at } = await closingIn(50, { lanes: 1 + dice.upTo(3) });
      const untilClosed = () => the.sleep(Math.max(0, closes_at.getTime() + 1 - Date.now()));
      const attempts = people.map(async (id) => {
        await the.sleep(Math.max(0, closes_at.getTime() - Date.now() - 15 + dice.upTo(20)));
        const tooLate = Date.now() > closes_at.getTime();
        return { tooLate, code: await codeOf(id, anyOrder(raffle_id)) };
      });
      const sealed = await untilClosed().then(() => db.sql.begin((sql) => seal(sql, raffle_id)));
      for (const { tooLate, code } of await Promise.all(attempts)) {
        expect(tooLate ? ["raffle_not_open"] : ["none", "raffle_not_open"]).toContain(code);
      }
      expect(await ticketsOf(db, raffle_id)).toEqual(sealed);
      const bought = (await Promise.all(attempts)).filter(({ code }) => code === "none");
      expect(await purchasesOf(raffle_id)).toHaveLength(bought.length);
      // Reservations end with the sale at the latest.
      await db.sql`select app.expire_purchases()`;
      expect((await purchasesOf(raffle_id)).map(({ status }) => status)).not.toContain("PENDING");
      if (round % 50 === 0) expect(await violations(db)).toEqual([]);
    }
  });

  test("a redemption and the sealing wait for each other: no ticket comes after it", async () => {
    const keep = async () => {
      const raffle_id = await raffle(db, { tickets_required: 1 });
      const { purchase } = await buy(db, people[0], { raffle_id, redeem: false });
      const redeem = async (sql: postgres.ISql) => {
        await the.actWithin(sql, people[0]);
        await sql`select public.redeem_ticket(${crypto.randomUUID()}, ${purchase.id}, null)`;
      };
      return { raffle_id, redeem };
    };
    const [late, early] = [await keep(), await keep()];
    expect(await race(db, (sql) => seal(sql, late.raffle_id), late.redeem))
      .toEqual({ first: "fulfilled", second: "purchase_already_redeemed", waited: true });
    expect(await ticketsOf(db, late.raffle_id)).toEqual([1]); // by the sealing
    let found: number[] = [];
    const outcome = await race(db, early.redeem, async (sql) => {
      found = await seal(sql, early.raffle_id);
    });
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(found).toEqual([1]);
  });

  test.each(["wallet", "card"] as const)(
    "by %s, who has waited for a lane until it was closed gets nothing",
    async (payment_method) => {
      const { raffle_id } = await closingIn(600);
      const codes = await the.withPause(db, "public.purchases", "insert", 800, async () => {
        const first = codeOf(people[0], { raffle_id });
        await the.sleep(100);
        return Promise.all([first, codeOf(people[1], { raffle_id, payment_method })]);
      });
      expect(codes).toEqual(["none", "raffle_not_open"]);
      expect(await ticketsOf(db, raffle_id)).toEqual([1]);
    },
  );
});

describe("a purchase under way and", () => {
  const asThemselves =
    (id: string, call: (sql: postgres.ISql) => Promise<unknown>) => async (sql: postgres.ISql) => {
      await the.actWithin(sql, id);
      await call(sql);
    };
  const ENDINGS: [string, string, (id: string) => (sql: postgres.ISql) => Promise<unknown>][] = [
    [
      "its buyer's self-exclusion",
      "self_excluded",
      (id) => asThemselves(id, (sql) => sql`select public.exclude_self(now() + interval '1 day')`),
    ],
    [
      "its buyer's own limit",
      "spend_limit_reached",
      (id) =>
        asThemselves(id, (sql) => sql`select public.set_play_limit('spend', 'day', 500, 'EUR')`),
    ],
    [
      "its buyer's suspension",
      "account_suspended",
      (id) =>
        asThemselves(operator, (sql) => sql`select public.set_account_status(${id}, 'SUSPENDED')`),
    ],
  ];

  test.each(ENDINGS)(
    "%s wait for each other: what has begun is finished, nothing begins after it",
    async (_, code, ending) => {
      for (const payment_method of ["wallet", "card"] as const) {
        const [carl, dora] = await crowd(db, 2, 10_000);
        const raffle_id = await raffle(db);
        const order = { raffle_id, quantity: 2, payment_method };
        expect(await race(db, (sql) => the.buyWithin(sql, carl, order), ending(carl)))
          .toEqual({ first: "fulfilled", second: "done", waited: true });
        expect(await race(db, ending(dora), (sql) => the.buyWithin(sql, dora, order)))
          .toEqual({ first: "fulfilled", second: code, waited: true });
        expect(await purchasesOf(raffle_id)).toHaveLength(1);
      }
    },
  );
});

test("the first sale and all others at once are of one price", async () => {
  for (let round = 0; round < scaled(5, 100); round++) {
    const raffle_id = await raffle(db, { tickets_required: 40, lanes: 4 });
    const change = async () => {
      await the.sleep(dice.upTo(6));
      return (await the.outcomeOf(db.sql.begin(async (sql) => {
        await the.actWithin(sql, operator);
        await sql`update public.raffles set ticket_price_cents = 900 where id = ${raffle_id}`;
      }))).code;
    };
    const [changed, ...codes] = await Promise.all([
      change(),
      ...range(0, 7).map((at) =>
        the.sleep(dice.upTo(4)).then(() => codeOf(people[at], { raffle_id }))
      ),
    ]);
    expect(tally(codes.map((code) => ({ code })))).toEqual({ none: 8 });
    const prices = await db
      .sql`select distinct amount_cents::integer as price from public.purchases where raffle_id = ${raffle_id}`;
    expect([changed, ...prices.map(({ price }) => price)].join())
      .toMatch(/^(none,900|raffle_terms_frozen,500)$/);
  }
});
