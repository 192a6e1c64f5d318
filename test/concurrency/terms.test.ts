import type postgres from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import { crowd } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { buy, operatorOf, raffle } from "../support/raffles.ts";
import { race } from "../support/races.ts";
import { scaled, seed } from "../support/scale.ts";
import { violations } from "../support/wallets.ts";

let db: TestDatabase;
let ana: string;
let operator: string;
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
  [ana] = await crowd(db, 1, 10_000_000);
  operator = (await operatorOf(db) as { id: string }).id;
});
afterEach(async () => expect(await violations(db)).toEqual([]));

const dice = the.dice(seed);

describe("a new price before the first sale", () => {
  const reprice = async (sql: postgres.ISql, raffleId: string) => {
    await the.actWithin(sql, operator);
    await sql`update public.raffles set ticket_price_cents = 900 where id = ${raffleId}`;
  };
  const paidFor = async (raffleId: string) =>
    (await db.sql`select amount_cents::integer / quantity as price from public.purchases
      where raffle_id = ${raffleId}`).map(({ price }) => price);

  test("is what a buyer pays who waited for it", async () => {
    const raffle_id = await raffle(db);
    const outcome = await race(
      db,
      (sql) => reprice(sql, raffle_id),
      (sql) => the.buyWithin(sql, ana, { raffle_id }),
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await paidFor(raffle_id)).toEqual([900]);
  });

  test("is what a buyer pays who waited for all the lanes", async () => {
    const raffle_id = await raffle(db, { tickets_required: 8, lanes: 4 });
    const outcome = await race(
      db,
      (sql) => reprice(sql, raffle_id),
      (sql) => the.buyWithin(sql, ana, { raffle_id, quantity: 5 }),
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await paidFor(raffle_id)).toEqual([900]);
  });

  test("is refused once the first sale is under way", async () => {
    const raffle_id = await raffle(db);
    const outcome = await race(
      db,
      (sql) => the.buyWithin(sql, ana, { raffle_id }),
      (sql) => reprice(sql, raffle_id),
    );
    expect(outcome).toMatchObject({ first: "fulfilled", second: "raffle_terms_frozen" });
    expect(await paidFor(raffle_id)).toEqual([500]);
  });

  test("and the sale of all tickets at once do not wait for each other crosswise", async () => {
    const raffle_id = await raffle(db, { tickets_required: 2 });
    const outcomes = await the.withPause(db, "app.raffle_lanes", "update", 100, async () => {
      const buying = the.outcomeOf(buy(db, ana, { raffle_id, quantity: 2 }));
      await the.sleep(40);
      const change = db.sql.begin((sql) => reprice(sql, raffle_id));
      return Promise.all([buying, the.outcomeOf(change)]);
    });
    expect(outcomes.map(({ code }) => code)).toEqual(["none", "raffle_terms_frozen"]);
  });

  test("at any moment: the old price and a refusal, or the new one", async () => {
    for (let round = 0; round < scaled(30, 1_000); round++) {
      const raffle_id = await raffle(db, { lanes: 1 + dice.upTo(4) });
      const [bought, changed] = await Promise.all([
        the.sleep(dice.upTo(3)).then(() => the.outcomeOf(buy(db, ana, { raffle_id }))),
        the.sleep(dice.upTo(3)).then(() =>
          the.outcomeOf(db.sql.begin((sql) => reprice(sql, raffle_id)))
        ),
      ]);
      expect(bought.code).toBe("none");
      expect([changed.code, ...await paidFor(raffle_id)].join())
        .toMatch(/^(none,900|raffle_terms_frozen,500)$/);
    }
  });
});

describe("another prize before the first sale", () => {
  const swap = async (sql: postgres.ISql, raffleId: string) => {
    await the.actWithin(sql, operator);
    await sql`update public.prizes set title = 'A tricycle'
      where id = (select prize_id from public.raffles where id = ${raffleId})`;
  };
  const titleOf = async (raffleId: string) =>
    (await db.sql`select p.title from public.prizes p join public.raffles r on r.prize_id = p.id
      where r.id = ${raffleId}`)[0].title;

  test("is what a buyer plays for who waited for it", async () => {
    const raffle_id = await raffle(db);
    const outcome = await race(
      db,
      (sql) => swap(sql, raffle_id),
      (sql) => the.buyWithin(sql, ana, { raffle_id }),
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await titleOf(raffle_id)).toBe("A tricycle");
  });

  test("is refused once the first sale is under way", async () => {
    const raffle_id = await raffle(db);
    const outcome = await race(
      db,
      (sql) => the.buyWithin(sql, ana, { raffle_id }),
      (sql) => swap(sql, raffle_id),
    );
    expect(outcome).toMatchObject({ first: "fulfilled", second: "prize_frozen" });
    expect(await titleOf(raffle_id)).toBe("A bicycle");
  });

  test("and a cancellation, which gives the prize back, do not wait for each other crosswise", async () => {
    const raffle_id = await raffle(db);
    const outcomes = await the.withPause(db, "app.raffle_lanes", "update", 100, async () => {
      const cancelling = the.outcomeOf(the.cancel(db, raffle_id));
      await the.sleep(40);
      const change = db.sql.begin((sql) => swap(sql, raffle_id));
      return Promise.all([cancelling, the.outcomeOf(change)]);
    });
    expect(outcomes.map(({ code }) => code)).toEqual(["none", "prize_frozen"]);
  });
});
