import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, signUp, testStack } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { fund, houseBalance, violations, walletOf } from "../support/wallets.ts";

let stack: TestStack;
let operator: Person;
beforeAll(async () => {
  stack = await testStack({ STRIPE_TIMEOUT_MS: "700" });
  operator = await signUp(stack, { roles: ["operator"] });
  await stack.sql`update app.rate_limits set burst = 1000 where class = 'money'`;
  await control(stack, "POST /settings", { settle_after_ms: null });
});
afterEach(async () => {
  await control(stack, "DELETE /faults");
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

/** Somebody with 50.00 EUR, checked, and with an account to be paid to. */
async function player(): Promise<Person & { account: string }> {
  const person = await signUp(stack);
  const { id: account } = await control(stack, "POST /accounts", { country: "ES" });
  const staff = clientFor(stack, operator.token);
  for (
    const { error } of [
      await staff.rpc("set_kyc_status", { user_id: person.id, status: "VERIFIED" }),
      await staff.rpc("set_payout_account", { user_id: person.id, account }),
    ]
  ) expect(error).toBeNull();
  await fund(stack, person.id, 5000);
  return { ...person, account };
}

const withdraw = (
  person: Person,
  body: Record<string, unknown> = {},
  key: string = crypto.randomUUID(),
) =>
  call(stack, "POST", "/withdraw", {
    token: person.token,
    body: { amount_cents: 2000, ...body },
    headers: { "idempotency-key": key },
  });
const read = async (person: Person, id: string) =>
  (await call(stack, "GET", `/withdraw/${id}`, { token: person.token })).body.withdrawal;
const rowOf = async (id: string) =>
  (await stack.sql`select * from public.wallet_withdrawals where id = ${id}`)[0];
const sent = async (path: string) =>
  (await control(stack, `GET /requests?method=POST&path=${path}`)).requests;

describe("a withdrawal", () => {
  test("is held, sent, and captured once the bank has it", async () => {
    const ana = await player();
    const { status, body } = await withdraw(ana);
    expect(status).toBe(201);
    expect(body.withdrawal).toMatchObject({
      status: "PROCESSING",
      amount_cents: 2000,
      currency: "EUR",
    });
    expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 2000 });
    const row = await rowOf(body.withdrawal.id);
    expect(await houseBalance(stack, "WITHDRAWALS")).toBe(-2000);

    await control(stack, `POST /payouts/${row.provider_txn_id}/pay`);
    await flushWebhooks(stack);
    expect((await read(ana, row.id)).status).toBe("COMPLETED");
    expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 3000, held: 0 });
    expect(await houseBalance(stack, "WITHDRAWALS")).toBe(0);
  });

  test.each([["before", false], ["after", true]])(
    "that the bank refuses, %s it was paid, is in the wallet again",
    async (_, paidFirst) => {
      const ana = await player();
      const { body } = await withdraw(ana);
      const { id, provider_txn_id: payout } = await rowOf(body.withdrawal.id);
      if (paidFirst) await control(stack, `POST /payouts/${payout}/pay`);
      await control(stack, `POST /payouts/${payout}/fail`, { code: "account_closed" });
      await flushWebhooks(stack);
      expect(await read(ana, id)).toMatchObject({
        status: "FAILED",
        failure_code: "account_closed",
        completed_at: null,
      });
      expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 0 });
    },
  );

  test("is listed and read by its owner and nobody else", async () => {
    const [ana, ben] = [await player(), await player()];
    const { body } = await withdraw(ana);
    const list = await call(stack, "GET", "/withdraw", { token: ana.token });
    expect(list.body).toMatchObject({ total: 1, items: [{ id: body.withdrawal.id }] });
    const foreign = await call(stack, "GET", `/withdraw/${body.withdrawal.id}`, {
      token: ben.token,
    });
    expect([foreign.status, foreign.body.error.code]).toEqual([404, "withdrawal_not_found"]);
  });

  test("can be made from a wallet that is suspended afterwards, and not before", async () => {
    const ana = await player();
    const { body } = await withdraw(ana);
    const staff = clientFor(stack, operator.token);
    await staff.rpc("suspend_wallet", { user_id: ana.id, reason: "Somebody else's card" });
    expect((await withdraw(ana)).body.error.code).toBe("wallet_suspended");
    await control(stack, `POST /payouts/${(await rowOf(body.withdrawal.id)).provider_txn_id}/pay`);
    await flushWebhooks(stack);
    expect((await read(ana, body.withdrawal.id)).status).toBe("COMPLETED");
    await staff.rpc("reinstate_wallet", { user_id: ana.id });
    expect((await withdraw(ana)).status).toBe(201);
  });
});

describe("is refused", () => {
  test("to whoever is not checked, has no account to be paid to, or not enough money", async () => {
    const ana = await signUp(stack);
    await fund(stack, ana.id, 5000);
    expect((await withdraw(ana)).body.error.code).toBe("kyc_required");
    await stack.sql`update public.profiles set kyc_status = 'VERIFIED' where id = ${ana.id}`;
    const missing = await withdraw(ana);
    expect([missing.status, missing.body.error.code]).toEqual([403, "payout_account_missing"]);
    const ben = await player();
    const poor = await withdraw(ben, { amount_cents: 5001 });
    expect([poor.status, poor.body.error]).toMatchObject([402, {
      code: "balance_insufficient",
      details: { available_cents: 5000, currency: "EUR" },
    }]);
    expect((await withdraw(ben, { currency: "USD" })).body.error.code).toBe("balance_insufficient");
    expect(
      await stack
        .sql`select from public.wallet_withdrawals where user_id in (${ana.id}, ${ben.id})`,
    )
      .toHaveLength(0);
  });

  test.each([0, -1, 1.5, "100", 1e308, 2 ** 53, 2 ** 63, null, 99])(
    "the amount %s, and nothing is held",
    async (amount_cents) => {
      const ana = await player();
      const answer = await withdraw(ana, { amount_cents });
      expect([answer.status, answer.body.error.code]).toEqual([422, "request_invalid"]);
      expect((await walletOf(stack, ana.id)).held).toBe(0);
    },
  );

  test("a payout account set by whoever is no operator, for oneself, or that is none", async () => {
    const ana = await player();
    for (
      const [token, user_id, account] of [
        [ana.token, ana.id, "acct_mine"],
        [operator.token, operator.id, "acct_mine"],
        [operator.token, ana.id, "not an account"],
      ]
    ) {
      const { error } = await clientFor(stack, token).rpc("set_payout_account", {
        user_id,
        account,
      });
      expect(error).not.toBeNull();
    }
    const [profile] = await stack
      .sql`select payout_account from public.profiles where id = ${ana.id}`;
    expect(profile.payout_account).toBe(ana.account);
  });
});

