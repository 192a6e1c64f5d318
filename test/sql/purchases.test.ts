import type postgres from "postgres";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { toldOf } from "../support/notifications.ts";
import { buyWithin, paymentOf, redeem } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { actAs, codeOf, testDatabase } from "../support/database.ts";
import { draw, seal, settle, winnersOf } from "../support/draws.ts";
import { rolledBack } from "../support/ledger.ts";
import { buy, draft, operatorOf, player, raffle, stateOf, ticketsOf } from "../support/raffles.ts";
import { apply } from "../support/stripe-inbox.ts";
import { fund, violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
let ana: string;
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
});
beforeEach(async () => void (ana = (await player(db, 100_000)).id));
afterEach(async () => expect(await violations(db)).toEqual([]));

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const setting = (name: string, value: number) =>
  db.sql`update app.settings set value = ${value} where name = ${name}`;

describe("buying by wallet", () => {
  test("takes the money and gives consecutive numbers in one go", async () => {
    const raffle_id = await raffle(db);
    const first = await buy(db, ana, { raffle_id, quantity: 3 });
    expect(first.purchase).toMatchObject({
      status: "CONFIRMED",
      type: "ENTRY",
      quantity: 3,
      amount_cents: 1500,
      currency: "EUR",
      payment_method: "wallet",
      redeemed: true,
      expires_at: null,
    });
    expect(first.tickets.map((one: { ticket_num: number }) => one.ticket_num)).toEqual([1, 2, 3]);
    expect(first.wallet).toEqual({
      balance_cents: 98_500,
      available_cents: 98_500,
      currency: "EUR",
    });
    const second = await buy(db, ana, { raffle_id });
    expect(second.tickets[0].ticket_num).toBe(4);
  });

  test("with the same key takes it once, and answers the same", async () => {
    const raffle_id = await raffle(db);
    const first = await buy(db, ana, { raffle_id }, "once");
    expect(await buy(db, ana, { raffle_id }, "once")).toEqual(first);
    expect(await codeOf(buy(db, ana, { raffle_id, quantity: 2 }, "once"))).toBe(
      "idempotency_key_reused",
    );
    expect((await walletOf(db, ana)).balance).toBe(99_500);
    const told = (await toldOf(db, { user_id: ana })).map(({ event }) => event);
    expect(told.filter((event) => event.startsWith("purchase"))).toEqual(["purchase_confirmed"]);
  });

  test("in another currency than the wallets one has is refused as such", async () => {
    const raffle_id = await raffle(db, { currency: "COP" });
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("currency_mismatch");
    await fund(db, ana, 500, "COP");
    expect((await buy(db, ana, { raffle_id })).wallet).toMatchObject({ currency: "COP" });
    expect((await walletOf(db, ana)).balance).toBe(100_000);
  });

  test("to the last ticket makes the raffle FULL in that very transaction", async () => {
    const raffle_id = await raffle(db, { tickets_required: 2 });
    await db.sql.begin(async (sql) => {
      await buyWithin(sql, ana, { raffle_id, quantity: 2 });
      const [{ state }] = await sql`select state from public.raffles where id = ${raffle_id}`;
      expect(state).toBe("FULL");
    });
  });

  test("to the last ticket makes the raffle FULL, and then it is sold out", async () => {
    const raffle_id = await raffle(db, { tickets_required: 7, lanes: 3 });
    for (const quantity of [2, 2, 2]) await buy(db, ana, { raffle_id, quantity });
    expect(await stateOf(db, raffle_id)).toBe("OPEN");
    expect(await codeOf(buy(db, ana, { raffle_id, quantity: 2 }))).toBe("raffle_sold_out");
    await buy(db, ana, { raffle_id });
    expect(await stateOf(db, raffle_id)).toBe("FULL");
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, 7));
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("raffle_sold_out");
  });

  test("beside the last reservation leaves the raffle OPEN: its payment makes it FULL", async () => {
    const raffle_id = await raffle(db, { tickets_required: 4, lanes: 2 });
    const { purchase } = await buy(db, ana, { raffle_id, payment_method: "card", quantity: 2 });
    await buy(db, ana, { raffle_id, quantity: 2 });
    expect(await stateOf(db, raffle_id)).toBe("OPEN");
    await db.sql.begin(async (sql) => {
      expect(await apply(sql, paymentOf(purchase))).toBe("applied");
      const [{ state }] = await sql`select state from public.raffles where id = ${raffle_id}`;
      expect(state).toBe("FULL");
    });
  });

  test("without enough money leaves no trace", async () => {
    const raffle_id = await raffle(db, { ticket_price_cents: 60_000 });
    expect(await codeOf(buy(db, ana, { raffle_id, quantity: 2 }))).toBe("balance_insufficient");
    expect(await db.sql`select from public.purchases where raffle_id = ${raffle_id}`).toHaveLength(
      0,
    );
    const [{ taken }] = await db.sql`select app.count_taken(${raffle_id}) as taken`;
    expect(taken).toBe(0);
  });
});

