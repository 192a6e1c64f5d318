import type postgres from "postgres";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import { crowd } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { actAs, codeOf, testDatabase } from "../support/database.ts";
import { buy, draft, operatorOf, player, raffle, stateOf } from "../support/raffles.ts";
import { race } from "../support/races.ts";
import * as stripe from "../support/stripe-events.ts";
import { apply, receive } from "../support/stripe-inbox.ts";
import { fund, houseBalance, violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
let ana: string;
let ben: string;
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
});
beforeEach(async () => void ([ana, ben] = await crowd(db, 2, 10_000)));
afterEach(async () => expect(await violations(db)).toEqual([]));

const stockOf = async (raffleId: string) =>
  (await db.sql`select stock from public.prizes p join public.raffles r on r.prize_id = p.id
    where r.id = ${raffleId}`)[0].stock;
const purchaseOf = async (id: string) =>
  (await db.sql`select status, failure_code, check_at <= now() as due
    from public.purchases where id = ${id}`)[0];
const balances = async () => [(await walletOf(db, ana)).balance, (await walletOf(db, ben)).balance];
const toCard = (userId: string, purchaseId: string) =>
  actAs(
    db,
    { role: "authenticated", id: userId },
    (sql) => sql`select public.request_card_refund(${purchaseId})`,
  );

/** A purchase by card that has been paid. */
async function paidByCard(raffle_id: string, userId: string, quantity = 1) {
  const { purchase } = await buy(db, userId, { raffle_id, quantity, payment_method: "card" });
  const payment = the.paymentOf(purchase);
  expect(await apply(db.sql, payment)).toBe("applied");
  return { purchase, payment };
}

