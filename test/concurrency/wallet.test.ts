import { afterEach, beforeAll, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { createUser, testDatabase } from "../support/database.ts";
import type { Sql } from "../support/ledger.ts";
import {
  accountOf,
  codesOf,
  expectSound,
  hold,
  makeDue,
  openWallet,
  post,
  stateOf,
  times,
} from "../support/ledger.ts";
import { race, untilSomeoneWaits } from "../support/races.ts";

let db: TestDatabase;
let revenue: string;
/** The claims of one. */
let operator: string;
beforeAll(async () => {
  db = await testDatabase();
  revenue = await accountOf(db.sql, "REVENUE", "EUR");
  const { id: sub } = await createUser(db, { roles: ["operator"] });
  operator = JSON.stringify({ sub, role: "authenticated", aud: "authenticated" });
});
const suspend = (sql: Sql, user: string) =>
  sql`select set_config('request.jwt.claims', ${operator}, true), app.suspend_wallet(${user}, 'fraud')`;
const reinstate = (sql: Sql, user: string) =>
  sql`select set_config('request.jwt.claims', ${operator}, true), app.reinstate_wallet(${user})`;
afterEach(() => expectSound(db.sql));

test("an account that is being made while its user is suspended is suspended as well", async () => {
  const { user } = await openWallet(db);
  await race(
    db,
    (sql) => accountOf(sql, "USER", "USD", user),
    (sql) => suspend(sql, user),
  );
  expect(
    (await db.sql`select status from public.wallet_accounts where user_id = ${user}`)
      .map(({ status }) => status),
  ).toEqual(["SUSPENDED", "SUSPENDED"]);
});

test.each(["a suspension", "a reinstatement", "the clock"])(
  "%s takes a user's wallets in the order of their ids",
  async (who) => {
    const { user, account: low } = await openWallet(db, 100, "USD");
    const high = await accountOf(db.sql, "USER", "EUR", user);
    await post(db.sql, [[high, 100], [revenue, -100]]);
    for (const account of [high, low]) {
      await makeDue(db.sql, await hold(db.sql, account, 40));
    }
    const work = {
      "a suspension": (sql: Sql) => suspend(sql, user),
      "a reinstatement": (sql: Sql) => reinstate(sql, user),
      "the clock": (sql: Sql) => sql`select app.expire_holds()`,
    }[who]!;
    const lock = (sql: Sql, account: string) =>
      sql`select from public.wallet_accounts where id = ${account} for update skip locked`;
    let done: Promise<unknown> | undefined;
    await db.sql.begin(async (sql) => {
      await lock(sql, low);
      done = db.sql.begin(work);
      await untilSomeoneWaits(db);
      // What it has while it waits for the first.
      expect(await lock(sql, high)).toHaveLength(1);
    });
    await done;
  },
);

test("a hold ends once, however many capture and release it at once", async () => {
  const { account } = await openWallet(db, 500);
  // Others' held money is there to be taken by mistake.
  await hold(db.sql, account, 300);
  const id = await hold(db.sql, account, 40);
  const endings = times(
    50,
    (n) =>
      n % 2
        ? db.sql`select app.release_hold(${id})`
        : db.sql`select app.capture_hold(${id}, ${revenue})`,
  );
  expect(await codesOf(endings)).toEqual({ none: 1, hold_not_active: 49 });
  const [{ status }] = await db.sql`select status from public.wallet_holds where id = ${id}`;
  expect(await stateOf(db.sql, account)).toEqual({
    balance: status === "CAPTURED" ? 460 : 500,
    held: 300,
    debt: 0,
    status: "ACTIVE",
  });
});

test("a hold whose time is over is given back once, however often the clock runs", async () => {
  const { account } = await openWallet(db, 500);
  await hold(db.sql, account, 300);
  const id = await hold(db.sql, account, 40);
  await makeDue(db.sql, id);
  let expired = 0;
  const expire = async () => {
    const [{ count }] = await db.sql`select app.expire_holds() as count`;
    expired += Number(count);
  };
  const codes = await codesOf(
    times(50, (n) => n % 2 ? db.sql`select app.release_hold(${id})` : expire()),
  );
  expect(Object.keys(codes).filter((code) => !["none", "hold_not_active"].includes(code))).toEqual(
    [],
  );
  expect(expired + 25 - (codes.hold_not_active ?? 0)).toBe(1);
  expect(await stateOf(db.sql, account)).toMatchObject({ balance: 500, held: 300 });
});

test("a hold waits for a debit that is under way, and does not take the same money", async () => {
  const { account } = await openWallet(db, 100);
  const outcome = await race(
    db,
    (sql) => post(sql, [[account, -80], [revenue, 80]]),
    (sql) => hold(sql, account, 80),
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "balance_insufficient", waited: true });
});

test("of two that end a hold, the second waits and finds it done", async () => {
  const { account } = await openWallet(db, 500);
  await hold(db.sql, account, 300); // others' held money is there to be taken by mistake
  const id = await hold(db.sql, account, 40);
  const release = (sql: Sql) => sql`select app.release_hold(${id})`;
  expect(await race(db, release, release))
    .toEqual({ first: "fulfilled", second: "hold_not_active", waited: true });
  expect(await stateOf(db.sql, account)).toMatchObject({ balance: 500, held: 300 });
});

test("holds and debits that race never spend the same money twice", async () => {
  const { account } = await openWallet(db, 100);
  const codes = await codesOf(
    times(
      50,
      (n) => n % 2 ? hold(db.sql, account, 30) : post(db.sql, [[account, -30], [revenue, 30]]),
    ),
  );
  expect(codes).toEqual({ none: 3, balance_insufficient: 47 });
  const { balance, held } = await stateOf(db.sql, account);
  expect(balance - held).toBe(10);
});

test("the clock does not wait for a hold that is being ended", async () => {
  const { account } = await openWallet(db, 500);
  const id = await hold(db.sql, account, 40);
  await makeDue(db.sql, id);
  const outcome = await race(
    db,
    (sql) => sql`select app.release_hold(${id})`,
    (sql) => sql`select app.expire_holds()`,
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: false });
});

test("money that is taken back while it is being spent becomes a debt", async () => {
  const { account } = await openWallet(db, 100);
  const outcome = await race(
    db,
    (sql) => post(sql, [[account, -70], [revenue, 70]]),
    (sql) => sql`select app.charge_back(${account}, 100, 'CHARGEBACK', 'pi_1')`,
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await stateOf(db.sql, account))
    .toEqual({ balance: 0, held: 0, debt: 70, status: "SUSPENDED" });
});

test("of two deposits at once that do not both fit the limit, one is made", async () => {
  const { id } = await createUser(db);
  await db.sql`insert into public.play_limits (user_id, kind, period, currency, amount_cents)
    values (${id}, 'deposit', 'day', 'EUR', 1000)`;
  // Making the wallet would let one wait for the other too.
  await db.sql`select app.account_of('USER', 'EUR', ${id})`;
  const claims = JSON.stringify({ role: "authenticated", sub: id, aud: "authenticated" });
  const deposit = async (sql: Sql) => {
    await sql`select set_config('request.jwt.claims', ${claims}, true)`;
    await sql`select app.begin_topup(${crypto.randomUUID()}, 600, 'EUR', 'checkout', '{}')`;
  };
  expect(await race(db, deposit, deposit))
    .toEqual({ first: "fulfilled", second: "deposit_limit_reached", waited: true });
});
