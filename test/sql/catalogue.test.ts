import type postgres from "postgres";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Actor, TestDatabase } from "../support/database.ts";
import { actAs, codeOf, testDatabase } from "../support/database.ts";
import { actWithin, cancel } from "../support/crowd.ts";
import { rolledBack } from "../support/ledger.ts";
import { race } from "../support/races.ts";
import type { Terms } from "../support/raffles.ts";
import { buy, draft, operatorOf, player, raffle, stateOf } from "../support/raffles.ts";
import { violations } from "../support/wallets.ts";

let db: TestDatabase;
let operator: Actor;
beforeAll(async () => {
  db = await testDatabase();
  operator = await operatorOf(db);
});
beforeEach(async () => expect(await violations(db)).toEqual([]));

const publish = (id: string) =>
  actAs(db, operator, (sql) => sql`select public.publish_raffle(${id})`);
const change = (id: string, terms: Terms) =>
  actAs(
    db,
    operator,
    (sql) =>
      sql`update public.raffles set ${sql(terms as Record<string, string>)} where id = ${id}`,
  );
const row = async (id: string) => (await db.sql`select * from public.raffles where id = ${id}`)[0];
const stockOf = async (id: string) =>
  (await db
    .sql`select p.stock from public.prizes p join public.raffles r on r.prize_id = p.id where r.id = ${id}`)[
      0
    ]
    .stock;

async function faultsOf(terms: Terms): Promise<string[]> {
  const id = await draft(db, terms);
  try {
    await publish(id);
    return [];
  } catch (error) {
    const { message, detail } = error as { message: string; detail: string };
    expect(message).toBe("raffle_terms_invalid");
    return JSON.parse(detail).issues.map(({ path }: { path: string }) => path);
  }
}

const days = (count: number) => new Date(Date.now() + count * 86_400_000);

