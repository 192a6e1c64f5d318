import type postgres from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import { crowd, range, tally } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { buy, operatorOf, raffle, stateOf, ticketsOf } from "../support/raffles.ts";
import { lostTicket } from "../support/draws.ts";
import { race, untilSomeoneWaits } from "../support/races.ts";
import { scaled, seed } from "../support/scale.ts";
import type { StripeObject } from "../support/stripe-events.ts";
import { apply } from "../support/stripe-inbox.ts";
import { houseBalance, violations } from "../support/wallets.ts";

let db: TestDatabase;
let ana: string;
let people: string[];
let operator: string;
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
  [ana, ...people] = await crowd(db, 21, 10_000_000);
  operator = (await operatorOf(db) as { id: string }).id;
});
afterEach(async () => expect(await violations(db)).toEqual([]));

const dice = the.dice(seed);
const expire = (sql: postgres.ISql = db.sql) => sql`select app.expire_purchases() as count`;
const statusOf = async (id: string) =>
  (await db.sql`select status from public.purchases where id = ${id}`)[0].status;
const refundsOf = (id: string) =>
  db.sql`select amount_cents::integer from app.card_refunds where purchase_id = ${id}`;

/** A purchase by card whose payment is under way, and recorded. */
async function reserve(terms: Record<string, unknown> = {}, quantity = 1) {
  const raffle_id = await raffle(db, terms);
  const { purchase } = await buy(db, ana, { raffle_id, quantity, payment_method: "card" });
  const payment = the.paymentOf(purchase);
  await db.sql`select app.record_purchase_payment(${purchase.id}, 'key', ${payment as never})`;
  return { raffle_id, purchase, payment };
}

describe("redeeming", () => {
  test("fifty times at once gives the tickets once", async () => {
    const raffle_id = await raffle(db, { tickets_required: 10_000, ticket_price_cents: 10 });
    for (let round = 0; round < scaled(10, 100); round++) {
      const { purchase } = await buy(db, ana, { raffle_id, quantity: 3, redeem: false });
      const outcomes = await Promise.all(
        range(1, 50).map(() => the.outcomeOf(the.redeem(db, ana, purchase.id))),
      );
      expect(tally(outcomes)).toEqual({ none: 1, purchase_already_redeemed: 49 });
      expect(await db.sql`select from public.tickets where purchase_id = ${purchase.id}`)
        .toHaveLength(3);
    }
  });

  test("while the raffle is being cancelled waits, and finds nothing to redeem", async () => {
    const raffle_id = await raffle(db);
    const { purchase } = await buy(db, ana, { raffle_id, redeem: false });
    const outcome = await race(
      db,
      (sql) => the.cancelWithin(sql, operator, raffle_id),
      async (sql) => {
        await the.actWithin(sql, ana);
        await sql`select public.redeem_ticket(${crypto.randomUUID()}, ${purchase.id}, null)`;
      },
    );
    expect(outcome.first).toBe("fulfilled");
    expect(["purchase_not_redeemable", "raffle_not_open"]).toContain(outcome.second);
    expect(outcome.waited).toBe(true);
  });
});

test("a redemption waits for whoever issues the tickets of its purchase, and finds them issued", async () => {
  const raffle_id = await raffle(db);
  const { purchase } = await buy(db, ana, { raffle_id, redeem: false });
  const outcome = await race(
    db,
    // As the sealing will, for what has not been redeemed by then.
    (sql) =>
      sql`select app.redeem_seats(p, r, null) from public.purchases p
        join public.raffles r on r.id = p.raffle_id where p.id = ${purchase.id}`,
    async (sql) => {
      await the.actWithin(sql, ana);
      await sql`select public.redeem_ticket(${crypto.randomUUID()}, ${purchase.id}, null)`;
    },
  );
  expect(outcome)
    .toEqual({ first: "fulfilled", second: "purchase_already_redeemed", waited: true });
});