test("who owes in one currency takes nothing out in another", async () => {
  const ana = await player();
  await fund(stack, ana.id, 5000, "GBP");
  await stack
    .sql`select app.charge_back(app.account_of('USER', 'EUR', ${ana.id}), 5001, 'CHARGEBACK', 'dp_1')`;
  expect((await withdraw(ana, { currency: "GBP" })).body.error.code).toBe("wallet_suspended");
  await fund(stack, ana.id, 1);
  expect((await withdraw(ana, { currency: "GBP", amount_cents: 100 })).body.error?.code)
    .not.toBe("wallet_suspended");
});

describe("money is sent once", () => {
  test("the same key, twenty times at once: one withdrawal, one transfer, one payout", async () => {
    const ana = await player();
    await control(stack, "DELETE /requests");
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => withdraw(ana, {}, key)));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers[0].status).toBe(201);
    expect(await sent("/v1/transfers")).toHaveLength(1);
    expect(await sent("/v1/payouts")).toHaveLength(1);
    expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 2000 });
  });

  test("of twenty withdrawals at once as many are made as there is money for", async () => {
    const ana = await player();
    const answers = await Promise.all(Array.from({ length: 20 }, () => withdraw(ana)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(18);
  });

  test.each([
    ["/v1/transfers", { kind: "error", status: 500, when: "after" }],
    ["/v1/transfers", { kind: "disconnect" }],
    ["/v1/transfers", { kind: "hang" }],
    ["/v1/payouts", { kind: "error", status: 500, when: "after" }],
    ["/v1/payouts", { kind: "hang" }],
  ])(
    "when the answer to %s is lost by %j it stays PROCESSING, and is not sent again",
    async (path, fault) => {
      const ana = await player();
      await control(stack, "DELETE /requests");
      await control(stack, "POST /faults", { ...fault, method: "POST", path });
      const key = crypto.randomUUID();
      const first = await withdraw(ana, {}, key);
      expect([first.status, first.body.withdrawal.status]).toEqual([201, "PROCESSING"]);
      await control(stack, "DELETE /faults");
      expect((await withdraw(ana, {}, key)).body).toEqual(first.body);
      expect(await sent(path)).toHaveLength(1);
      expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 2000 });
    },
  );

  test("what Stripe refuses is in the wallet again at once, and the same key may be tried again", async () => {
    const ana = await player();
    await control(stack, `POST /accounts/${ana.account}/disable`);
    const key = crypto.randomUUID();
    const refused = await withdraw(ana, {}, key);
    expect([refused.status, refused.body.error.code]).toEqual([403, "payout_account_missing"]);
    expect(
      await stack.sql`select from public.operator_alerts a join public.wallet_withdrawals w
        on a.subject = w.id::text where a.kind = 'withdrawal_refused' and w.user_id = ${ana.id}`,
    ).toHaveLength(1);
    expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 0 });
    await control(stack, `POST /accounts/${ana.account}/enable`);
    expect((await withdraw(ana, {}, key)).body.withdrawal.status).toBe("PROCESSING");
  });

  test("when Stripe refuses the payout the transfer is fetched back", async () => {
    const ana = await player();
    const before = await houseBalance(stack, "WITHDRAWALS");
    await control(stack, "POST /faults", {
      kind: "error",
      status: 400,
      error: { type: "invalid_request_error", code: "payouts_not_allowed", message: "No payouts." },
      method: "POST",
      path: "/v1/payouts",
    });
    expect((await withdraw(ana)).status).toBe(403);
    const [row] = await stack
      .sql`select * from public.wallet_withdrawals where user_id = ${ana.id}`;
    expect(row).toMatchObject({ status: "FAILED", failure_code: "payouts_not_allowed" });
    expect(row.transfer_reversed_at).not.toBeNull();
    expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 0 });
    expect(await houseBalance(stack, "WITHDRAWALS")).toBe(before);
  });

  test("when Stripe refuses the payout and fails while the transfer is fetched back, the answer is the same", async () => {
    const ana = await player();
    const busy = { kind: "error", status: 429, stored: false, times: null };
    await control(stack, "POST /faults", { ...busy, method: "POST", path: "/v1/payouts" });
    await control(stack, "POST /faults", {
      kind: "disconnect",
      method: "GET",
      path: "/v1/transfers/*",
      times: null,
    });
    const key = crypto.randomUUID();
    const { status, body } = await withdraw(ana, {}, key);
    expect([status, body.error.code]).toEqual([503, "payment_provider_unavailable"]);
    expect(await walletOf(stack, ana.id)).toMatchObject({ balance: 5000, held: 0 });
    await control(stack, "DELETE /faults");
    expect((await withdraw(ana, {}, key)).body.withdrawal.status).toBe("PROCESSING");
  });
});