describe("publishing", () => {
  test("completes what was left to us, and takes the prize from stock", async () => {
    const id = await raffle(db, { tickets_required: 20_000 });
    expect(await row(id)).toMatchObject({
      state: "OPEN",
      title: "A bicycle",
      lanes: 8,
      min_tickets: 1,
      winners_count: 1,
      numbering: "SEQUENTIAL",
      draw_method: "BEACON",
      rake_cents: "0",
      prize_fund_cents: "10000000",
    });
    expect(await stockOf(id)).toBe(99);
    expect(await codeOf(publish(id))).toBe("raffle_not_draft");
  });

  test("takes price, rake and fund from the category: together they are the gross, to the cent", async () => {
    for (
      const [price, seats, bps, fund] of [
        [333, 7, 1250, null],
        [100, 100, 0, null],
        [1, 1, 9999, null],
        [500, 100, 3000, 40_000],
      ]
    ) {
      const [category] = await db.sql`insert into public.raffle_categories
        (name, ticket_price_cents, currency, rake_bps, prize_fund_cents)
        values (${crypto.randomUUID()}, ${price}, 'COP', ${bps}, ${fund}) returning id`;
      const id = await raffle(db, {
        category_id: category.id,
        tickets_required: seats!,
        ticket_price_cents: 9,
      });
      const { rake_cents, prize_fund_cents, ticket_price_cents, currency } = await row(id);
      const gross = price! * seats!;
      expect([Number(ticket_price_cents), currency]).toEqual([price, "COP"]);
      expect(Number(rake_cents)).toBe(
        fund === null ? Math.floor(gross * bps! / 10_000) : gross - fund,
      );
      expect(Number(rake_cents) + Number(prize_fund_cents)).toBe(gross);
    }
  });

  test("copies the category: what it says afterwards is for other raffles", async () => {
    const [category] = await db.sql`insert into public.raffle_categories
      (name, ticket_price_cents, rake_bps, prize_per_winner_cents)
      values (${crypto.randomUUID()}, 500, 1000, 400) returning id`;
    const id = await raffle(db, { category_id: category.id });
    const before = await row(id);
    expect(before).toMatchObject({
      ticket_price_cents: "500",
      rake_cents: "5000",
      prize_fund_cents: "45000",
      prize_per_winner_cents: "400",
    });
    await db.sql`update public.raffle_categories set ticket_price_cents = 100, currency = 'COP',
      rake_bps = 5000, prize_fund_cents = 1, prize_per_winner_cents = 1 where id = ${category.id}`;
    expect(await row(id)).toEqual(before);
    const ana = await player(db, 1000);
    expect((await buy(db, ana.id, { raffle_id: id })).purchase.amount_cents).toBe(500);
  });

  test("of a fund beyond what the raffle brings in is refused, and whatever is not checked, they add up", async () => {
    const [category] = await db.sql`insert into public.raffle_categories
      (name, ticket_price_cents, prize_fund_cents)
      values (${crypto.randomUUID()}, 100, 10001) returning id`;
    expect(await faultsOf({ category_id: category.id })).toEqual(["category_id"]);
    const id = await raffle(db);
    const unchecked = db.superuser.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`update public.raffles set rake_cents = rake_cents + 1 where id = ${id}`;
    });
    expect(await codeOf(unchecked)).toBe("23514");
  });

  test.each<[string, Terms]>([
    ["ticket_price_cents", { ticket_price_cents: 0 }],
    ["ticket_price_cents", { ticket_price_cents: -5 }],
    ["tickets_required", { tickets_required: 0 }],
    ["min_tickets", { min_tickets: 101 }],
    ["max_per_user", { max_per_user: 0 }],
    ["winners_count", { winners_count: 2 }],
    ["closes_at", { closes_at: days(-1) }],
    ["closes_at", { opens_at: days(3), closes_at: days(2) }],
    ["closes_at", { closes_at: days(800) }],
    ["tickets_required", { ticket_price_cents: 100_000_000_000, tickets_required: 10_000_000 }],
    ["tickets_required", { ticket_price_cents: 100_000_000_000, tickets_required: 2_147_483_647 }],
    ["winners_count", { ticket_price_cents: 100_000_000_000, winners_count: 2_147_483_647 }],
    ["lanes", { lanes: 0 }],
    ["lanes", { lanes: 101 }],
    ["boost_limit", { boost_price_cents: 100 }],
    ["boost_limit", { boost_price_cents: 100, boost_limit: 0 }],
    ["boost_limit", { boost_price_cents: 100, boost_limit: 1001 }],
    ["boost_price_cents", { boost_price_cents: 0, boost_limit: 1 }],
    ["retry_price_cents", { retry_price_cents: 100 }],
    ["lottery_id", {
      draw_method: "LOTTERY",
      lottery_draw_date: "2030-01-01",
      unsold_rule: "HOUSE",
    }],
    ["retry_price_cents", { retry_price_cents: 0 }],
    ["lottery_draw_date", { lottery_draw_date: "2030-01-01" }],
    ["unsold_rule", { unsold_rule: "REFUND" }],
    ["prize_tiers", { prize_tiers: { place: 1 } }],
    ["prize_tiers", { prize_tiers: [{ place: 1 }] }],
    ["prize_tiers", { prize_tiers: [{ place: 2, amount_cents: 10 }] }],
    ["prize_tiers", { prize_tiers: [{ place: 1, amount_cents: -10 }] }],
    ["prize_tiers", {
      prize_tiers: [{ place: 1, amount_cents: 1 }, { place: 1, amount_cents: 1 }],
    }],
    ["prize_tiers", { min_tickets: 100, prize_tiers: [{ place: 1, amount_cents: 50_001 }] }],
    ["prize_tiers", {
      min_tickets: 100,
      prize_tiers: [{ place: 1, amount_cents: 101 }],
      boost_price_cents: 1,
      boost_limit: 1,
    }],
    ["prize_tiers", { prize_tiers: [{ figures: 3, amount_cents: 10 }] }],
  ])("names %s when the terms are %j", async (path, terms) => {
    expect(await faultsOf(terms)).toContain(path);
  });

  test("names every fault at once, and leaves the draft as it was", async () => {
    expect((await faultsOf({ min_tickets: 0, max_per_user: 0, lanes: 99_999 })).sort())
      .toEqual(["lanes", "max_per_user", "min_tickets", "winners_count"]);
    expect(await faultsOf({ min_tickets: 100, prize_tiers: [{ place: 1, amount_cents: 50_000 }] }))
      .toEqual([]);
  });

  test("a boost or retry that costs less is what the prize money is reckoned with", async () => {
    const retry_of = await raffle(db);
    const tier = (amount_cents: number) => ({ prize_tiers: [{ place: 1, amount_cents }] });
    const boosted = { min_tickets: 100, boost_price_cents: 200, boost_limit: 1 };
    const retried = { ...boosted, retry_of, retry_price_cents: 100 };
    expect(await faultsOf({ ...boosted, ...tier(20_000) })).toEqual([]);
    expect(await faultsOf({ ...boosted, ...tier(20_001) })).toEqual(["prize_tiers"]);
    expect(await faultsOf({ ...retried, ...tier(10_000) })).toEqual([]);
    expect(await faultsOf({ ...retried, ...tier(10_001) })).toEqual(["prize_tiers"]);
    // Without prize money nothing has to be there, however cheap a boost is.
    const [category] = await db
      .sql`insert into public.raffle_categories (name, ticket_price_cents, rake_bps)
      values ('A large rake', 500, 9000) returning id`;
    const cheap = { category_id: category.id, boost_price_cents: 1, boost_limit: 1 };
    expect(await faultsOf(cheap)).toEqual([]);
  });

  test.each([
    ["opens_at", "opens_at = '-infinity'"],
    ["opens_at", "opens_at = 'infinity'"],
    ["opens_at", "opens_at = '0044-03-15 BC'"],
    ["closes_at", "closes_at = '-infinity'"],
    ["closes_at", "closes_at = 'infinity'"],
    [
      "lottery_draw_date",
      "draw_method = 'LOTTERY', unsold_rule = 'HOUSE', lottery_draw_date = 'infinity'",
    ],
  ])("names %s when %s: a moment is one that comes", async (path, change) => {
    const id = await draft(db);
    await db.sql.unsafe(`update public.raffles set ${change} where id = '${id}'`);
    await expect(publish(id)).rejects.toMatchObject({
      message: "raffle_terms_invalid",
      detail: expect.stringContaining(`"${path}"`),
    });
  });

  test("of a retry that costs nothing is refused", async () => {
    const before = await raffle(db);
    expect(await faultsOf({ retry_of: before, retry_price_cents: 0 }))
      .toEqual(["retry_price_cents"]);
  });

  test("of a sale that is over already is refused", async () => {
    expect(await faultsOf({ opens_at: days(-2), closes_at: days(-1) })).toEqual(["closes_at"]);
  });

  test("names retry_of unless that is a published raffle, and stays one", async () => {
    const retry = (retry_of: string) => faultsOf({ retry_of, retry_price_cents: 100 });
    const before = await raffle(db);
    expect(await retry(before)).toEqual([]);
    expect(await retry(await draft(db))).toEqual(["retry_of"]);
    await actAs(db, operator, (sql) => sql`select public.cancel_raffle(${before}, 'Rain', false)`);
    expect(await retry(before)).toEqual(["retry_of"]);
    const dropped = await draft(db);
    await actAs(db, operator, (sql) => sql`select public.cancel_raffle(${dropped}, 'Rain', false)`);
    expect(await retry(dropped)).toEqual(["retry_of"]);
  });

  test.each([
    "insert into public.prizes (title, value_cents) values ('Dear', $1)",
    "insert into public.raffle_categories (name, ticket_price_cents) values ('Dear', $1)",
    ...["ticket_price_cents", "boost_price_cents", "retry_price_cents"].map((column) =>
      `update public.raffles set ${column} = $1 where id = '$id'`
    ),
  ])("%s takes what JSON can say to the cent, and no more", async (statement) => {
    const text = statement.replace("$id", await draft(db));
    expect(await codeOf(db.sql.unsafe(text, [100_000_000_001]))).toBe("23514");
    expect(await codeOf(db.sql.unsafe(text, [9_007_199_254_740_993n as never]))).toBe("23514");
    expect(await codeOf(db.sql.unsafe(text, [100_000_000_000]))).toBe("none");
  });

  test("of a raffle that a lottery decides ends the sale an hour before the draw, on a day that has one", async () => {
    const midnight = new Date(new Date().toISOString().slice(0, 10)).getTime() + 3 * 86_400_000;
    const weekday = new Date(midnight).getUTCDay() || 7;
    const [lottery] = await db.sql`
      insert into public.lotteries (name, digits, draw_days, draws_at, time_zone)
      values ('Weekly', 4, ${[weekday]}, '22:00', 'UTC') returning id`;
    const terms = (closes_at: number, day = midnight) => ({
      draw_method: "LOTTERY",
      lottery_id: lottery.id,
      lottery_draw_date: new Date(day),
      unsold_rule: "HOUSE",
      closes_at: new Date(closes_at),
    });
    const latest = midnight + 21 * 3_600_000;
    expect(await faultsOf(terms(latest))).toEqual([]);
    expect(await faultsOf(terms(latest + 1))).toEqual(["closes_at"]);
    expect(await faultsOf(terms(midnight, midnight + 86_400_000))).toEqual(["lottery_draw_date"]);
  });

  test("of a raffle that a lottery decides fits its figures", async () => {
    const [lottery] = await db
      .sql`insert into public.lotteries (name, digits) values ('Two figures', 2) returning id`;
    const terms = {
      draw_method: "LOTTERY",
      lottery_id: lottery.id,
      lottery_draw_date: days(2),
      unsold_rule: "HOUSE",
    };
    expect(await faultsOf({ ...terms, tickets_required: 101 })).toEqual(["tickets_required"]);
    expect(await faultsOf({ ...terms, winners_count: 2, min_tickets: 2 }))
      .toEqual(["winners_count"]);
    const id = await raffle(db, { ...terms, tickets_required: 100 });
    const ana = await player(db, 1000);
    expect((await buy(db, ana.id, { raffle_id: id })).tickets[0].ticket_num).toBe(0);
  });

  test("needs a prize in stock, and an operator", async () => {
    const id = await draft(db);
    await db
      .sql`update public.prizes set stock = 0 where id = (select prize_id from public.raffles where id = ${id})`;
    expect(await codeOf(publish(id))).toBe("prize_out_of_stock");
    const ana = await player(db);
    const asAna = actAs(
      db,
      { role: "authenticated", id: ana.id },
      (sql) => sql`select public.publish_raffle(${id})`,
    );
    expect(await codeOf(asAna)).toBe("not_permitted");
    expect(await codeOf(publish(crypto.randomUUID()))).toBe("raffle_not_found");
  });
});