describe("what we record of a payment", () => {
  const paymentIdOf = async (id: string) =>
    (await db
      .sql`select status, failure_code, provider_txn_id from public.purchases where id = ${id}`)[0];
  const record = async (sql: postgres.ISql, id: string, payment: StripeObject) =>
    (await sql`select app.record_purchase_payment(${id}, 'key', ${payment as never}) as answer`)[0]
      .answer;
  const pending = async () => {
    const { purchase } = await buy(db, ana, {
      raffle_id: await raffle(db),
      payment_method: "card",
    });
    return { id: purchase.id as string, payment: the.paymentOf(purchase, "requires_action") };
  };
  const expired = { status: "EXPIRED", failure_code: "expired", provider_txn_id: null };

  test("after its reservation has expired changes nothing, also when it waited for that", async () => {
    const [past, now] = [await pending(), await pending()];
    await the.runOut(db, [past.id]);
    await expire();
    expect(await record(db.sql, past.id, past.payment)).toBeNull();
    expect(await paymentIdOf(past.id)).toEqual(expired);
    await the.runOut(db, [now.id]);
    const outcome = await race(
      db,
      (sql) => expire(sql),
      async (sql) => expect(await record(sql, now.id, now.payment)).toBeNull(),
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await paymentIdOf(now.id)).toEqual(expired);
  });

  test("waits for its key without the purchase in hand, as those do who buy", async () => {
    const { id, payment } = await pending();
    await db.sql`insert into app.idempotency_keys (user_id, endpoint, key, request_hash)
      values (${ana}, 'purchase', 'key', '') on conflict do nothing`;
    let recorded: Promise<unknown> | undefined;
    await db.sql.begin(async (sql) => {
      await sql`select from app.idempotency_keys where key = 'key' for update`;
      recorded = record(db.sql, id, payment);
      await untilSomeoneWaits(db);
      const free = await sql`select from public.purchases where id = ${id} for update skip locked`;
      expect(free).toHaveLength(1);
    });
    await recorded;
    await db.sql`delete from app.idempotency_keys where key = 'key'`;
  });

  test("stays what it was when another payment is named", async () => {
    const { id, payment } = await pending();
    expect(await record(db.sql, id, payment)).toMatchObject({ purchase: { id } });
    expect(await record(db.sql, id, { ...payment, id: "pi_another" })).toBeNull();
    expect((await paymentIdOf(id)).provider_txn_id).toBe(payment.id);
  });

  test("or its refusal, once it is known at Stripe, leaves the reservation as it is", async () => {
    const { id, payment } = await pending();
    await record(db.sql, id, payment);
    await db.sql`select app.refuse_purchase(${id}, 'key', 'refused')`;
    expect(await statusOf(id)).toBe("PENDING");
  });

  test("is not undone by a cancellation that is told later", async () => {
    const { purchase, payment } = await reserve();
    expect(await apply(db.sql, payment)).toBe("applied");
    expect(await apply(db.sql, { ...payment, status: "canceled" })).toBe("duplicate");
    expect(await statusOf(purchase.id)).toBe("CONFIRMED");
    const late = await reserve();
    await the.runOut(db, [late.purchase.id]);
    await expire();
    expect(await apply(db.sql, { ...late.payment, status: "canceled" })).toBe("duplicate");
    expect(await statusOf(late.purchase.id)).toBe("EXPIRED");
  });
});