test.each([[null], [""], ["x".repeat(256)]])("the key %s buys nothing", async (key) => {
  const raffle_id = await raffle(db);
  const buying = actAs(
    db,
    { role: "authenticated", id: ana },
    (sql) =>
      sql`select public.begin_purchase(${key}, ${raffle_id}, 1, null, 'ENTRY', 'wallet', true, null)`,
  );
  expect(await codeOf(buying)).toBe("idempotency_key_required");
});

test("what is held for something else buys nothing", async () => {
  const raffle_id = await raffle(db);
  const { id } = await player(db, 500);
  await db.sql`select app.place_hold(app.account_of('USER', 'EUR', ${id}), 1, 'WITHDRAWAL')`;
  expect(await codeOf(buy(db, id, { raffle_id }))).toBe("balance_insufficient");
});

describe("numbers", () => {
  test("of a RANDOM raffle are each sold once, in an order that tells nothing", async () => {
    const raffle_id = await raffle(db, { numbering: "RANDOM", ticket_price_cents: 10 });
    const inOrder: number[] = [];
    for (let n = 0; n < 20; n++) {
      const { tickets } = await buy(db, ana, { raffle_id, quantity: 5 });
      inOrder.push(...tickets.map((one: { ticket_num: number }) => one.ticket_num));
    }
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, 100));
    expect(inOrder).not.toEqual(range(1, 100));
    const another = await raffle(db, { numbering: "RANDOM", ticket_price_cents: 10 });
    const { tickets } = await buy(db, ana, { raffle_id: another, quantity: 20 });
    const numbers = tickets.map((one: { ticket_num: number }) => one.ticket_num);
    expect(numbers, "each raffle has its own order").not.toEqual(
      inOrder.slice(0, 20).sort((a, b) => a - b),
    );
  });

  test("of a PICK raffle are the buyer's choice, or lucky ones, each sold once", async () => {
    const raffle_id = await raffle(db, { numbering: "PICK", ticket_price_cents: 10 });
    const { tickets } = await buy(db, ana, { raffle_id, numbers: [77, 7, 42] });
    expect(tickets.map((one: { ticket_num: number }) => one.ticket_num)).toEqual([7, 42, 77]);
    expect(await codeOf(buy(db, ana, { raffle_id, numbers: [41, 42] }))).toBe("number_taken");
    for (const numbers of [[0], [101], [1, 1]]) {
      expect(await codeOf(buy(db, ana, { raffle_id, numbers }))).toBe("number_out_of_range");
    }
    await buy(db, ana, { raffle_id, quantity: 97 });
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, 100));
    expect(await stateOf(db, raffle_id)).toBe("FULL");
  });

  test("that are chosen and to be paid by card are kept from others, and issued once it is paid", async () => {
    const raffle_id = await raffle(db, { numbering: "PICK" });
    const order = { raffle_id, numbers: [42, 7] };
    const { purchase, tickets } = await buy(db, ana, { ...order, payment_method: "card" });
    expect(tickets ?? []).toEqual([]);
    for (const payment_method of ["wallet", "card"] as const) {
      const late = buy(db, ana, { raffle_id, numbers: [7, 8], payment_method });
      expect(await codeOf(late)).toBe("number_taken");
    }
    expect(await apply(db.sql, paymentOf(purchase))).toBe("applied");
    expect(await ticketsOf(db, raffle_id)).toEqual([7, 42]);
  });

  test("cannot be chosen where they are not for choosing", async () => {
    const raffle_id = await raffle(db);
    expect(await codeOf(buy(db, ana, { raffle_id, numbers: [5] }))).toBe("request_invalid");
  });

  test("are as many as the tickets", async () => {
    const raffle_id = await raffle(db, { numbering: "PICK" });
    expect(await codeOf(buy(db, ana, { raffle_id, quantity: 2, numbers: [5] })))
      .toBe("request_invalid");
  });
});