describe("the last prize in stock", () => {
  const onePrize = async (count: number) => {
    const ids = await Promise.all(Array.from({ length: count }, () => draft(db)));
    const [{ prize_id }] = await db.sql`select prize_id from public.raffles where id = ${ids[0]}`;
    await db.sql`update public.raffles set prize_id = ${prize_id} where id = any(${ids}::uuid[])`;
    await db.sql`update public.prizes set stock = 1 where id = ${prize_id}`;
    return ids;
  };
  const publishWithin = (id: string) => async (sql: postgres.ISql) => {
    await actWithin(sql, (operator as { id: string }).id);
    await sql`select public.publish_raffle(${id})`;
  };

  test("is taken by one of the raffles that are published at once", async () => {
    const [one, two] = await onePrize(2);
    expect(await race(db, publishWithin(one), publishWithin(two)))
      .toEqual({ first: "fulfilled", second: "prize_out_of_stock", waited: true });
    expect(await stockOf(one)).toBe(0);
    await actAs(db, operator, (sql) => sql`select public.cancel_raffle(${one}, 'Rain', false)`);
    expect(await stockOf(one)).toBe(1);
    await publish(two);
  });

  test("is taken once by a raffle that is published twice at once", async () => {
    const id = await draft(db);
    expect(await race(db, publishWithin(id), publishWithin(id)))
      .toEqual({ first: "fulfilled", second: "raffle_not_draft", waited: true });
    expect(await stockOf(id)).toBe(99);
  });

  test.each([
    ["stock", -1],
    ["value_cents", -1],
    ["sponsor", ["nobody"]],
    ["image_urls", ["javascript:alert(1)"]],
    ["image_urls", ["https://example.com/a b"]],
    ["currency", "XXX"],
  ])("is not kept with a %s of %j", async (column, value) => {
    const text = `insert into public.prizes (title, value_cents, ${column}) values ('A', 1, $1)`
      .replace("value_cents, value_cents", "stock, value_cents");
    expect(["23514", "23503"]).toContain(await codeOf(db.sql.unsafe(text, [value as never])));
  });
});