describe("a payment that comes too late", () => {
  test("is honoured while there are seats", async () => {
    const { raffle_id, purchase, payment } = await reserve({ tickets_required: 2 });
    await the.runOut(db, [purchase.id]);
    await expire();
    expect(await statusOf(purchase.id)).toBe("EXPIRED");
    await buy(db, people[0], { raffle_id });
    expect(await apply(db.sql, payment)).toBe("applied");
    expect(await statusOf(purchase.id)).toBe("CONFIRMED");
    expect(await ticketsOf(db, raffle_id)).toEqual([1, 2]);
    expect(await stateOf(db, raffle_id)).toBe("FULL");
  });

  test.each(["sold out", "cancelled"])("is sent back when the raffle is %s", async (why) => {
    const { raffle_id, purchase, payment } = await reserve({ tickets_required: 1 });
    await the.runOut(db, [purchase.id]);
    if (why === "sold out") await expire();
    if (why === "sold out") await buy(db, people[0], { raffle_id });
    else await the.cancel(db, raffle_id);
    expect(await apply(db.sql, payment)).toBe("applied");
    expect(await apply(db.sql, payment)).toBe("duplicate");
    expect(await statusOf(purchase.id)).toBe("REFUNDED");
    expect(await refundsOf(purchase.id)).toEqual([{ amount_cents: 500 }]);
  });

  test("is sent back when it waits for the raffle's cancellation", async () => {
    const { raffle_id, purchase, payment } = await reserve();
    await the.runOut(db, [purchase.id]);
    await expire();
    const outcome = await race(
      db,
      (sql) => the.cancelWithin(sql, operator, raffle_id),
      (sql) => apply(sql, payment),
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await statusOf(purchase.id)).toBe("REFUNDED");
    expect(await refundsOf(purchase.id)).toHaveLength(1);
  });

  test("does not give one person more tickets than they may have", async () => {
    const { raffle_id, purchase, payment } = await reserve({ max_per_user: 1 });
    await the.runOut(db, [purchase.id]);
    await expire();
    await buy(db, ana, { raffle_id });
    expect(await apply(db.sql, payment)).toBe("applied");
    expect(await statusOf(purchase.id)).toBe("REFUNDED");
    expect(await ticketsOf(db, raffle_id)).toHaveLength(1);
  });

  test("for chosen numbers buys these, or is sent back", async () => {
    for (const redeem of [true, false]) {
      const raffle_id = await raffle(db, { numbering: "PICK" });
      const order = { raffle_id, payment_method: "card" as const, redeem };
      const free = await buy(db, ana, { ...order, numbers: [7, 42] });
      const taken = await buy(db, ana, { ...order, numbers: [8, 43] });
      await the.runOut(db, [free.purchase.id, taken.purchase.id]);
      await expire();
      await buy(db, people[0], { raffle_id, numbers: [43] });
      for (const { purchase } of [free, taken]) {
        expect(await apply(db.sql, the.paymentOf(purchase))).toBe("applied");
      }
      expect(await statusOf(taken.purchase.id)).toBe("REFUNDED");
      expect(await refundsOf(taken.purchase.id)).toEqual([{ amount_cents: 1000 }]);
      if (!redeem) await the.redeem(db, ana, free.purchase.id);
      expect(await ticketsOf(db, raffle_id)).toEqual([7, 42, 43]);
    }
  });

  test("for a ticket that has been retried since is sent back", async () => {
    const { before, ticketId: ticket_id } = await lostTicket(db, ana);
    const raffle_id = await raffle(db, { retry_of: before, retry_price_cents: 200 });
    const order = { raffle_id, type: "RETRY" as const, ticket_id };
    const { purchase } = await buy(db, ana, { ...order, payment_method: "card" });
    await the.runOut(db, [purchase.id]);
    await expire();
    await buy(db, ana, order);
    expect(await apply(db.sql, the.paymentOf(purchase))).toBe("applied");
    expect(await statusOf(purchase.id)).toBe("REFUNDED");
    expect(await refundsOf(purchase.id)).toHaveLength(1);
  });
});

describe("a payment that comes too late, from somebody who could not buy now,", () => {
  test.each([
    [
      "self-excluded",
      "update public.profiles set self_excluded_until = now() + '1 day' where id = $1",
    ],
    ["suspended", "update public.profiles set status = 'SUSPENDED' where id = $1"],
    [
      "under age",
      "update public.profiles set birth_date = now() - interval '17 years' where id = $1",
    ],
    ["of unknown age", "update public.profiles set birth_date = null where id = $1"],
    [
      "whose wallet is suspended",
      "update public.wallet_accounts set suspended_reason = 'test' where user_id = $1",
    ],
    [
      "beyond their spend limit",
      `insert into public.play_limits (user_id, kind, period, currency, amount_cents)
        values ($1, 'spend', 'day', 'EUR', 999)`,
    ],
  ])("%s, is sent back; one in time is honoured", async (_, change) => {
    const [carl] = await crowd(db, 1, 10_000);
    const raffle_id = await raffle(db);
    const order = { raffle_id, payment_method: "card" as const };
    const [late, failed] = [
      (await buy(db, carl, order)).purchase,
      (await buy(db, carl, order)).purchase,
    ];
    await the.runOut(db, [late.id]);
    await expire();
    expect(await apply(db.sql, the.paymentOf(failed, "canceled"))).toBe("applied");
    const { purchase } = await buy(db, carl, order);
    await db.sql.unsafe(change, [carl]);
    expect(await apply(db.sql, the.paymentOf(purchase))).toBe("applied");
    expect(await statusOf(purchase.id)).toBe("CONFIRMED");
    expect(await statusOf(failed.id)).toBe("FAILED");
    const [{ provider_txn_id }] = await db
      .sql`select provider_txn_id from public.purchases where id = ${failed.id}`;
    for (const [one, id] of [[late, undefined], [failed, provider_txn_id]]) {
      const payment = the.paymentOf(one);
      if (id) payment.id = id;
      expect(await apply(db.sql, payment)).toBe("applied");
      const [row] = await db
        .sql`select status, failure_code from public.purchases where id = ${one.id}`;
      expect(row).toEqual({ status: "REFUNDED", failure_code: "paid_too_late" });
      expect(await refundsOf(one.id)).toHaveLength(1);
    }
    expect(await ticketsOf(db, raffle_id)).toHaveLength(1);
  });
});

