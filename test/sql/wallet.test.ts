import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Actor, TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser, testDatabase } from "../support/database.ts";
import type { Wallet } from "../support/ledger.ts";
import {
  accountOf,
  expectSound,
  hold,
  makeDue,
  openWallet,
  post,
  stateOf,
} from "../support/ledger.ts";

let db: TestDatabase;
let revenue: string;
let operator: Actor;
let admin: Actor & { id: string };
let ana: Wallet;
beforeAll(async () => {
  db = await testDatabase();
  revenue = await accountOf(db.sql, "REVENUE", "EUR");
  operator = { role: "authenticated", ...await createUser(db, { roles: ["operator"] }) };
  admin = { role: "authenticated", ...await createUser(db, { roles: ["admin"] }) };
});
beforeEach(async () => void (ana = await openWallet(db, 100)));
afterEach(() => expectSound(db.sql));

const anaIs = () => stateOf(db.sql, ana.account);
const spend = (cents: number) => post(db.sql, [[ana.account, -cents], [revenue, cents]]);
const receive = (cents: number) => post(db.sql, [[ana.account, cents], [revenue, -cents]]);
const chargeBack = (cents: number) =>
  db.sql`select app.charge_back(${ana.account}, ${cents}, 'CHARGEBACK', 'pi_1')`;
const suspend = (actor: Actor, reason = "fraud", user = ana.user) =>
  actAs(db, actor, (sql) => sql`select public.suspend_wallet(${user}, ${reason})`);
const adjust = (actor: Actor, cents: number, note = "goodwill", user = ana.user) =>
  actAs(db, actor, (sql) => sql`select public.adjust_wallet(${user}, 'EUR', ${cents}, ${note})`);

test("a suspended wallet refuses debits and holds, takes credits, and is reinstated", async () => {
  await suspend(operator);
  expect(await codeOf(spend(1))).toBe("wallet_suspended");
  expect(await codeOf(hold(db.sql, ana.account, 1))).toBe("wallet_suspended");
  await receive(5);
  expect(await anaIs()).toMatchObject({ balance: 105, status: "SUSPENDED" });
  await actAs(db, operator, (sql) => sql`select public.reinstate_wallet(${ana.user})`);
  await spend(105);
});

test("a suspended user's new wallets are suspended, the first one included", async () => {
  const { id } = await createUser(db);
  await suspend(operator, "fraud", id);
  for (const currency of ["EUR", "USD"]) {
    const account = await accountOf(db.sql, "USER", currency, id);
    expect((await stateOf(db.sql, account)).status).toBe("SUSPENDED");
  }
});

test("a debt suspends until it is paid from whatever comes in", async () => {
  const id = await hold(db.sql, ana.account, 40);
  const steps: [() => Promise<unknown>, Awaited<ReturnType<typeof anaIs>>][] = [
    [() => chargeBack(150), { balance: 40, held: 40, debt: 90, status: "SUSPENDED" }],
    [() => receive(20), { balance: 40, held: 40, debt: 70, status: "SUSPENDED" }],
    [() => db.sql`select app.release_hold(${id})`, {
      balance: 0,
      held: 0,
      debt: 30,
      status: "SUSPENDED",
    }],
    [() => chargeBack(-10), { balance: 0, held: 0, debt: 20, status: "SUSPENDED" }],
    [() => receive(25), { balance: 5, held: 0, debt: 0, status: "ACTIVE" }],
    [() => chargeBack(-10), { balance: 15, held: 0, debt: 0, status: "ACTIVE" }],
  ];
  for (const [step, state] of steps) {
    await step();
    expect(await anaIs()).toEqual(state);
    await expectSound(db.sql);
  }
});

test("a hold ends once, and an expired one is not captured", async () => {
  const capture = (id: string) => db.sql`select app.capture_hold(${id}, ${revenue})`;
  const release = (id: string) => db.sql`select app.release_hold(${id})`;
  const [captured, released, expired] = [
    await hold(db.sql, ana.account, 10),
    await hold(db.sql, ana.account, 20),
    await hold(db.sql, ana.account, 30),
  ];
  expect(await codeOf(spend(41))).toBe("balance_insufficient");
  await capture(captured);
  await release(released);
  await makeDue(db.sql, expired);
  expect(await codeOf(capture(expired))).toBe("hold_not_active");
  expect(await anaIs()).toMatchObject({ balance: 90, held: 30 });
  await db.sql`select app.expire_holds()`;
  for (const id of [captured, released, expired]) {
    expect(await codeOf(capture(id))).toBe("hold_not_active");
    expect(await codeOf(release(id))).toBe("hold_not_active");
  }
  expect(await anaIs()).toMatchObject({ balance: 90, held: 0 });
});