describe("a name", () => {
  const COLUMNS = [
    "insert into public.prizes (title, value_cents) values ($1, 1)",
    "insert into public.raffle_categories (name, ticket_price_cents) values ($1, 1)",
    "insert into public.lotteries (name, digits) values ($1, 4)",
    "update public.raffles set title = $1 where id = (select id from public.raffles limit 1)",
    "update public.profiles set display_name = $1 where id = (select id from public.profiles limit 1)",
  ];
  const HIDDEN = [
    "\u200b",
    "\u00a0",
    "\u3164\u2800",
    "\u00ad",
    "\ufeff",
    "\u200d\ufe0f",
    "\u{e0041}",
  ];
  const BROKEN = ["A\nB", "A\tB", "A\u2028B", "A\u0085B", "A\u202eB", "A\u2066B", "\u007f"];
  const PADDED = ["\u00a0A", "A\u00a0", " A", "A ", "\u3000A", "A\u200b", "A\n", ""];
  const GOOD = ["Ñandú 2", "自転車", "دراجة", "👩‍👩‍👧 ride", "Heart ❤️", "नमस्ते", "C\u0327a", "%_\\'\""];

  test.each(COLUMNS)("%s is one line that can be seen", async (statement) => {
    await raffle(db);
    for (const name of [...HIDDEN, ...BROKEN, ...PADDED]) {
      expect([name, await codeOf(db.sql.unsafe(statement, [name]))]).toEqual([name, "23514"]);
    }
    for (const name of GOOD) {
      expect([name, await codeOf(db.sql.unsafe(statement, [name]))]).toEqual([name, "none"]);
    }
  });
});