describe("a payment that comes too late and its user's own purchase, at once,", () => {
  const lateIn = async (terms: Record<string, unknown>) => {
    const [carl] = await crowd(db, 1, 10_000);
    const raffle_id = await raffle(db, { lanes: 2, ...terms });
    const { purchase } = await buy(db, carl, { raffle_id, payment_method: "card" });
    await the.runOut(db, [purchase.id]);
    await expire();
    const pay = (sql: postgres.ISql) => apply(sql, the.paymentOf(purchase));
    const buyOne = (sql: postgres.ISql) => the.buyWithin(sql, carl, { raffle_id });
    return { carl, raffle_id, purchase, pay, buyOne };
  };

  test("are one ticket where one is allowed, whichever comes first", async () => {
    const first = await lateIn({ max_per_user: 1 });
    expect(await race(db, first.pay, first.buyOne))
      .toEqual({ first: "fulfilled", second: "ticket_limit_reached", waited: true });
    const second = await lateIn({ max_per_user: 1 });
    expect(await race(db, second.buyOne, second.pay))
      .toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await statusOf(second.purchase.id)).toBe("REFUNDED");
    expect(await ticketsOf(db, second.raffle_id)).toHaveLength(1);
  });

  test("do not go beyond a spend limit together", async () => {
    const { carl, raffle_id, pay, buyOne } = await lateIn({});
    await db.sql`insert into public.play_limits (user_id, kind, period, currency, amount_cents)
      values (${carl}, 'spend', 'day', 'EUR', 500)`;
    expect(await race(db, pay, buyOne))
      .toEqual({ first: "fulfilled", second: "spend_limit_reached", waited: true });
    expect(await ticketsOf(db, raffle_id)).toHaveLength(1);
  });
});

describe("a payment at the moment", () => {
  test("when its reservation is about to expire is in time, and nothing expires", async () => {
    const { purchase, payment } = await reserve();
    await the.runOut(db, [purchase.id]);
    const outcome = await race(db, (sql) => apply(sql, payment), (sql) => expire(sql));
    expect(outcome).toMatchObject({ first: "fulfilled", second: "done" });
    expect(await statusOf(purchase.id)).toBe("CONFIRMED");
  });

  test("when its reservation expires waits, and takes new seats", async () => {
    const { raffle_id, purchase, payment } = await reserve({ tickets_required: 2 }, 2);
    await the.runOut(db, [purchase.id]);
    const outcome = await race(db, (sql) => expire(sql), (sql) => apply(sql, payment));
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await statusOf(purchase.id)).toBe("CONFIRMED");
    expect(await ticketsOf(db, raffle_id)).toEqual([1, 2]);
  });

  test("when our refusal waits for it is in time, and nothing is refused", async () => {
    const { purchase } = await buy(db, ana, {
      raffle_id: await raffle(db),
      payment_method: "card",
    });
    const outcome = await race(
      db,
      (sql) => apply(sql, the.paymentOf(purchase)),
      (sql) => sql`select app.refuse_purchase(${purchase.id}, 'key', 'refused')`,
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await statusOf(purchase.id)).toBe("CONFIRMED");
  });

  test("when it is told twice is taken once", async () => {
    const { purchase, payment } = await reserve();
    const outcomes: string[] = [];
    const tell = async (sql: postgres.ISql) => outcomes.push(await apply(sql, payment));
    const outcome = await race(db, tell, tell);
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect([outcomes, await statusOf(purchase.id)]).toEqual([
      ["applied", "duplicate"],
      "CONFIRMED",
    ]);
    const told = await db.sql`select event from app.outbox where subject_id = ${purchase.id}`;
    expect(told).toEqual([{ event: "purchase_confirmed" }]);
  });

  test.each(["payment", "expiry", "redemption", "refusal"])(
    "when its raffle is cancelled: a %s and the cancellation wait for each other, one way round",
    async (what) => {
      const { raffle_id, purchase, payment } = await reserve({ tickets_required: 4 });
      const kept = await buy(db, ana, { raffle_id, redeem: false });
      const unknown = await buy(db, ana, { raffle_id, payment_method: "card" });
      await the.runOut(db, [purchase.id]);
      const work = {
        payment: () => apply(db.sql, payment),
        expiry: () => expire(),
        redemption: () => the.redeem(db, ana, kept.purchase.id),
        refusal: () => db.sql`select app.refuse_purchase(${unknown.purchase.id}, 'key', 'refused')`,
      }[what]!;
      // The pause is between the cancellation's locks on the lanes and on the purchases.
      const outcomes = await the.withPause(db, "app.raffle_lanes", "update", 100, async () => {
        const cancelling = the.outcomeOf(the.cancel(db, raffle_id));
        await the.sleep(40);
        return Promise.all([cancelling, the.outcomeOf(work())]);
      });
      expect(Object.keys(tally(outcomes)).filter((code) => code === "40P01")).toEqual([]);
      expect(await stateOf(db, raffle_id)).toBe("CANCELLED");
      if (what !== "payment") await apply(db.sql, payment);
      expect(await statusOf(purchase.id)).toBe("REFUNDED");
    },
  );
});