describe("cancelling", () => {
  test("in a dry run says to how many people and how much, and changes nothing", async () => {
    const raffle_id = await raffle(db);
    await buy(db, ana, { raffle_id, quantity: 2 });
    await buy(db, ana, { raffle_id });
    await buy(db, ben, { raffle_id, payment_method: "card" });
    await paidByCard(raffle_id, ben, 3);
    const before = [await balances(), await stockOf(raffle_id)];
    expect(await the.cancel(db, raffle_id, true)).toEqual({
      raffle_id,
      people: 2,
      purchases: 3,
      tickets: 6,
      amount_cents: 3000,
      currency: "EUR",
      dry_run: true,
    });
    await the.cancel(db, raffle_id, null as never);
    expect([await balances(), await stockOf(raffle_id)]).toEqual(before);
    expect(await stateOf(db, raffle_id)).toBe("OPEN");
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("none");
  });

  test("gives everybody their money, whichever way they paid, and the prize back to stock", async () => {
    const raffle_id = await raffle(db);
    const stock = await stockOf(raffle_id);
    await buy(db, ana, { raffle_id, quantity: 2 });
    const kept = await buy(db, ana, { raffle_id, redeem: false });
    const { purchase } = await paidByCard(raffle_id, ben, 3);
    const escrow = await houseBalance(db, "RAFFLE_ESCROW");
    expect(await the.cancel(db, raffle_id)).toMatchObject({ purchases: 3, dry_run: false });
    expect(await balances()).toEqual([10_000, 11_500]);
    expect(await houseBalance(db, "RAFFLE_ESCROW")).toBe(escrow - 3000);
    expect(await stockOf(raffle_id)).toBe(stock + 1);
    expect(await stateOf(db, raffle_id)).toBe("CANCELLED");
    for (const { id } of [kept.purchase, purchase]) {
      expect((await purchaseOf(id)).status).toBe("REFUNDED");
    }
    expect(
      await db.sql`select from public.tickets where raffle_id = ${raffle_id}
      and voided_at is null`,
    ).toHaveLength(0);
    expect(await codeOf(buy(db, ana, { raffle_id }))).toBe("raffle_not_open");
  });

  test("pays each purchase back once, when two clocks go on with it at once", async () => {
    const raffle_id = await raffle(db);
    await buy(db, ana, { raffle_id });
    await buy(db, ben, { raffle_id });
    const before = await balances();
    await db.sql.begin(async (sql) => {
      await sql`select from app.raffle_lanes where raffle_id = ${raffle_id} for update`;
      await sql`select app.stop_raffle(${raffle_id}, 'A test')`;
    });
    const refund = (sql: postgres.ISql) => sql`select app.refund_purchases(${raffle_id}, 2)`;
    expect(await race(db, refund, refund))
      .toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await balances()).toEqual(before.map((cents) => cents + 500));
  });

  test("happens once", async () => {
    const raffle_id = await raffle(db);
    await buy(db, ana, { raffle_id });
    const outcomes = await Promise.all(
      [1, 2, 3, 4, 5].map(() => the.outcomeOf(the.cancel(db, raffle_id))),
    );
    expect(the.tally(outcomes)).toEqual({ none: 1, raffle_not_cancellable: 4 });
    expect((await walletOf(db, ana)).balance).toBe(10_000);
  });

  test.each([
    ["the only lane", { tickets_required: 1, lanes: 1 }, 0, 1],
    ["the last lane that has any", { tickets_required: 8, lanes: 8 }, 7, 1],
    ["all lanes", { tickets_required: 12, lanes: 4 }, 0, 5],
  ])(
    "closes the lanes: who waits for %s meanwhile gets none, whatever is checked later",
    async (_, terms, sold, wanted) => {
      for (let time = 0; time < 3; time++) {
        const raffle_id = await raffle(db, terms);
        if (sold > 0) await buy(db, ana, { raffle_id, quantity: sold });
        const { id } = await operatorOf(db) as { id: string };
        const outcome = await race(
          db,
          (sql) => the.cancelWithin(sql, id, raffle_id),
          (sql) => sql`select app.take_seats(${raffle_id}, ${wanted}, false)`,
        );
        expect(outcome).toEqual({ first: "fulfilled", second: "raffle_not_open", waited: true });
      }
    },
  );

  test("of a draft and its publication come one after the other, whichever is first", async () => {
    const { id } = await operatorOf(db) as { id: string };
    const publishWithin = (raffleId: string) => async (sql: postgres.ISql) => {
      await the.actWithin(sql, id);
      await sql`select public.publish_raffle(${raffleId})`;
    };
    const cancelWithin = (raffleId: string) => (sql: postgres.ISql) =>
      the.cancelWithin(sql, id, raffleId);
    const published = await draft(db);
    const stock = await stockOf(published);
    expect(await race(db, publishWithin(published), cancelWithin(published)))
      .toEqual({ first: "fulfilled", second: "done", waited: true });
    expect([await stateOf(db, published), await stockOf(published)]).toEqual(["CANCELLED", stock]);
    expect(await codeOf(db.sql`select app.take_seats(${published}, 1, false)`))
      .toBe("raffle_not_open");
    const dropped = await draft(db);
    expect(await race(db, cancelWithin(dropped), publishWithin(dropped)))
      .toEqual({ first: "fulfilled", second: "raffle_not_draft", waited: true });
    expect(await stockOf(dropped)).toBe(stock);
  });

  test("fails what is unpaid, and has its payment cancelled", async () => {
    const raffle_id = await raffle(db);
    const { purchase } = await buy(db, ana, { raffle_id, payment_method: "card" });
    await the.cancel(db, raffle_id);
    const failed = { status: "FAILED", failure_code: "raffle_cancelled", due: true };
    expect(await purchaseOf(purchase.id)).toEqual(failed);
    const [{ work }] = await db.sql`select app.claim_unfinished(100) as work`;
    expect(work.purchases.map(({ id }: { id: string }) => id)).toContain(purchase.id);
  });

  test("pays a debt before anything else", async () => {
    const raffle_id = await raffle(db, { ticket_price_cents: 4_000 });
    await buy(db, ana, { raffle_id });
    await db
      .sql`select app.charge_back(app.account_of('USER', 'EUR', ${ana}), 8500, 'CHARGEBACK', 'du')`;
    expect(await walletOf(db, ana)).toMatchObject({ balance: 0, debt: 2500 });
    await the.cancel(db, raffle_id);
    expect(await walletOf(db, ana)).toMatchObject({ balance: 1500, debt: 0, status: "ACTIVE" });
  });
});