describe("redeeming later", () => {
  const redeem = (
    userId: string,
    purchaseId: string,
    numbers: number[] | null = null,
    key: string = crypto.randomUUID(),
  ) =>
    actAs(
      db,
      { role: "authenticated", id: userId },
      async (sql) =>
        (await sql`select public.redeem_ticket(${key}, ${purchaseId}, ${numbers}::integer[]) as result`)[
          0
        ].result.answer,
    );

  test("gives the tickets that were kept, once; the same key the same ones", async () => {
    const raffle_id = await raffle(db, { tickets_required: 3 });
    const { purchase, tickets } = await buy(db, ana, { raffle_id, quantity: 3, redeem: false });
    expect([purchase.redeemed, tickets]).toEqual([false, []]);
    expect(await stateOf(db, raffle_id)).toBe("FULL");
    const first = await redeem(ana, purchase.id, null, "once");
    expect(first.purchase.redeemed).toBe(true);
    expect(first.tickets.map((one: { ticket_num: number }) => one.ticket_num)).toEqual([1, 2, 3]);
    expect(await redeem(ana, purchase.id, null, "once")).toEqual(first);
    expect(await codeOf(redeem(ana, purchase.id))).toBe("purchase_already_redeemed");
  });

  test("of a PICK raffle takes the numbers then", async () => {
    const raffle_id = await raffle(db, { numbering: "PICK" });
    const { purchase } = await buy(db, ana, { raffle_id, quantity: 2, redeem: false });
    await buy(db, ana, { raffle_id, numbers: [9] });
    expect(await codeOf(redeem(ana, purchase.id, [8, 9]))).toBe("number_taken");
    expect(await codeOf(redeem(ana, purchase.id, [8]))).toBe("request_invalid");
    const { tickets } = await redeem(ana, purchase.id, [8, 10]);
    expect(tickets.map((one: { ticket_num: number }) => one.ticket_num)).toEqual([8, 10]);
  });

  test("is over when the raffle closes: nobody chooses a number after that", async () => {
    for (const numbering of ["PICK", "SEQUENTIAL"]) {
      const raffle_id = await raffle(db, { numbering, closes_at: new Date(Date.now() + 500) });
      const { purchase } = await buy(db, ana, { raffle_id, redeem: false });
      await new Promise((resolve) => setTimeout(resolve, 550));
      expect(await codeOf(redeem(ana, purchase.id, numbering === "PICK" ? [7] : null)))
        .toBe("raffle_not_open");
      expect(await codeOf(redeem(ana, purchase.id))).toBe("raffle_not_open");
    }
  });

  test("takes no number twice, and no others than were chosen when it was bought", async () => {
    const raffle_id = await raffle(db, { numbering: "PICK" });
    const open = await buy(db, ana, { raffle_id, quantity: 2, redeem: false });
    expect(await codeOf(redeem(ana, open.purchase.id, [7, 7]))).toBe("number_out_of_range");
    const order = { raffle_id, numbers: [3, 9], redeem: false };
    const [first, second] = [
      await buy(db, ana, order),
      await buy(db, ana, { ...order, numbers: [4, 10] }),
    ];
    for (const numbers of [[3, 8], [1, 2], [4, 10]]) {
      expect(await codeOf(redeem(ana, first.purchase.id, numbers))).toBe("request_invalid");
    }
    const { tickets } = await redeem(ana, first.purchase.id, [9, 3]);
    expect(tickets.map((one: { ticket_num: number }) => one.ticket_num)).toEqual([3, 9]);
    expect((await redeem(ana, second.purchase.id)).tickets).toMatchObject([
      { ticket_num: 4 },
      { ticket_num: 10 },
    ]);
  });

  test("is refused for others', unpaid and refunded purchases", async () => {
    const raffle_id = await raffle(db);
    const ben = (await player(db)).id;
    const { purchase } = await buy(db, ana, { raffle_id, redeem: false });
    const card = await buy(db, ana, { raffle_id, redeem: false, payment_method: "card" });
    expect(await codeOf(redeem(ben, purchase.id))).toBe("purchase_not_found");
    expect(await codeOf(redeem(ana, crypto.randomUUID()))).toBe("purchase_not_found");
    expect(await codeOf(redeem(ana, card.purchase.id))).toBe("purchase_not_confirmed");
    await actAs(
      db,
      await operatorOf(db),
      (sql) => sql`select public.cancel_raffle(${raffle_id}, 'A mistake', false)`,
    );
    expect(await codeOf(redeem(ana, purchase.id))).toBe("purchase_not_redeemable");
  });
});

