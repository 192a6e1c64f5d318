// Any job, once or twenty times at once, in time or an hour late, comes to the same.
import { beforeAll, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { actAs, testDatabase } from "../support/database.ts";
import { close, draw, seal, settle } from "../support/draws.ts";
import { emptyOutbox } from "../support/notifications.ts";
import { buy, operatorOf, player, raffle } from "../support/raffles.ts";
import { cleanUp } from "../support/cleanup.ts";
import { scaled } from "../support/scale.ts";
import { fund, violations } from "../support/wallets.ts";

const AT_ONCE = 20;

/** Something due for every job that needs no network; due for as long as it says. */
async function busyDatabase(late: string): Promise<TestDatabase> {
  const db = await testDatabase();
  const people = [];
  for (let at = 0; at < 4; at++) people.push((await player(db, 100_000)).id);
  const [ana, ben, eva, leo] = people;
  await db.sql`update public.profiles set display_name = 'Ana' where id = ${ana}`;
  const ago = db.sql`now() - ${late}::interval - interval '1 second'`;

  // Reservations that are over, in two raffles; holds that are.
  const shop = await raffle(db, { title: "Shop" });
  for (const id of [ana, ben, eva]) {
    await buy(db, id, { raffle_id: shop, quantity: 2, payment_method: "card" });
    await buy(db, id, { raffle_id: shop });
  }
  await db.sql`update public.purchases set expires_at = ${ago} where status = 'PENDING'`;
  await db.sql`select app.place_hold(app.account_of('USER', 'EUR', ${leo}), 700, 'ADJUSTMENT')`;
  await db.sql`update public.wallet_holds set expires_at = ${ago}`;

  // Raffles that are over: to be sealed, below their minimum, and full.
  const over = await raffle(db, { title: "Over" });
  for (const id of people) await buy(db, id, { raffle_id: over, redeem: id !== ben });
  const few = await raffle(db, { title: "Few", min_tickets: 50 });
  for (const id of [ana, leo]) await buy(db, id, { raffle_id: few, quantity: 3 });
  for (const id of [over, few]) await close(db, id);
  const full = await raffle(db, { title: "Full", tickets_required: 2 });
  await buy(db, eva, { raffle_id: full, quantity: 2 });

  // A cancelled raffle whose refunds were interrupted.
  const gone = await raffle(db, { title: "Gone" });
  for (const id of people) await buy(db, id, { raffle_id: gone, quantity: 4 });
  await db
    .sql`update public.raffles set state = 'CANCELLED', cancelled_at = now(), cancel_reason = 'No' where id = ${gone}`;
  await db.sql`update public.tickets set voided_at = now() where raffle_id = ${gone}`;
  await db.sql`update app.raffle_lanes set open = false where raffle_id = ${gone}`;

  // Prizes that nobody claimed in time, and one to be reminded of.
  for (const title of ["Unclaimed", "Waiting"]) {
    const won = await raffle(db, { title, tickets_required: 2 });
    for (const id of [ana, ben]) await buy(db, id, { raffle_id: won });
    for (const step of [seal, draw, settle]) await step(db, won);
    await db.sql`update public.prize_claims set claim_until =
      ${title === "Waiting" ? db.sql`now() + interval '6 days'` : ago} where raffle_id = ${won}`;
  }

  // Old keys, and limits that are full again.
  await db.sql`update app.idempotency_keys set created_at = now() - interval '30 days'`;
  await db.sql`update app.rate_buckets set full_at = ${ago}`;
  await db.sql`update app.ledger_mark set noted_at = ${ago} - interval '1 minute',
    noted = (select max(id) from public.wallet_ledger)`;
  await fund(db, leo, 1);
  await actAs(db, await operatorOf(db), (sql) => sql`select 1`);
  await emptyOutbox(db);
  return db;
}

const sqlJobs = async ({ sql }: TestDatabase) =>
  (await sql`select name, command from public.jobs
    where command not like '%call_function%' order by name`) as unknown as {
    name: string;
    command: string;
  }[];

/** Runs every job until none finds anything more to do. */
async function runAll(db: TestDatabase, times: number): Promise<void> {
  const jobs = await sqlJobs(db);
  for (let pass = 0; pass < 6; pass++) {
    for (const { command } of jobs) {
      await Promise.all(Array.from({ length: times }, () => db.sql.unsafe(command)));
    }
  }
  await finish(db);
}

/** What waits for transactions of others on this server, and of nobody else here. */
async function finish(db: TestDatabase): Promise<void> {
  for (const deadline = Date.now() + 150_000; Date.now() < deadline;) {
    await db.sql`select app.roll_up_balances()`;
    const [{ done }] = await db.sql`select rolled_up > 0 as done from app.ledger_mark`;
    if (done) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await emptyOutbox(db);
}

/** What came of it, without what differs by chance: ids, moments, who was drawn. */
async function outcomeOf({ sql }: TestDatabase) {
  return {
    raffles:
      await sql`select title, state, app.count_taken(id) as taken from public.raffles order by title`,
    purchases:
      await sql`select r.title, p.status, p.redeemed, p.quantity, count(*) from public.purchases p
      join public.raffles r on r.id = p.raffle_id group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    tickets:
      await sql`select r.title, t.voided_at is not null as voided, count(*) from public.tickets t
      join public.raffles r on r.id = t.raffle_id group by 1, 2 order by 1, 2`,
    wallets: await sql`select balance_cents, held_cents, count(*) from public.wallet_accounts
      where kind = 'USER' group by 1, 2 order by 1, 2`,
    entries:
      await sql`select reason, direction, sum(amount_cents), count(*) from public.wallet_ledger
      group by 1, 2 order by 1, 2`,
    holds: await sql`select status, count(*) from public.wallet_holds group by 1 order by 1`,
    claims: await sql`select r.title, c.place, c.status, c.reminders from public.prize_claims c
      join public.raffles r on r.id = c.raffle_id order by 1, 2`,
    stock: await sql`select sum(stock) from public.prizes`,
    draws: await sql`select count(*), sum(ticket_count) from public.draws`,
    told:
      await sql`select n.event, coalesce(r.title, s.title) as about, count(*) from public.notifications n
      left join public.raffles r on r.id = n.subject_id
      left join (public.purchases p join public.raffles s on s.id = p.raffle_id) on p.id = n.subject_id
      group by 1, 2 order by 1, 2`,
    balances:
      await sql`select kind, sum(balance_cents) from public.house_balances group by 1 order by 1`,
    progress: await sql`select r.title, p.state, p.tickets_sold from public.raffle_progress p
      join public.raffles r on r.id = p.raffle_id order by 1`,
    keys: await sql`select count(*) from app.idempotency_keys`,
    buckets: await sql`select count(*) from app.rate_buckets`,
  };
}

let once: Awaited<ReturnType<typeof outcomeOf>>;
beforeAll(async () => {
  const db = await busyDatabase("1 second");
  await runAll(db, 1);
  once = await outcomeOf(db);
  expect(await violations(db)).toEqual([]);
});

test("every job had something to do, and did it", () => {
  expect(once.raffles).toMatchObject([
    { title: "Few", state: "CANCELLED" },
    { title: "Full", state: "CLOSED" },
    { title: "Gone", state: "CANCELLED" },
    { title: "Over", state: "CLOSED" },
    { title: "Shop", state: "OPEN", taken: 3 },
    { title: "Unclaimed", state: "SETTLED" },
    { title: "Waiting", state: "SETTLED" },
  ]);
  expect(once.holds).toMatchObject([{ status: "RELEASED" }]);
  expect(once.claims.map(({ status, reminders }) => [status, reminders]))
    .toEqual([["FORFEITED", 0], ["OFFERED", 0], ["OFFERED", 1]]);
  expect(once.balances.length).toBeGreaterThan(1);
  expect([once.keys, once.buckets]).toMatchObject([[{ count: "0" }], [{ count: "0" }]]);
});

test("twenty of each at once do what one does", async () => {
  for (let round = 0; round < scaled(1, 10); round++) {
    const db = await busyDatabase("1 second");
    await runAll(db, AT_ONCE);
    expect(await outcomeOf(db)).toEqual(once);
    expect(await violations(db)).toEqual([]);
    await cleanUp();
  }
});

test("all of them at once, twenty times, do what one after another does", async () => {
  const db = await busyDatabase("1 second");
  const jobs = await sqlJobs(db);
  for (let pass = 0; pass < 6; pass++) {
    const runs = jobs.flatMap(({ command }) => Array.from({ length: AT_ONCE }, () => command));
    await Promise.all(runs.map((command) => db.sql.unsafe(command)));
  }
  await finish(db);
  expect(await outcomeOf(db)).toEqual(once);
  expect(await violations(db)).toEqual([]);
});

test("an hour without any of them changes nothing but the delay", async () => {
  const db = await busyDatabase("1 hour");
  await runAll(db, 1);
  expect(await outcomeOf(db)).toEqual(once);
  expect(await violations(db)).toEqual([]);
});