test.each(["succeeded", "canceled"])(
  "a payment that has %s, of seats in many lanes, and a buyer of many never wait crosswise",
  async (status) => {
    for (let round = 0; round < 4; round++) {
      const raffle_id = await raffle(db, { tickets_required: 16, lanes: 8 });
      const { purchase } = await buy(db, ana, { raffle_id, quantity: 11, payment_method: "card" });
      const outcomes = await the.withPause(db, "app.raffle_lanes", "update", 10, async () => {
        const telling = the.outcomeOf(apply(db.sql, the.paymentOf(purchase, status)));
        await the.sleep(15);
        return Promise.all([
          telling,
          the.outcomeOf(buy(db, people[0], { raffle_id, quantity: 5 })),
        ]);
      });
      expect(outcomes.map(({ code }) => code)).toEqual(["none", "none"]);
    }
  },
);

test.each(["an expiry", "a cancellation", "a sealing", "a buyer of the last seats"])(
  "%s waits for the first lane without another in hand",
  async (who) => {
    const raffle_id = await raffle(db, { tickets_required: 8, lanes: 8 });
    const { purchase } = await buy(db, ana, { raffle_id, payment_method: "card" });
    await the.runOut(db, [purchase.id]);
    const work = {
      "an expiry": () => expire(),
      "a cancellation": () => the.cancel(db, raffle_id),
      "a sealing": () => db.sql`select app.seal_raffle(${raffle_id})`,
      "a buyer of the last seats": () => buy(db, ana, { raffle_id, quantity: 7 }),
    }[who]!;
    const lock = (sql: postgres.ISql, lanes: number[]) =>
      sql`select from app.raffle_lanes where raffle_id = ${raffle_id} and lane_no = any (${lanes})
        for update skip locked`;
    let done: Promise<unknown> | undefined;
    await db.sql.begin(async (sql) => {
      await lock(sql, [1]);
      done = Promise.resolve(work());
      await untilSomeoneWaits(db);
      expect(await lock(sql, range(2, 8))).toHaveLength(7);
    });
    await done;
    if (who !== "a cancellation") await the.cancel(db, raffle_id);
  },
);

test("an expiry of many reservations and a buyer of many seats never wait crosswise", async () => {
  for (let round = 0; round < 3; round++) {
    const raffle_id = await raffle(db, { tickets_required: 8, lanes: 8 });
    const order = { raffle_id, payment_method: "card" as const };
    const reserved = await Promise.all(people.slice(0, 8).map((id) => buy(db, id, order)));
    await the.runOut(db, reserved.map(({ purchase }) => purchase.id));
    const outcomes = await the.withPause(db, "app.raffle_lanes", "update", 10, async () => {
      const expiring = the.outcomeOf(expire());
      await the.sleep(15);
      return Promise.all([expiring, the.outcomeOf(buy(db, ana, { raffle_id, quantity: 8 }))]);
    });
    expect(outcomes.map(({ code }) => code)).toEqual(["none", "none"]);
  }
});