describe("nobody buys", () => {
  test("under age, or of unknown age; unless there is no minimum", async () => {
    const raffle_id = await raffle(db);
    const years = (count: number, days: number) =>
      db.sql`update public.profiles
      set birth_date = (now() at time zone 'utc')::date - make_interval(years => ${count}) + make_interval(days => ${days})
      where id = ${ana}`;
    await db.sql`update public.profiles set birth_date = null where id = ${ana}`;
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("age_restricted");
    await years(18, 1);
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("age_restricted");
    await years(18, 0);
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("none");
    await setting("minimum_age", 0);
    await years(5, 0);
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("none");
    await setting("minimum_age", 18);
  });

  test.each([
    [
      "self_excluded",
      "update public.profiles set self_excluded_until = now() + interval '1 day' where id = $1",
    ],
    ["account_suspended", "update public.profiles set status = 'SUSPENDED' where id = $1"],
    ["email_unverified", "update auth.users set email_confirmed_at = null where id = $1"],
    [
      "wallet_suspended",
      "update public.wallet_accounts set suspended_reason = 'test' where user_id = $1",
    ],
  ])("who is %s, by wallet or card", async (code, change) => {
    const raffle_id = await raffle(db);
    await db.sql.unsafe(change, [ana]);
    for (const payment_method of ["wallet", "card"] as const) {
      expect(await codeOf(buy(db, ana, { raffle_id, payment_method }))).toBe(code);
    }
  });

  test("before it opens, after it closes, what is a draft, or does not exist", async () => {
    const hour = 3_600_000;
    const later = await raffle(db, { opens_at: new Date(Date.now() + hour) });
    expect(await codeOf(buy(db, ana, { raffle_id: later }))).toBe("raffle_not_open");
    const soon = await raffle(db, { closes_at: new Date(Date.now() + 300) });
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(await codeOf(buy(db, ana, { raffle_id: soon }))).toBe("raffle_not_open");
    expect(await codeOf(buy(db, ana, { raffle_id: crypto.randomUUID() }))).toBe("raffle_not_found");
    const draftId = await draft(db);
    expect(await codeOf(buy(db, ana, { raffle_id: draftId }))).toBe("raffle_not_found");
    // Whatever its lanes say.
    const closed = await raffle(db, { tickets_required: 1 });
    await buy(db, ana, { raffle_id: closed });
    await seal(db, closed);
    await db.sql`update app.raffle_lanes set open = true, fresh = 1 where raffle_id = ${closed}`;
    for (const payment_method of ["wallet", "card"] as const) {
      expect(await codeOf(buy(db, ana, { raffle_id: closed, payment_method })))
        .toBe("raffle_not_open");
    }
    await db.sql`update app.raffle_lanes set open = false, fresh = 0 where raffle_id = ${closed}`;
  });

  test.each([0, -1, 101, 2_147_483_647])("%i tickets at once", async (quantity) => {
    const raffle_id = await raffle(db, { tickets_required: 1000 });
    expect(await codeOf(buy(db, ana, { raffle_id, quantity }))).toBe("quantity_out_of_range");
    expect((await buy(db, ana, { raffle_id, quantity: 100 })).tickets).toHaveLength(100);
  });

  test("more than one person may have, over several purchases", async () => {
    const raffle_id = await raffle(db, { max_per_user: 5 });
    await buy(db, ana, { raffle_id, quantity: 3 });
    await buy(db, ana, { raffle_id, quantity: 1, payment_method: "card" });
    expect(await codeOf(buy(db, ana, { raffle_id, quantity: 2 }))).toBe("ticket_limit_reached");
    await buy(db, ana, { raffle_id });
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("ticket_limit_reached");
  });

  test("beyond their own spend limit", async () => {
    const raffle_id = await raffle(db);
    await db.sql`insert into public.play_limits (user_id, kind, period, currency, amount_cents)
      values (${ana}, 'spend', 'day', 'EUR', 1200)`;
    await buy(db, ana, { raffle_id, quantity: 2 });
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("spend_limit_reached");
    await db
      .sql`update public.purchases set created_at = now() - interval '25 hours' where user_id = ${ana}`;
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("none");
  });

  test.each([["day", 24], ["week", 7 * 24], ["month", 30 * 24]])(
    "beyond what they allow themselves in a %s, which is the last %i hours, reservations included",
    async (period, hours) => {
      const raffle_id = await raffle(db);
      const asAna = <T>(work: (sql: postgres.TransactionSql) => Promise<T>) =>
        actAs(db, { role: "authenticated", id: ana }, work);
      const limit = (cents: number) =>
        asAna((sql) => sql`select public.set_play_limit('spend', ${period}, ${cents}, 'EUR')`);
      const age = (minutes: number) =>
        db.sql`update public.purchases
          set created_at = now() - make_interval(hours => ${hours}, mins => ${minutes}) where user_id = ${ana}`;
      await limit(1500);
      await buy(db, ana, { raffle_id });
      await buy(db, ana, { raffle_id, payment_method: "card" });
      for (const payment_method of ["wallet", "card"] as const) {
        const order = { raffle_id, quantity: 2, payment_method };
        await expect(buy(db, ana, order)).rejects.toMatchObject({
          message: "spend_limit_reached",
          detail: expect.stringContaining(`"period": "${period}"`),
        });
      }
      await limit(900); // lower at once, higher not before a day is over
      expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("spend_limit_reached");
      await limit(5000);
      expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("spend_limit_reached");
      await age(-1);
      expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("spend_limit_reached");
      await age(1);
      expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("none");
      await db.sql`update public.play_limits set pending_from = now() where user_id = ${ana}`;
      expect(await codeOf(buy(db, ana, { raffle_id, quantity: 9 }))).toBe("none");
    },
  );
});

