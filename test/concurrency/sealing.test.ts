import type postgres from "postgres";
import { afterEach, beforeAll, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import { crowd, tally } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { beacon, close, draw, reachRound, seal, settle, winnersOf } from "../support/draws.ts";
import { buy, operatorOf, raffle, stateOf, ticketsOf } from "../support/raffles.ts";
import { race, untilSomeoneWaits } from "../support/races.ts";
import { scaled, seed } from "../support/scale.ts";
import { violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
let people: string[];
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 1000000 where class = 'money'`;
  people = await crowd(db, 50, 10_000_000);
});
afterEach(async () => expect(await violations(db)).toEqual([]));
const dice = the.dice(seed);

test(`fifty buyers race the seal: a ticket that is sealed or the money back (SEED=${seed})`, async () => {
  for (let round = 0; round < scaled(10, 1_000); round++) {
    const raffle_id = await raffle(db, {
      ticket_price_cents: 10,
      tickets_required: 1000,
      lanes: 8,
    });
    await buy(db, people[0], { raffle_id });
    const before = (await walletOf(db, people[1])).balance;
    const closing = new Promise((resolve) => setTimeout(resolve, dice.upTo(15)))
      .then(() => close(db, raffle_id)).then(() => seal(db, raffle_id));
    const outcomes = await Promise.all(
      people.slice(1).map((id) => the.outcomeOf(buy(db, id, { raffle_id }))),
    );
    expect(await closing).toBe("CLOSED");
    const counts = tally(outcomes);
    expect(Object.keys(counts).filter((code) => !["none", "raffle_not_open"].includes(code)))
      .toEqual([]);
    const [{ ticket_count }] = await db
      .sql`select ticket_count from public.draws where raffle_id = ${raffle_id}`;
    expect(ticket_count).toBe(1 + (counts.none ?? 0));
    expect(await ticketsOf(db, raffle_id)).toHaveLength(ticket_count);
    const paid = outcomes[0].code === "none" ? 10 : 0;
    expect((await walletOf(db, people[1])).balance).toBe(before - paid);
  }
});

test("a purchase that is under way is waited for: it counts, and its tickets are sealed", async () => {
  const raffle_id = await raffle(db, {
    tickets_required: 1000,
    min_tickets: 2,
    lanes: 4,
    closes_at: new Date(Date.now() + 500),
  });
  await buy(db, people[0], { raffle_id });
  const outcome = await race(
    db,
    (sql) => the.buyWithin(sql, people[1], { raffle_id, redeem: false }),
    async (sql) => {
      await sql`select pg_sleep(0.6)`;
      return await sql`select app.seal_raffle(${raffle_id})`;
    },
  );
  expect(outcome).toMatchObject({ first: "fulfilled", second: "done", waited: true });
  const [{ ticket_count }] = await db
    .sql`select ticket_count from public.draws where raffle_id = ${raffle_id}`;
  expect(ticket_count).toBe(2);
});

test("a redemption that is under way and the seal never wait for each other crosswise", async () => {
  const raffle_id = await raffle(db, { tickets_required: 1000, lanes: 4 });
  const { purchase } = await buy(db, people[0], { raffle_id, redeem: false });
  await close(db, raffle_id);
  let sealing: Promise<unknown> | undefined;
  await db.sql.begin(async (sql) => {
    // As redeem_ticket begins: the raffle, then the purchase. Its lanes come last.
    await sql`select app.enter_raffle(${raffle_id})`;
    await sql`select from public.purchases where id = ${purchase.id} for update`;
    sealing = seal(db, raffle_id);
    await untilSomeoneWaits(db);
    await sql`select from app.raffle_lanes where raffle_id = ${raffle_id} order by lane_no for share`;
  });
  expect(await sealing).toBe("CLOSED");
  expect(await ticketsOf(db, raffle_id)).toHaveLength(1);
});

test("twenty seals, draws and settlements at once make one of each", async () => {
  const raffle_id = await raffle(db, {
    tickets_required: 10,
    min_tickets: 10,
    prize_tiers: [{ place: 1, amount_cents: 1000 }],
  });
  for (const id of people.slice(0, 10)) await buy(db, id, { raffle_id });
  const twenty = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 20 }, work));
  expect((await twenty(() => seal(db, raffle_id))).filter(Boolean)).toEqual(["CLOSED"]);
  await reachRound(db, raffle_id);
  const given = beacon();
  expect((await twenty(() => draw(db, raffle_id, given))).filter(Boolean)).toEqual([true]);
  expect((await twenty(() => settle(db, raffle_id))).filter(Boolean)).toEqual([true]);
  expect(await winnersOf(db, raffle_id)).toHaveLength(1);
  expect(await stateOf(db, raffle_id)).toBe("SETTLED");
  const [{ paid }] = await db
    .sql`select sum(amount_cents)::integer as paid from public.wallet_ledger
    where raffle_id = ${raffle_id} and reason = 'PRIZE_PAYOUT' and user_id is not null`;
  expect(paid).toBe(1000);
});

test("a prize that nobody claimed is passed on once, however many clocks there are", async () => {
  const raffle_id = await raffle(db, { tickets_required: 10 });
  for (const id of people.slice(0, 10)) await buy(db, id, { raffle_id });
  await seal(db, raffle_id);
  await draw(db, raffle_id);
  await settle(db, raffle_id);
  await db.sql`update public.prize_claims set claim_until = now() where raffle_id = ${raffle_id}`;
  const passed = await Promise.all(
    Array.from({ length: 10 }, async () => (await db.sql`select app.pass_on_prizes() as n`)[0].n),
  );
  expect(passed.map(Number).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(await winnersOf(db, raffle_id)).toHaveLength(2);
});

test("of two clocks that pass a prize on, the second waits and finds it done", async () => {
  const raffle_id = await raffle(db, { tickets_required: 10 });
  for (const id of people.slice(0, 10)) await buy(db, id, { raffle_id });
  await seal(db, raffle_id);
  await draw(db, raffle_id);
  await settle(db, raffle_id);
  await db.sql`update public.prize_claims set claim_until = now() where raffle_id = ${raffle_id}`;
  const pass = (sql: postgres.ISql) => sql`select app.pass_on_prizes()`;
  expect(await race(db, pass, pass))
    .toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await winnersOf(db, raffle_id)).toHaveLength(2);
});

test("a prize that is being sent is not claimed to somewhere else", async () => {
  const raffle_id = await raffle(db, { tickets_required: 10 });
  for (const id of people.slice(0, 10)) await buy(db, id, { raffle_id });
  await seal(db, raffle_id);
  await draw(db, raffle_id);
  await settle(db, raffle_id);
  const [{ user_id }] = await db
    .sql`select user_id from public.prize_claims where raffle_id = ${raffle_id}`;
  const operator = (await operatorOf(db) as { id: string }).id;
  const claim = async (sql: postgres.ISql) => {
    await the.actWithin(sql, user_id);
    await sql`select public.claim_prize(${raffle_id}, 1, '{"to": "me"}')`;
  };
  const send = async (sql: postgres.ISql) => {
    await the.actWithin(sql, operator);
    await sql`select public.send_prize(${raffle_id}, 1, 'SHIPPED')`;
  };
  await db.sql.begin(claim);
  expect(await race(db, send, claim))
    .toEqual({ first: "fulfilled", second: "prize_not_claimable", waited: true });
});

test("of two that draw, and of two that settle, the second waits and finds it done", async () => {
  const raffle_id = await raffle(db, { tickets_required: 10 });
  for (const id of people.slice(0, 10)) await buy(db, id, { raffle_id });
  await seal(db, raffle_id);
  await reachRound(db, raffle_id);
  const { signature, randomness } = beacon();
  const [{ round }] = await db.sql`select round from public.draws where raffle_id = ${raffle_id}`;
  const drawing = (sql: postgres.TransactionSql) =>
    sql`select app.draw_raffle(${raffle_id}, ${round}, ${signature}, ${randomness})`;
  const settling = (sql: postgres.TransactionSql) => sql`select app.settle_raffle(${raffle_id})`;
  for (const work of [drawing, settling]) {
    expect(await race(db, work, work)).toEqual({
      first: "fulfilled",
      second: "done",
      waited: true,
    });
  }
  expect(await stateOf(db, raffle_id)).toBe("SETTLED");
});