test("whatever comes together, every payment is a confirmed purchase or goes back", async () => {
  const allowed = ["none", "raffle_sold_out", "raffle_not_open", "purchase_not_confirmed"]
    .concat("purchase_not_redeemable", "purchase_already_redeemed", "raffle_not_cancellable");
  const clearing = await houseBalance(db, "STRIPE_CLEARING");
  let received = 0;
  for (let round = 0; round < scaled(100, 1_000); round++) {
    const tickets_required = 2 + dice.upTo(4);
    const lanes = 1 + dice.upTo(2);
    const raffle_id = await raffle(db, { ticket_price_cents: 100, tickets_required, lanes });
    const order = { raffle_id, quantity: 1 + dice.upTo(2), redeem: dice.chance(0.5) };
    const { purchase } = await buy(db, ana, { ...order, payment_method: "card" });
    const payment: StripeObject = the.paymentOf(purchase);
    if (dice.chance(0.7)) await the.runOut(db, [purchase.id]);
    if (dice.chance(0.2)) await expire();
    const paid = dice.chance(0.8);
    const work: (() => Promise<unknown>)[] = [
      () => expire(),
      () => buy(db, people[0], { raffle_id, quantity: 1 + dice.upTo(2) }),
      () => buy(db, people[1], { raffle_id }),
      () => the.redeem(db, ana, purchase.id),
      () => db.sql`select app.record_purchase_payment(${purchase.id}, 'key', ${payment as never})`,
    ];
    if (paid) work.push(() => apply(db.sql, payment), () => apply(db.sql, payment));
    if (dice.chance(0.3)) work.push(() => the.cancel(db, raffle_id));
    const outcomes = await Promise.all(
      dice.some(work, work.length).map(async (one) => {
        await the.sleep(dice.upTo(6));
        return the.outcomeOf(one());
      }),
    );
    expect(Object.keys(tally(outcomes)).filter((code) => !allowed.includes(code))).toEqual([]);
    if (!paid) continue;
    received += purchase.amount_cents;
    const [{ status, to_card, to_wallet }] = await db.sql`select status,
      exists (select from app.card_refunds where purchase_id = p.id) as to_card,
      exists (select from public.wallet_ledger where purchase_id = p.id and user_id = ${ana}
        and reason = 'REFUND' and direction = 'CREDIT') as to_wallet
      from public.purchases p where id = ${purchase.id}`;
    expect([`CONFIRMED, false, false`, `REFUNDED, true, false`, `REFUNDED, false, true`])
      .toContain([status, to_card, to_wallet].join(", "));
    if (round % 25 === 0) expect(await violations(db)).toEqual([]);
  }
  expect(clearing - await houseBalance(db, "STRIPE_CLEARING")).toBe(received);
});

test("what has expired or failed before is not ended again, and nobody is told twice", async () => {
  const raffle_id = await raffle(db);
  const order = { raffle_id, payment_method: "card" as const };
  const ids: string[] = [];
  for (const _ of [1, 2, 3]) ids.push((await buy(db, ana, order)).purchase.id);
  await the.runOut(db, [ids[0]]);
  await expire();
  await db.sql`select app.refuse_purchase(${ids[1]}, 'key', 'refused')`;
  await db.sql`update public.purchases set expires_at = now() - interval '1 second'
    where id = any(${ids}::uuid[])`;
  await expire();
  expect(await Promise.all(ids.map(statusOf))).toEqual(["EXPIRED", "FAILED", "EXPIRED"]);
  const told = await db.sql`select event from app.outbox where subject_id = any(${ids}::uuid[])
    order by id`;
  expect(told.map(({ event }) => event))
    .toEqual(["purchase_expired", "purchase_failed", "purchase_expired"]);
});

test("seats whose reservation expired are sold again, to the last", async () => {
  for (let round = 0; round < scaled(5, 1_000); round++) {
    const terms = { ticket_price_cents: 10, tickets_required: 60, lanes: 8 };
    const raffle_id = await raffle(db, terms);
    const reserved = await Promise.all(
      people.map((id) =>
        buy(db, id, { raffle_id, quantity: 1 + dice.upTo(3), payment_method: "card" })
      ),
    );
    await the.runOut(db, reserved.map(({ purchase }) => purchase.id));
    const outcomes = await Promise.all([
      the.outcomeOf(expire()),
      the.outcomeOf(expire()),
      ...people.map((id) => the.outcomeOf(buy(db, id, { raffle_id }))),
    ]);
    expect(Object.keys(tally(outcomes)).filter((code) => code !== "raffle_sold_out"))
      .toEqual(["none"]);
    const [{ left }] = await db.sql`select 60 - app.count_taken(${raffle_id}) as left`;
    await buy(db, people[0], { raffle_id, quantity: left });
    expect(await ticketsOf(db, raffle_id)).toEqual(range(1, 60));
    expect(await stateOf(db, raffle_id)).toBe("FULL");
  }
});