test("a reservation keeps no number beyond the closing", async () => {
  const closes_at = new Date(Date.now() + 60_000);
  const soon = await buy(db, ana, {
    raffle_id: await raffle(db, { closes_at }),
    payment_method: "card",
  });
  expect(Date.parse(soon.purchase.expires_at)).toBe(closes_at.getTime());
  const later = await buy(db, ana, { raffle_id: await raffle(db), payment_method: "card" });
  expect(Date.parse(later.purchase.expires_at) - Date.now()).toBeCloseTo(900_000, -4.5);
});

test("a ticket that is missing, and one that is too much, are named for what they are", async () => {
  const raffle_id = await raffle(db);
  const messageOf = (order: Parameters<typeof buy>[2]) =>
    buy(db, ana, order).then(
      () => "none",
      ({ detail }) => JSON.parse(detail).issues[0].message,
    );
  expect(await messageOf({ raffle_id, type: "BOOST" })).toBe("is needed for a BOOST or RETRY");
  expect(await messageOf({ raffle_id, ticket_id: 1 })).toBe("is only for a BOOST or RETRY");
});

test.each([
  ["type", null, "wallet", true],
  ["payment_method", "ENTRY", null, true],
  ["redeem", "ENTRY", "wallet", null],
])(
  "an order without its %s is refused, though it is for one ticket",
  async (path, type, method, redeem) => {
    const raffle_id = await raffle(db);
    const order = actAs(
      db,
      { role: "authenticated", id: ana },
      (sql) =>
        sql`select public.begin_purchase(${crypto.randomUUID()}, ${raffle_id}, 1, null, ${type},
      ${method}, ${redeem}, null)`,
    );
    await expect(order).rejects.toMatchObject({
      message: "request_invalid",
      detail: expect.stringContaining(path),
    });
  },
);