describe("a refund to the card", () => {
  test("takes the money out of the wallet, once", async () => {
    const raffle_id = await raffle(db);
    const { purchase } = await paidByCard(raffle_id, ana, 2);
    const wallet = await buy(db, ana, { raffle_id });
    expect(await codeOf(toCard(ana, purchase.id))).toBe("refund_not_available");
    await the.cancel(db, raffle_id);
    expect(await codeOf(toCard(ben, purchase.id))).toBe("purchase_not_found");
    expect(await codeOf(toCard(ana, wallet.purchase.id))).toBe("refund_not_available");
    const due = await houseBalance(db, "REFUNDS_DUE");
    const outcomes = await Promise.all(
      [1, 2, 3, 4, 5].map(() => the.outcomeOf(toCard(ana, purchase.id))),
    );
    expect(the.tally(outcomes)).toEqual({ none: 1, refund_not_available: 4 });
    expect((await walletOf(db, ana)).balance).toBe(10_000);
    expect(await houseBalance(db, "REFUNDS_DUE")).toBe(due + 1000);
    expect(
      await db.sql`select amount_cents::integer from app.card_refunds
      where purchase_id = ${purchase.id}`,
    ).toEqual([{ amount_cents: 1000 }]);
  });

  test("is not for money that has been spent", async () => {
    const carl = (await player(db)).id;
    const raffle_id = await raffle(db);
    const { purchase } = await paidByCard(raffle_id, carl);
    await the.cancel(db, raffle_id);
    await buy(db, carl, { raffle_id: await raffle(db) });
    expect(await codeOf(toCard(carl, purchase.id))).toBe("balance_insufficient");
    await fund(db, carl, 500);
    expect(await codeOf(toCard(carl, purchase.id))).toBe("none");
  });

  test("is refused while Stripe takes the payment back: nobody pays twice", async () => {
    const raffle_id = await raffle(db);
    const { purchase, payment } = await paidByCard(raffle_id, ana);
    await the.cancel(db, raffle_id);
    const charge = stripe.charge({ id: purchase.id, amount_cents: 500 }, payment.id);
    const disputed = stripe.event("charge.dispute.created", stripe.dispute(charge, 500));
    const outcome = await race(
      db,
      (sql) => receive(sql, disputed),
      async (sql) => {
        await the.actWithin(sql, ana);
        await sql`select public.request_card_refund(${purchase.id})`;
      },
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "refund_not_available", waited: true });
    expect((await walletOf(db, ana)).balance).toBe(10_000);
  });
});

