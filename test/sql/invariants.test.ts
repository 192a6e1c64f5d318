// What is wrong with raffles, tickets or their money is noticed by the invariant that forbids it. Those of
// the ledger are tried in ledger.test.ts.
import { beforeAll, expect, test } from "vitest";
import { apply } from "../support/stripe-inbox.ts";
import { paymentOf, runOut } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { expectSound, rolledBack, violations } from "../support/ledger.ts";
import { buy, player, raffle } from "../support/raffles.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
  const ana = (await player(db, 100_000)).id;
  // One of everything: tickets, a right to redeem, a reservation, seats that came back, late money.
  const terms = { tickets_required: 9, lanes: 3 };
  const raffle_id = await raffle(db, terms);
  const byCard = { raffle_id, payment_method: "card" as const };
  await buy(db, ana, { raffle_id, quantity: 2 });
  await buy(db, ana, { raffle_id, redeem: false });
  const { purchase } = await buy(db, ana, { ...byCard, quantity: 2 });
  await runOut(db, [purchase.id]);
  await db.sql`select app.expire_purchases()`;
  await buy(db, ana, byCard);
  const paid = await buy(db, ana, byCard);
  expect(await apply(db.sql, paymentOf(paid.purchase))).toBe("applied");
  const full = await raffle(db, { tickets_required: 1 });
  await buy(db, ana, { raffle_id: full });
});

const corruptions: [number, string, string][] = [
  [
    3,
    "lanes cover the seats",
    "update app.raffle_lanes set end_num = end_num - 1 where lane_no = 2",
  ],
  [
    3,
    "lanes cover the seats",
    "update public.raffles set tickets_required = tickets_required + 1, rake_cents = rake_cents + ticket_price_cents",
  ],
  [3, "counts as taken", "update app.raffle_lanes set fresh = fresh + 1"],
  [3, "counts as taken", "update public.purchases set quantity = quantity + 1"],
  [3, "counts as unpaid", "update app.raffle_lanes set unpaid = unpaid + 1"],
  [3, "came back is in the gaps", "delete from app.raffle_gaps"],
  [3, "came back is in the gaps", "update app.raffle_lanes set returned = returned + 1"],
  [3, "within the raffle's range", "update public.tickets set ticket_num = ticket_num + 100"],
  [3, "within the raffle's range", "update public.tickets set ticket_num = 0 where ticket_num = 1"],
  [3, "FULL when its last seat", "update public.raffles set state = 'OPEN' where state = 'FULL'"],
  [3, "FULL when its last seat", "update public.raffles set state = 'FULL' where state = 'OPEN'"],
  [4, "escrow is what", "update public.purchases set amount_cents = amount_cents + 1"],
  [4, "escrow is what", "delete from public.wallet_ledger where purchase_id is not null"],
  [4, "escrow is what", "update public.purchases set status = 'REFUNDED' where redeemed"],
  [5, "has its tickets", "delete from public.tickets where ticket_num = 1"],
  [5, "has its tickets", "delete from app.reservations"],
  [
    5,
    "has its tickets",
    "update public.purchases set redeemed = not redeemed where status = 'CONFIRMED'",
  ],
  [5, "has its tickets", "update app.reservations set end_num = end_num + 1"],
  [5, "fits together", "update public.purchases set redeemed = true where status = 'PENDING'"],
  [5, "fits together", "update public.purchases set ticket_id = 1"],
];

test.each(corruptions)("invariant %i (%s) notices: %s", async (invariant, rule, corruption) => {
  await expectSound(db.sql);
  await rolledBack(db.superuser, async (sql) => {
    await sql`set local session_replication_role = replica`;
    const { count } = await sql.unsafe(corruption);
    expect(count).toBeGreaterThan(0);
    expect(await violations(sql)).toContainEqual(
      expect.objectContaining({ invariant, rule: expect.stringContaining(rule) }),
    );
  });
});

test("two tickets of one number there cannot be: the key forbids it, even where nothing is checked", async () => {
  await rolledBack(db.superuser, async (sql) => {
    await sql`set local session_replication_role = replica`;
    const moving = sql.savepoint((sql) => sql`update public.tickets set ticket_num = 1`);
    await expect(moving).rejects.toMatchObject({ code: "23505" });
  });
});