describe("boosts and retries", () => {
  test("a boost is not boosted again: the limit is one", async () => {
    const raffle_id = await raffle(db, { boost_price_cents: 100, boost_limit: 2 });
    const bought = await buy(db, ana, { raffle_id });
    const boost = (ticket_id: number) =>
      buy(db, ana, { raffle_id, type: "BOOST", quantity: 1, ticket_id });
    const { tickets: [boosted] } = await boost(bought.tickets[0].id);
    await expect(boost(boosted.id)).rejects.toMatchObject({
      message: "boost_limit_reached",
      detail: JSON.stringify({ limit: 0, remaining: 0 }).replaceAll(/([:,])/g, "$1 "),
    });
    expect(await codeOf(boost(bought.tickets[0].id))).toBe("none");
  });

  test("a boost is for a ticket one holds, at its price, up to its limit", async () => {
    const raffle_id = await raffle(db, { boost_price_cents: 100, boost_limit: 3, max_per_user: 1 });
    const ben = (await player(db, 10_000)).id;
    const { tickets: [{ id: ticket_id }] } = await buy(db, ana, { raffle_id });
    const boost = (userId: string, quantity: number, ticket = ticket_id) =>
      buy(db, userId, { raffle_id, type: "BOOST", quantity, ticket_id: ticket });
    const { purchase, tickets } = await boost(ana, 2);
    expect([purchase.amount_cents, tickets.length]).toEqual([200, 2]);
    expect(await codeOf(boost(ana, 2))).toBe("boost_limit_reached");
    expect(await codeOf(boost(ben, 1))).toBe("ticket_not_found");
    expect(await codeOf(boost(ana, 1))).toBe("none");
    const plain = await raffle(db);
    const other = await buy(db, ana, { raffle_id: plain });
    const asked = buy(db, ana, { raffle_id: plain, type: "BOOST", ticket_id: other.tickets[0].id });
    expect(await codeOf(asked)).toBe("boost_limit_reached");
  });

  test("a boost can be kept, and is redeemed as any other purchase", async () => {
    const raffle_id = await raffle(db, { boost_price_cents: 100, boost_limit: 2 });
    const { tickets: [{ id: ticket_id }] } = await buy(db, ana, { raffle_id });
    const order = { raffle_id, type: "BOOST" as const, quantity: 2, ticket_id, redeem: false };
    const { purchase, tickets } = await buy(db, ana, order);
    expect([purchase.redeemed, tickets]).toEqual([false, []]);
    await redeem(db, ana, purchase.id);
    expect(await ticketsOf(db, raffle_id)).toEqual([1, 2, 3]);
  });

  test("a retry is for a ticket that lost in the raffle before, once", async () => {
    const before = await raffle(db, { tickets_required: 3 });
    const { tickets } = await buy(db, ana, { raffle_id: before, quantity: 3 });
    const raffle_id = await raffle(db, { retry_of: before, retry_price_cents: 200 });
    const retry = (ticket: number, quantity = 1) =>
      buy(db, ana, { raffle_id, type: "RETRY", quantity, ticket_id: ticket });
    expect(await codeOf(retry(tickets[0].id))).toBe("retry_not_available");
    await seal(db, before);
    await draw(db, before);
    await settle(db, before);
    const [{ ticket_num }] = await winnersOf(db, before);
    const won = tickets.find((ticket: { ticket_num: number }) => ticket.ticket_num === ticket_num);
    const [lost, other] = tickets.filter((ticket: unknown) => ticket !== won);
    expect(await codeOf(retry(won.id))).toBe("retry_not_available");
    expect((await retry(lost.id)).purchase.amount_cents).toBe(200);
    expect(await codeOf(retry(lost.id))).toBe("retry_not_available");
    expect(await codeOf(retry(other.id, 2))).toBe("retry_not_available");
    const { id: ben } = await player(db, 500);
    const theirs = buy(db, ben, { raffle_id, type: "RETRY", ticket_id: other.id });
    expect(await codeOf(theirs)).toBe("ticket_not_found");
    const elsewhere = await raffle(db);
    const asked = buy(db, ana, { raffle_id: elsewhere, type: "RETRY", ticket_id: other.id });
    expect(await codeOf(asked)).toBe("retry_not_available");
    const setVoided = (moment: Date | null) =>
      db.superuser.begin(async (sql) => {
        await sql`set local session_replication_role = replica`;
        await sql`update public.tickets set voided_at = ${moment} where id = ${other.id}`;
      });
    await setVoided(new Date());
    expect(await codeOf(retry(other.id))).toBe("retry_not_available");
    await setVoided(null);
    expect(await codeOf(retry(other.id))).toBe("none");
  });
});

