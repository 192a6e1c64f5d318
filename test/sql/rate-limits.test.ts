import type postgres from "postgres";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { redeem } from "../support/crowd.ts";
import type { TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser, testDatabase } from "../support/database.ts";
import { race } from "../support/races.ts";
import { buy } from "../support/raffles.ts";

let db: TestDatabase;
let user: string;
beforeAll(async () => void (db = await testDatabase()));
beforeEach(async () => void (user = (await createUser(db)).id));

const take = (count = 1, who = user) =>
  Promise.all(
    Array.from({ length: count }, () => codeOf(db.sql`select app.take_token('money', ${who})`)),
  );
const passed = (codes: string[]) => codes.filter((code) => code === "none").length;
const wait = (seconds: number) =>
  db.sql`update app.rate_buckets set full_at = full_at - make_interval(secs => ${seconds}) where subject = ${user}`;

test("money may be moved ten times a minute by one user, also when all come at once", async () => {
  const codes = await take(40);
  expect(passed(codes)).toBe(10);
  expect(codes.filter((code) => code === "rate_limited")).toHaveLength(30);
  await wait(6);
  expect(passed(await take(5))).toBe(1);
  await wait(3600);
  expect(passed(await take(40))).toBe(10);
});

test("of two first requests at once both count", async () => {
  const once = (sql: postgres.ISql) => sql`select app.take_token('money', ${user})`;
  expect(await race(db, once, once)).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(passed(await take(20))).toBe(8);
});

const id = crypto.randomUUID();
const asUser = (work: (sql: postgres.ISql) => Promise<unknown>) =>
  actAs(db, { role: "authenticated", id: user }, work);
const DOORS: [string, () => Promise<unknown>][] = [
  ["buying by wallet", () => buy(db, user, { raffle_id: id })],
  ["buying by card", () => buy(db, user, { raffle_id: id, payment_method: "card" })],
  ["redeeming", () => redeem(db, user, id)],
  [
    "depositing",
    () =>
      asUser((sql) =>
        sql`select public.begin_topup(${crypto.randomUUID()}, 1000, 'EUR', 'checkout', null)`
      ),
  ],
  [
    "withdrawing",
    () => asUser((sql) => sql`select public.begin_withdrawal(${crypto.randomUUID()}, 1000, 'EUR')`),
  ],
  [
    "asking for a refund to the card",
    () => asUser((sql) => sql`select public.request_card_refund(${id})`),
  ],
];
test.each(DOORS)(
  "%s is refused when there is no token left, before anything else",
  async (_, enter) => {
    expect(await codeOf(enter())).not.toBe("rate_limited");
    await take(10);
    expect(await codeOf(enter())).toBe("rate_limited");
  },
);

test("one user's requests take nothing from another's", async () => {
  await take(20);
  expect(passed(await take(10, (await createUser(db)).id))).toBe(10);
});

test("a refusal says when to come back", async () => {
  await take(10);
  const refused = await db.sql`select app.take_token('money', ${user})`.catch((error) => error);
  expect(JSON.parse(refused.detail).retry_after).toBe(6);
});

test("the limit is a row in a table, and holds from its next change on", async () => {
  await db.sql`update app.rate_limits set burst = 3 where class = 'money'`;
  expect(passed(await take(20))).toBe(3);
  await db.sql`update app.rate_limits set burst = 10 where class = 'money'`;
});

test("buckets that are full again are purged, others stay", async () => {
  await take(10);
  await db.sql`select app.purge()`;
  expect(passed(await take(1))).toBe(0);
  await wait(200);
  await db.sql`select app.purge()`;
  expect(await db.sql`select from app.rate_buckets where subject = ${user}`).toHaveLength(0);
});