test("two categories do not share a name", async () => {
  const add = () =>
    db.sql`insert into public.raffle_categories (name, ticket_price_cents) values ('Twice', 100)`;
  await add();
  expect(await codeOf(add())).toBe("23505");
});

describe("a prize", () => {
  const CHANGES: Terms[] = [
    { title: "Another bicycle" },
    { description: "Without wheels" },
    { value_cents: 1 },
    { currency: "JPY" },
  ];
  const prizeOf = async (raffleId: string) =>
    (await db.sql`select prize_id from public.raffles where id = ${raffleId}`)[0].prize_id;
  const edit = (prizeId: string, changes: Terms) =>
    actAs(
      db,
      operator,
      (sql) =>
        sql`update public.prizes set ${
          sql(changes as Record<string, string>)
        } where id = ${prizeId}`,
    );

  test.each(CHANGES)(
    "can be changed in %j until a ticket is sold, by nobody after",
    async (changes) => {
      const raffle_id = await raffle(db);
      const prize = await prizeOf(raffle_id);
      expect(await codeOf(edit(prize, changes))).toBe("none");
      await edit(prize, {
        title: "A bicycle",
        description: "",
        value_cents: 50000,
        currency: "EUR",
      });
      await buy(db, (await player(db, 1000)).id, { raffle_id });
      expect(await codeOf(edit(prize, changes))).toBe("prize_frozen");
      for (const sql of [db.sql, db.superuser]) {
        const asOwner = sql`update public.prizes set ${
          sql(changes as Record<string, string>)
        } where id = ${prize}`;
        expect(await codeOf(asOwner)).toBe("prize_frozen");
      }
      await edit(prize, {
        stock: 3,
        image_urls: ["https://example.com/a.jpg"],
        sponsor: { name: "A" },
      });
      await actAs(
        db,
        operator,
        (sql) => sql`select public.cancel_raffle(${raffle_id}, 'Rain', false)`,
      );
      expect(await codeOf(edit(prize, changes))).toBe("none");
    },
  );
});