describe("what is issued stays", () => {
  test("no role changes, moves or deletes a ticket", async () => {
    const raffle_id = await raffle(db);
    const { tickets: [{ id }] } = await buy(db, ana, { raffle_id });
    for (
      const change of [
        "update public.tickets set ticket_num = 99",
        "update public.tickets set user_id = gen_random_uuid()",
        "update public.tickets set purchase_id = gen_random_uuid()",
        "delete from public.tickets",
        "truncate public.tickets cascade",
      ]
    ) {
      for (const sql of [db.sql, db.superuser]) {
        expect(
          await codeOf(
            sql.unsafe(change.includes("truncate") ? change : `${change} where id = ${id}`),
          ),
        )
          .toBe("42501");
      }
    }
  });

  test("what was voided stays so, whoever asks, and who cancelled is in the audit log", async () => {
    const raffle_id = await raffle(db);
    const { tickets: [{ id }] } = await buy(db, ana, { raffle_id });
    const operator = await operatorOf(db);
    await actAs(
      db,
      operator,
      (sql) => sql`select public.cancel_raffle(${raffle_id}, 'Rain', false)`,
    );
    for (const sql of [db.sql, db.superuser]) {
      for (const voided_at of [null, new Date(0)]) {
        const change = sql`update public.tickets set voided_at = ${voided_at} where id = ${id}`;
        expect(await codeOf(change)).toBe("42501");
      }
    }
    const logged = await db
      .sql`select actor_id, after ->> 'cancel_reason' as reason from public.audit_log
      where subject_id = ${raffle_id} and after ->> 'state' = 'CANCELLED'`;
    expect(logged).toEqual([{ actor_id: (operator as { id: string }).id, reason: "Rain" }]);
  });

  test("a purchase changes its state in its order only: no final state is left again", async () => {
    const raffle_id = await raffle(db);
    const { purchase: { id } } = await buy(db, ana, { raffle_id });
    const STATES = ["PENDING", "CONFIRMED", "FAILED", "EXPIRED", "REFUNDED"];
    // What has expired or failed may still be paid: late money is honoured, or goes back.
    const LEGAL = ["CONFIRMED", "FAILED", "EXPIRED", "REFUNDED"].map((to) => `PENDING ${to}`)
      .concat("EXPIRED CONFIRMED", "EXPIRED REFUNDED", "FAILED CONFIRMED", "FAILED REFUNDED")
      .concat("CONFIRMED REFUNDED");
    const done: string[] = [];
    for (const from of STATES) {
      for (const to of STATES.filter((other) => other !== from)) {
        await rolledBack(db.superuser, async (sql) => {
          await sql`set local session_replication_role = replica`;
          await sql`update public.purchases set status = ${from} where id = ${id}`;
          await sql`set local session_replication_role = origin`;
          const code = await codeOf(
            sql.savepoint((sql) =>
              sql`update public.purchases set status = ${to} where id = ${id}`
            ),
          );
          expect(["none", "state_change_refused"]).toContain(code);
          if (code === "none") done.push(`${from} ${to}`);
        });
      }
    }
    expect(done.sort()).toEqual(LEGAL.sort());
  });

  test("one payment is of one purchase, whatever is not checked", async () => {
    const raffle_id = await raffle(db);
    const order = { raffle_id, payment_method: "card" as const };
    const purchases = [await buy(db, ana, order), await buy(db, ana, order)];
    const codes: string[] = [];
    for (const { purchase: { id } } of purchases) {
      const pay = db.sql`update public.purchases set provider_txn_id = 'pi_same' where id = ${id}`;
      codes.push(await codeOf(pay));
    }
    expect(codes).toEqual(["none", "23505"]);
  });
});