test("staff act on others' wallets alone, adjust as admins, and all of it is in the audit log", async () => {
  const player: Actor = { role: "authenticated", id: (await createUser(db)).id };
  const refused: [() => Promise<unknown>, string][] = [
    [() => suspend(player), "not_permitted"],
    [() => suspend(admin, "fraud", admin.id), "not_permitted"],
    [() => suspend(operator, "fraud", admin.id), "not_permitted"],
    [() => suspend(operator, " "), "request_invalid"],
    [() => adjust(operator, 5), "not_permitted"],
    [() => adjust(admin, 5, "mine", admin.id), "not_permitted"],
    [() => adjust(admin, 5, " "), "request_invalid"],
    [() => adjust(admin, 0), "request_invalid"],
    [() => adjust(admin, -101), "balance_insufficient"],
  ];
  for (const [trying, code] of refused) expect(await codeOf(trying())).toBe(code);

  await adjust(admin, -5);
  await suspend(admin);
  expect((await anaIs()).balance).toBe(95);
  const log = await db.sql`select actor_id, action, after from public.audit_log
    where subject_table = 'wallet_accounts' and subject_id = ${ana.account} order by id`;
  expect(log).toHaveLength(2);
  expect(log[0]).toMatchObject({
    actor_id: admin.id,
    action: "adjust",
    after: { amount_cents: -5, note: "goodwill" },
  });
  expect(log[1]).toMatchObject({ action: "update", after: { suspended_reason: "fraud" } });
});

test("people see their own balance, which is what is cached, and nothing of others'", async () => {
  await hold(db.sql, ana.account, 40);
  const seen = await actAs(
    db,
    { role: "authenticated", id: ana.user },
    (sql) =>
      sql`select account_id, balance_cents::integer as balance, held_cents::integer as held,
        available_cents::integer as available from public.wallet_balances`,
  );
  expect([...seen]).toEqual([{ account_id: ana.account, balance: 100, held: 40, available: 60 }]);
});

test.each([null, 99, 1_000_001])("a top-up of %s is refused, whoever asks", async (cents) => {
  const asked = actAs(
    db,
    { role: "authenticated", id: ana.user },
    (sql) => sql`select public.begin_topup('key', ${cents}, 'EUR', 'checkout', null)`,
  );
  expect(await codeOf(asked)).toBe("request_invalid");
});

test.each([["day", 24], ["week", 7 * 24], ["month", 30 * 24]])(
  "a deposit counts towards the limit of a %s for %i hours",
  async (period, hours) => {
    await db.sql`insert into public.play_limits (user_id, kind, period, currency, amount_cents)
      values (${ana.user}, 'deposit', ${period}, 'EUR', 1000)`;
    const deposit = () =>
      codeOf(
        actAs(db, { role: "authenticated", id: ana.user }, (sql) =>
          sql`select public.begin_topup(${crypto.randomUUID()}, 600, 'EUR', 'checkout', null)`),
      );
    const age = (by: number) =>
      db.sql`update public.wallet_topups set created_at = now() - make_interval(secs => ${by})
        where user_id = ${ana.user}`;
    expect(await deposit()).toBe("none");
    await age(hours * 3600 - 60);
    expect(await deposit()).toBe("deposit_limit_reached");
    await age(hours * 3600 + 1);
    expect(await deposit()).toBe("none");
  },
);

test("a second try of a withdrawal goes on with the first", async () => {
  await db.sql`update public.profiles set kyc_status = 'VERIFIED', payout_account = 'acct_1'
    where id = ${ana.user}`;
  const begin = async () =>
    await actAs(
      db,
      { role: "authenticated", id: ana.user },
      async (sql) =>
        (await sql`select public.begin_withdrawal('key', 100, 'EUR') as begun`)[0].begun,
    );
  const { withdrawal } = await begin();
  await db.sql`select app.release_key(${ana.user}, 'withdraw', 'key')`;
  expect((await begin()).withdrawal.id).toBe(withdrawal.id);
  expect((await anaIs()).held).toBe(100);
});

test("of two customers that Stripe made for one person the first stays", async () => {
  const record = (customer: string) =>
    db.sql`select app.record_customer(${ana.user}, ${customer}) as id`;
  expect(await record("cus_1")).toEqual([{ id: "cus_1" }]);
  expect(await record("cus_2")).toEqual([{ id: "cus_1" }]);
});

test("what people owe us is no wallet of theirs", async () => {
  await chargeBack(150);
  const seen = await actAs(
    db,
    { role: "authenticated", id: ana.user },
    (sql) => sql`select kind from public.wallet_accounts`,
  );
  expect([...seen]).toEqual([{ kind: "USER" }]);
});

test("a statement is read newest first, along its index", async () => {
  const other = await openWallet(db);
  await db
    .sql`select app.post_transaction('ORDER', array[(${other.account}, 1), (${revenue}, -1)]::app.posting[])
    from generate_series(1, 1000)`;
  for (let n = 1; n <= 12; n++) await receive(n);
  await db.sql`analyze public.wallet_ledger`;
  const [amounts, plan] = await actAs(db, { role: "authenticated", id: ana.user }, async (sql) => {
    await sql`set local enable_seqscan = off`;
    const page = "from public.wallet_ledger where user_id = auth.uid() order by id desc limit 10";
    return [
      (await sql.unsafe(`select amount_cents ${page}`)).map((row) => Number(row.amount_cents)),
      JSON.stringify(await sql.unsafe(`explain select * ${page}`)),
    ] as const;
  });
  expect(amounts).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  expect(plan).toContain("wallet_ledger_statement");
});