describe("the terms", () => {
  const TERMS: [string, Terms][] = [
    ["price", { ticket_price_cents: 1 }],
    ["tickets", { tickets_required: 50 }],
    ["minimum", { min_tickets: 2 }],
    ["cap", { max_per_user: 1 }],
    ["numbering", { numbering: "RANDOM" }],
    ["prizes", { prize_tiers: [{ place: 1, amount_cents: 1 }] }],
    ["closing", { closes_at: days(5) }],
    ["opening", { opens_at: days(-2) }],
    ["lanes", { lanes: 2 }],
    ["boost", { boost_price_cents: 1, boost_limit: 1 }],
  ];

  test.each(TERMS)(
    "%s: can be changed until the first sale, and by nobody after",
    async (_, terms) => {
      const id = await raffle(db);
      await change(id, terms);
      const [column, value] = Object.entries(terms)[0];
      const changed = (await row(id))[column];
      expect(
        changed instanceof Date ? changed : String(JSON.stringify(changed)).replaceAll('"', ""),
      )
        .toEqual(value instanceof Date ? value : JSON.stringify(value).replaceAll('"', ""));

      const other = await raffle(db);
      await buy(db, (await player(db, 1000)).id, { raffle_id: other });
      expect(await codeOf(change(other, terms))).toBe("raffle_terms_frozen");
      for (const sql of [db.sql, db.superuser]) {
        const asOwner = sql`update public.raffles set ${
          sql(terms as Record<string, string>)
        } where id = ${other}`;
        expect(await codeOf(asOwner)).toBe("raffle_terms_frozen");
      }
    },
  );

  // What may change when tickets have been sold: what is no promise, and what follows from events.
  const NO_TERMS = [
    "id",
    "title",
    "description",
    "state",
    "prizes_taken",
    "created_at",
    "updated_at",
  ]
    .concat("cancelled_at", "cancel_reason", "cancel_code");
  const OTHERS: Record<string, string> = {
    prize_id: "(select id from public.prizes where id <> prize_id limit 1)",
    category_id: "(select id from public.raffle_categories limit 1)",
    currency: "'COP'",
    numbering: "'RANDOM'",
    prize_tiers: `'[{"place":1,"amount_cents":1}]'`,
    draw_method: "'LOTTERY'",
    lottery_id: "(select id from public.lotteries limit 1)",
    unsold_rule: "'HOUSE'",
    retry_of: "(select id from public.raffles r where r.id <> raffles.id limit 1)",
    lottery_draw_date: "current_date + 2",
    opens_at: "opens_at - interval '1 second'",
    closes_at: "closes_at + interval '1 second'",
    published_at: "published_at - interval '1 second'",
  };

  test("are all columns but those that are no promise, and no role changes one after a sale", async () => {
    await db
      .sql`insert into public.lotteries (name, digits) values (${crypto.randomUUID()}, 4)`;
    const id = await raffle(db);
    await buy(db, (await player(db, 1000)).id, { raffle_id: id });
    const before = await row(id);
    for (const column of Object.keys(before).filter((name) => !NO_TERMS.includes(name))) {
      const change = `update public.raffles set ${column} =
        ${OTHERS[column] ?? `coalesce(${column}, 0) + 1`} where id = '${id}'`;
      for (const sql of [db.sql, db.superuser]) {
        expect([column, await codeOf(sql.unsafe(change))]).toEqual([column, "raffle_terms_frozen"]);
      }
      const actors: Actor[] = [{ role: "service_role" }, { role: "anon" }, operator];
      for (const actor of actors) {
        const code = await codeOf(actAs(db, actor, (sql) => sql.unsafe(change)));
        // Without the right to write at all, or, for operators, because it is sold.
        expect(["42501", actor === operator ? "raffle_terms_frozen" : "42501"]).toContain(code);
      }
    }
    expect(await row(id)).toEqual(before);
  });

  test("are fixed by a reservation too, even when that has expired", async () => {
    const id = await raffle(db);
    await buy(db, (await player(db)).id, { raffle_id: id, payment_method: "card" });
    expect(await codeOf(change(id, { max_per_user: 1 }))).toBe("raffle_terms_frozen");
    await db.sql`update public.purchases set expires_at = now() where raffle_id = ${id}`;
    await db.sql`select app.expire_purchases()`;
    expect(await codeOf(change(id, { max_per_user: 1 }))).toBe("raffle_terms_frozen");
  });

  test("are checked again when they change, and the seats follow", async () => {
    const id = await raffle(db);
    expect(await codeOf(change(id, { tickets_required: 0 }))).toBe("raffle_terms_invalid");
    const other = await db.sql`select prize_id from public.raffles where id = ${await raffle(db)}`;
    expect(await codeOf(change(id, { prize_id: other[0].prize_id }))).toBe("raffle_terms_frozen");
    await change(id, { tickets_required: 5, ticket_price_cents: 100 });
    const ana = await player(db, 10_000);
    expect(await codeOf(buy(db, ana.id, { raffle_id: id, quantity: 6 }))).toBe("raffle_sold_out");
    await buy(db, ana.id, { raffle_id: id, quantity: 5 });
    expect(await stateOf(db, id)).toBe("FULL");
  });

  test("of a raffle that was cancelled stay, though nothing was sold", async () => {
    const id = await raffle(db);
    await cancel(db, id);
    expect(await codeOf(db.sql`update public.raffles set min_tickets = 2 where id = ${id}`))
      .toBe("raffle_terms_frozen");
  });

  test("a title is no term", async () => {
    const id = await raffle(db);
    await buy(db, (await player(db, 1000)).id, { raffle_id: id });
    await change(id, { title: "A better name" });
    expect((await row(id)).title).toBe("A better name");
  });

  test("a state only changes in its order, and a published raffle is not deleted", async () => {
    const id = await raffle(db);
    const STATES = ["DRAFT", "OPEN", "FULL", "CLOSED", "DRAWN", "SETTLED", "CANCELLED"];
    const LEGAL = ["DRAFT OPEN", "OPEN FULL", "OPEN CLOSED", "FULL CLOSED", "CLOSED DRAWN"]
      .concat(
        "DRAWN SETTLED",
        ["DRAFT", "OPEN", "FULL", "CLOSED"].map((from) => `${from} CANCELLED`),
      );
    const done: string[] = [];
    for (const from of STATES) {
      for (const to of STATES.filter((other) => other !== from)) {
        await rolledBack(db.superuser, async (sql) => {
          await sql`set local session_replication_role = replica`;
          await sql`update public.raffles set state = ${from},
            published_at = case ${from}::text when 'DRAFT' then null else published_at end where id = ${id}`;
          await sql`set local session_replication_role = origin`;
          const changing = sql.savepoint((sql) =>
            sql`update public.raffles set state = ${to},
              published_at = case ${to}::text when 'DRAFT' then null else coalesce(published_at, now()) end
              where id = ${id}`
          );
          if ((await codeOf(changing)) === "none") done.push(`${from} ${to}`);
        });
      }
    }
    expect(done.sort()).toEqual(LEGAL.sort());
    expect(await codeOf(db.sql`update public.raffles set state = 'DRAWN' where id = ${id}`))
      .toBe("state_change_refused");
    expect(await codeOf(db.sql`delete from public.raffles where id = ${id}`)).toBe("42501");
  });

  test("are copied into a new draft that is open as long", async () => {
    const id = await raffle(db, { max_per_user: 3, numbering: "PICK", closes_at: days(3) });
    const [{ copy }] = await actAs(
      db,
      operator,
      (sql) => sql`select public.duplicate_raffle(${id}) as copy`,
    );
    const after = await row(copy);
    expect(after).toMatchObject({
      state: "DRAFT",
      max_per_user: 3,
      numbering: "PICK",
      published_at: null,
    });
    const lengths = await db.sql`select distinct closes_at - opens_at from public.raffles
      where id in (${id}, ${copy})`;
    expect(lengths).toHaveLength(1);
    await publish(copy);
    expect(await stateOf(db, copy)).toBe("OPEN");
  });
});