describe("a refund that the bank does not take", () => {
  /** Money that came too late, and the events of the refund that fails, which may come in any order. */
  async function lateMoney(userId: string) {
    const raffle_id = await raffle(db, { tickets_required: 1 });
    const { purchase } = await buy(db, userId, { raffle_id, payment_method: "card" });
    await the.runOut(db, [purchase.id]);
    await db.sql`select app.expire_purchases()`;
    await buy(db, ben, { raffle_id });
    const payment = the.paymentOf(purchase);
    expect(await apply(db.sql, payment)).toBe("applied");
    return refundOf(purchase, payment.id);
  }

  async function refundOf(purchase: { id: string; amount_cents: number }, intentId: string) {
    const [{ id }] = await db
      .sql`select id from app.card_refunds where purchase_id = ${purchase.id}`;
    const charge = stripe.charge(purchase, intentId, { amount_refunded: purchase.amount_cents });
    const refund = stripe.refund(charge, purchase.amount_cents, { metadata: { refund_id: id } });
    const told = (type: string, status: string) => () =>
      receive(db.sql, stripe.event(type, { ...refund, status }));
    const events = [
      told("refund.created", "pending"),
      () => receive(db.sql, stripe.event("charge.refunded", charge)),
      told("refund.updated", "failed"),
      told("refund.failed", "failed"),
    ];
    return { purchase, charge, refund, events };
  }

  const due = () => houseBalance(db, "REFUNDS_DUE");
  const toldOf = async (userId: string) =>
    (await db.sql`select from app.outbox
      where user_id = ${userId} and event = 'refund_to_wallet'`).length;
  const alertsOf = (refundId: string) =>
    db.sql`select kind from public.operator_alerts where subject = ${refundId}`;
  const orders = <T>(list: T[]): T[][] =>
    list.length < 2
      ? [list]
      : list.flatMap((one, at) =>
        orders(list.filter((_, other) => other !== at)).map((rest) => [one, ...rest])
      );

  test("is in the buyer's wallet, once, in whatever order and however often it is told", async () => {
    const before = await due();
    await fund(db, ben, 10_000);
    for (const order of orders([0, 1, 2, 3])) {
      const carl = (await player(db)).id;
      const { refund, events } = await lateMoney(carl);
      for (const at of [...order, ...order]) await events[at]();
      expect([order, (await walletOf(db, carl)).balance, await due(), await toldOf(carl)])
        .toEqual([order, 500, before, 1]);
      expect(await alertsOf(refund.id)).toEqual([{ kind: "refund_failed" }]);
    }
  });

  test("is there once when it is told at once", async () => {
    const carl = (await player(db)).id;
    const { events: [, , updated, failed] } = await lateMoney(carl);
    await Promise.all([updated, failed, updated, failed, updated].map((tell) => tell()));
    expect((await walletOf(db, carl)).balance).toBe(500);
  });

  test("is ours to the cent: a smaller one with its id leaves it to be sent", async () => {
    const { refund } = await lateMoney((await player(db)).id);
    const { refund_id: id } = refund.metadata as { refund_id: string };
    await receive(db.sql, stripe.event("refund.created", { ...refund, amount: 1 }));
    const sent = () =>
      db.sql`select check_at is null as sent from app.card_refunds where id = ${id}`;
    expect(await sent()).toEqual([{ sent: false }]);
    await receive(db.sql, stripe.event("refund.created", { ...refund, id: stripe.stripeId("re") }));
    expect(await sent()).toEqual([{ sent: true }]);
  });

  test("of a cancelled raffle is there again, and the card is not tried a second time", async () => {
    const raffle_id = await raffle(db);
    const { purchase, payment } = await paidByCard(raffle_id, ana);
    await the.cancel(db, raffle_id);
    await toCard(ana, purchase.id);
    expect((await walletOf(db, ana)).balance).toBe(10_000);
    for (const tell of (await refundOf(purchase, payment.id)).events) await tell();
    expect((await walletOf(db, ana)).balance).toBe(10_500);
    expect(await codeOf(toCard(ana, purchase.id))).toBe("refund_not_available");
  });

  test("that the buyer's bank disputes afterwards is taken from the wallet", async () => {
    const before = await due();
    const carl = (await player(db)).id;
    const { charge, events } = await lateMoney(carl);
    for (const tell of events) await tell();
    const disputed = stripe.dispute(charge, 500);
    await receive(db.sql, stripe.event("charge.dispute.created", disputed));
    expect([(await walletOf(db, carl)).balance, await due()]).toEqual([0, before]);
    await receive(
      db.sql,
      stripe.event("charge.dispute.closed", { ...disputed, status: "won" }),
    );
    expect((await walletOf(db, carl)).balance).toBe(500);
  });

  test("while it is disputed comes once the dispute is won", async () => {
    const before = await due();
    const carl = (await player(db)).id;
    const { charge, events } = await lateMoney(carl);
    const disputed = stripe.dispute(charge, 500);
    await receive(db.sql, stripe.event("charge.dispute.created", disputed));
    for (const tell of events) await tell();
    expect([(await walletOf(db, carl)).balance, await due()]).toEqual([0, before]);
    await receive(
      db.sql,
      stripe.event("charge.dispute.closed", { ...disputed, status: "won" }),
    );
    expect([(await walletOf(db, carl)).balance, await due()]).toEqual([500, before]);
  });

  test("leaves the buyer what Stripe and the bank leave, in whatever order they take more than was paid", async () => {
    const before = await due();
    await fund(db, ben, 10_000);
    for (const order of orders([0, 1, 2, 3])) {
      const carl = (await player(db)).id;
      const { charge, refund, events: [created] } = await lateMoney(carl);
      await created();
      const theirs = stripe.refund(charge, 200);
      const disputed = stripe.dispute(charge, 500);
      const told = [
        stripe.event("refund.failed", { ...refund, status: "failed" }),
        stripe.event("refund.created", theirs),
        stripe.event("charge.dispute.created", disputed),
        stripe.event("charge.dispute.closed", { ...disputed, status: "won" }),
      ];
      for (const at of order) await receive(db.sql, told[at]);
      expect([order, (await walletOf(db, carl)).balance, await due()]).toEqual([
        order,
        300,
        before,
      ]);
    }
  });

  test("and money that no refund under way explains would be noticed", async () => {
    const { purchase } = await lateMoney((await player(db)).id);
    await db.sql.begin(async (sql) => {
      await sql`update app.card_refunds set failed_at = now() where purchase_id = ${purchase.id}`;
      const [found] = await sql`select rule from app.check_invariants()`;
      expect(found?.rule).toBe("card money that goes back has a refund under way");
      throw new Error("undone");
    }).catch((error) => expect(error.message).toBe("undone"));
  });

  test("nor sent, for hours, is told to the operators", async () => {
    const { purchase } = await lateMoney((await player(db)).id);
    const again = async () => {
      await db.sql`update app.card_refunds set check_at = now() where purchase_id = ${purchase.id}`;
      await db.sql`select app.claim_unfinished(1000)`;
    };
    const alerts = () =>
      db.sql`select from public.operator_alerts
        where kind = 'refund_stuck' and details ->> 'purchase_id' = ${purchase.id}`;
    for (let time = 0; time < 6; time++) await again();
    expect(await alerts()).toHaveLength(0);
    for (let time = 0; time < 3; time++) await again();
    expect(await alerts()).toHaveLength(1);
  });
});
