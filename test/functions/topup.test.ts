import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import { scaled } from "../support/scale.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, signUp, testStack } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { violations, walletOf } from "../support/wallets.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({
    STRIPE_TIMEOUT_MS: "700",
    RETURN_URL_ORIGINS: "https://shop.example,http://localhost:*",
  });
  await stack.sql`update app.rate_limits set burst = 1000 where class in ('money', 'verify')`;
});
afterEach(async () => {
  await control(stack, "DELETE /faults");
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

const topUp = (
  person: Person,
  body: Record<string, unknown> = {},
  key: string = crypto.randomUUID(),
) =>
  call(stack, "POST", "/topup", {
    token: person.token,
    body: { amount_cents: 1000, ...body },
    headers: { "idempotency-key": key },
  });
const read = async (person: Person, id: string) =>
  (await call(stack, "GET", `/topup/${id}`, { token: person.token })).body.topup;
const verify = (person: Person, id: string) =>
  call(stack, "POST", `/topup/${id}/verify`, { token: person.token });
const sessionOf = (body: { checkout_url: string }) => body.checkout_url.split("/").pop()!;
const requests = async (path: string) =>
  (await control(stack, `GET /requests?method=POST&path=${path}`)).requests;

describe("paying", () => {
  test("on Stripe's page credits the wallet once the webhook has come", async () => {
    const ana = await signUp(stack);
    const { status, body } = await topUp(ana, { success_url: "https://shop.example/paid?x=1" });
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(["checkout_url", "topup"]);
    expect(body.topup).toMatchObject({
      status: "PROCESSING",
      amount_cents: 1000,
      currency: "EUR",
      completed_at: null,
    });
    expect((await walletOf(stack, ana.id)).balance).toBe(0);

    await control(stack, `POST /sessions/${sessionOf(body)}/pay`);
    await flushWebhooks(stack);
    expect(await read(ana, body.topup.id)).toMatchObject({ status: "COMPLETED" });
    expect((await walletOf(stack, ana.id)).balance).toBe(1000);
  });

  test("by a PaymentIntent: another card after a declined one, one credit", async () => {
    const ana = await signUp(stack);
    const { body } = await topUp(ana, { method: "payment_intent", currency: "JPY" });
    expect(body.payment).toMatchObject({ provider: "stripe" });
    expect(body.payment.client_secret).toContain(body.payment.payment_intent_id);
    const intent = body.payment.payment_intent_id;

    await control(stack, `POST /payment_intents/${intent}/fail`, { code: "insufficient_funds" });
    await flushWebhooks(stack);
    expect(await read(ana, body.topup.id)).toMatchObject({
      status: "FAILED",
      failure_code: "insufficient_funds",
    });
    await control(stack, `POST /payment_intents/${intent}/succeed`);
    await flushWebhooks(stack);
    expect(await read(ana, body.topup.id)).toMatchObject({ status: "COMPLETED" });
    expect((await walletOf(stack, ana.id, "JPY")).balance).toBe(1000);
  });

  test("a page that nobody paid on ends the top-up when it expires", async () => {
    const ana = await signUp(stack);
    const { body } = await topUp(ana);
    await control(stack, `POST /sessions/${sessionOf(body)}/expire`);
    await flushWebhooks(stack);
    expect(await read(ana, body.topup.id)).toMatchObject({
      status: "CANCELLED",
      failure_code: "expired",
    });
    expect((await walletOf(stack, ana.id)).balance).toBe(0);
  });

  test("verify applies what a lost webhook would have told; repeating it changes nothing", async () => {
    const ana = await signUp(stack);
    const { body } = await topUp(ana);
    await control(stack, "POST /webhooks/rules", { kind: "drop", times: null });
    try {
      await control(stack, `POST /sessions/${sessionOf(body)}/pay`);
      expect((await read(ana, body.topup.id)).status).toBe("PROCESSING");
      for (let time = 0; time < 3; time++) {
        const answer = await verify(ana, body.topup.id);
        expect([answer.status, answer.body.topup.status]).toEqual([200, "COMPLETED"]);
      }
      expect((await walletOf(stack, ana.id)).balance).toBe(1000);
    } finally {
      await control(stack, "DELETE /webhooks/rules");
    }
  });

  test("somebody else's top-up is neither read nor verified", async () => {
    const [ana, ben] = [await signUp(stack), await signUp(stack)];
    const { body } = await topUp(ana);
    for (
      const answer of [
        await call(stack, "GET", `/topup/${body.topup.id}`, { token: ben.token }),
        await verify(ben, body.topup.id),
        await verify(ben, crypto.randomUUID()),
      ]
    ) {
      expect([answer.status, answer.body.error.code]).toEqual([404, "topup_not_found"]);
    }
    const list = await call(stack, "GET", "/topup", { token: ben.token });
    expect(list.body).toEqual({ items: [], total: 0 });
  });

  test("one's own are listed, newest first", async () => {
    const ana = await signUp(stack);
    const ids = [];
    for (let n = 0; n < 3; n++) ids.unshift((await topUp(ana)).body.topup.id);
    const { body } = await call(stack, "GET", "/topup?skip=1&limit=1", { token: ana.token });
    expect([body.total, body.items.length, body.items[0].id]).toEqual([3, 1, ids[1]]);
    for (const query of ["limit=101", "limit=0", "skip=-1", "limit=x", "page=1"]) {
      const refused = await call(stack, "GET", `/topup?${query}`, { token: ana.token });
      expect([query, refused.status]).toEqual([query, 422]);
    }
  });
});

describe("bad input", () => {
  test.each([
    0,
    -1,
    1.5,
    "100",
    1e308,
    2 ** 53,
    2 ** 63,
    null,
    true,
    [100],
    99,
    1_000_001,
  ])("the amount %s is refused", async (amount_cents) => {
    const ana = await signUp(stack);
    const answer = await topUp(ana, { amount_cents });
    expect([answer.status, answer.body.error.code]).toEqual([422, "request_invalid"]);
    expect(answer.body.error.details.issues[0].path).toBe("amount_cents");
    expect(await stack.sql`select from public.wallet_topups where user_id = ${ana.id}`)
      .toHaveLength(0);
  });

  test("so are an unknown currency, a field too many, and no key, and nothing is written", async () => {
    const ana = await signUp(stack);
    for (
      const body of [
        { currency: "XXX" },
        { currency: "eur" },
        { status: "COMPLETED" },
        { user_id: ana.id },
        { method: "cash" },
      ]
    ) {
      const answer = await topUp(ana, body);
      expect([answer.status, answer.body.error.code]).toEqual([422, "request_invalid"]);
      expect(answer.body.error.details.issues[0].path).toBe(Object.keys(body)[0]);
    }
    const keyless = await call(stack, "POST", "/topup", {
      token: ana.token,
      body: { amount_cents: 1000 },
    });
    expect([keyless.status, keyless.body.error.code]).toEqual([400, "idempotency_key_required"]);
    expect(await stack.sql`select from public.wallet_topups where user_id = ${ana.id}`)
      .toHaveLength(0);
  });

  test.each([
    "https://evil.example/",
    "https://shop.example.evil.example/",
    "https://shop.example@evil.example/",
    "https://user@shop.example/",
    "https://shop.example:8443/",
    "http://shop.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://localhost.evil.example/",
    "//shop.example/",
  ])("nobody is sent to %s", async (address) => {
    const ana = await signUp(stack);
    for (const field of ["success_url", "cancel_url"]) {
      const answer = await topUp(ana, { [field]: address });
      expect(answer.status).toBe(422);
      expect(["return_url_not_allowed", "request_invalid"]).toContain(answer.body.error.code);
    }
    expect(await stack.sql`select from public.wallet_topups where user_id = ${ana.id}`)
      .toHaveLength(0);
  });
});

describe("who may", () => {
  const refusal = async (ana: Person, change: Promise<unknown>) => {
    await change;
    return (await topUp(ana)).body.error?.code;
  };

  test("not the suspended, the self-excluded, or those whose address is not verified", async () => {
    const { sql } = stack;
    const [ana, ben, cleo] = [
      await signUp(stack),
      await signUp(stack),
      await signUp(stack, { confirmed: false }),
    ];
    expect(
      await refusal(ana, sql`update public.profiles set status = 'SUSPENDED' where id = ${ana.id}`),
    ).toBe("account_suspended");
    const excluded = call(stack, "POST", "/account/self-exclusion", {
      token: ben.token,
      body: { days: 1 },
    });
    expect(await refusal(ben, excluded)).toBe("self_excluded");
    expect(await refusal(cleo, Promise.resolve())).toBe("email_unverified");
  });

  test("not beyond one's own deposit limit: what is under way counts, what ended unpaid does not", async () => {
    const ana = await signUp(stack);
    const limit = (amount_cents: number) =>
      call(stack, "PUT", "/account/limits", {
        token: ana.token,
        body: { kind: "deposit", period: "week", amount_cents, currency: "EUR" },
      });
    await limit(2500);
    const first = await topUp(ana);
    await topUp(ana);
    const third = await topUp(ana);
    expect([third.status, third.body.error.code]).toEqual([403, "deposit_limit_reached"]);
    expect(third.body.error.details).toEqual({
      period: "week",
      currency: "EUR",
      limit_cents: 2500,
      remaining_cents: 500,
    });
    expect((await topUp(ana, { currency: "USD" })).status).toBe(201);
    await limit(5000); // takes effect tomorrow
    expect((await topUp(ana)).status).toBe(403);

    await control(stack, `POST /sessions/${sessionOf(first.body)}/expire`);
    await flushWebhooks(stack);
    expect((await topUp(ana)).status).toBe(201);
  });

  test("of 20 deposits at once no more than the limit allows", async () => {
    const ana = await signUp(stack);
    await call(stack, "PUT", "/account/limits", {
      token: ana.token,
      body: { kind: "deposit", period: "day", amount_cents: 3500, currency: "EUR" },
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => topUp(ana)));
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(3);
    expect(answers.filter(({ body }) => body.error?.code === "deposit_limit_reached")).toHaveLength(
      17,
    );
  });

  test("not more than ten a minute; the eleventh is told when", async () => {
    await stack.sql`update app.rate_limits set burst = 10 where class = 'money'`;
    const ana = await signUp(stack);
    const statuses = [];
    for (let n = 0; n < 11; n++) statuses.push((await topUp(ana)).status);
    await stack.sql`update app.rate_limits set burst = 1000 where class = 'money'`;
    expect(statuses).toEqual([...Array(10).fill(201), 429]);
  });
});

describe("the same key", () => {
  test("gives the same answer, asks Stripe once, and is refused for another body", async () => {
    const ana = await signUp(stack);
    const key = crypto.randomUUID();
    const first = await topUp(ana, {}, key);
    const again = await topUp(ana, {}, key);
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const other = await topUp(ana, { amount_cents: 2000 }, key);
    expect([other.status, other.body.error.code]).toEqual([409, "idempotency_key_reused"]);
    expect(await stack.sql`select from public.wallet_topups where user_id = ${ana.id}`)
      .toHaveLength(1);
  });

  test.each([
    [
      "declines",
      {
        kind: "error",
        status: 402,
        error: { type: "card_error", code: "card_declined", message: "Declined." },
      },
      402,
      "card_declined",
    ],
    [
      "is down",
      { kind: "error", status: 500, when: "before", times: 3 },
      503,
      "payment_provider_unavailable",
    ],
    [
      "fails after the work",
      { kind: "error", status: 500, when: "after", times: 3 },
      503,
      "payment_provider_unavailable",
    ],
    ["hangs up", { kind: "disconnect", times: 3 }, 503, "payment_provider_unavailable"],
    [
      "never answers",
      { kind: "hang", times: 3 },
      503,
      "payment_provider_unavailable",
    ],
    [
      "takes no more calls",
      { kind: "error", status: 429, when: "before", times: 3 },
      503,
      "payment_provider_unavailable",
    ],
  ])(
    "can be tried again when Stripe %s: one top-up, one payment, one credit",
    async (_, fault, status, code) => {
      const ana = await signUp(stack);
      const key = crypto.randomUUID();
      await control(stack, "POST /faults", {
        ...fault,
        method: "POST",
        path: "/v1/payment_intents",
      });
      const failed = await topUp(ana, { method: "payment_intent" }, key);
      expect([failed.status, failed.body.error.code]).toEqual([status, code]);
      await control(stack, "DELETE /faults");

      const again = await topUp(ana, { method: "payment_intent" }, key);
      expect(again.status).toBe(201);
      const rows = await stack.sql`select * from public.wallet_topups where user_id = ${ana.id}`;
      expect(rows).toHaveLength(1);
      expect(rows[0].provider_txn_id).toBe(again.body.payment.payment_intent_id);
      const made = (await fetch(`${stack.services.stripeUrl}/v1/payment_intents?limit=100`, {
        headers: { authorization: "Bearer sk_test_x" },
      }).then((answer) => answer.json())).data
        .filter((one: { metadata: { topup_id: string } }) => one.metadata.topup_id === rows[0].id);
      expect(made).toHaveLength(1);

      await control(stack, `POST /payment_intents/${again.body.payment.payment_intent_id}/succeed`);
      await flushWebhooks(stack);
      expect((await walletOf(stack, ana.id)).balance).toBe(1000);
    },
  );

  test.each([
    ["hangs up", { kind: "disconnect" }],
    ["fails", { kind: "error", status: 500, when: "after" }],
  ])(
    "charges a card once when Stripe %s after charging it, even if the webhook comes before the retry",
    async (_, fault) => {
      const ana = await signUp(stack);
      const key = crypto.randomUUID();
      const body = { payment_method: "pm_card_visa" };
      await control(stack, "POST /faults", {
        ...fault,
        times: 2,
        method: "POST",
        path: "/v1/payment_intents",
      });
      expect((await topUp(ana, body, key)).status).toBe(503);
      await flushWebhooks(stack);
      expect((await walletOf(stack, ana.id)).balance).toBe(1000);
      await control(stack, "DELETE /faults");

      const again = await topUp(ana, body, key);
      expect([again.status, again.body.topup.status]).toEqual([201, "COMPLETED"]);
      expect((await topUp(ana, body, key)).body).toEqual(again.body);
      await flushWebhooks(stack);
      expect((await walletOf(stack, ana.id)).balance).toBe(1000);
      expect(await stack.sql`select from public.wallet_topups where user_id = ${ana.id}`)
        .toHaveLength(1);
    },
  );

  test("twenty times at once: one top-up, one question to Stripe, twenty identical answers", async () => {
    for (let round = 0; round < scaled(100, 200); round++) {
      const ana = await signUp(stack);
      const key = crypto.randomUUID();
      await control(stack, "DELETE /requests");
      const answers = await Promise.all(Array.from({ length: 20 }, () => topUp(ana, {}, key)));
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      expect(await stack.sql`select from public.wallet_topups where user_id = ${ana.id}`)
        .toHaveLength(1);
      expect(await requests("/v1/checkout/sessions")).toHaveLength(1);
    }
  });
});

describe("cards", () => {
  const cardsOf = async (person: Person) =>
    (await call(stack, "GET", "/cards", { token: person.token })).body;
  const pay = (person: Person, payment_method: string, body = {}, key?: string) =>
    topUp(person, { payment_method, ...body }, key);

  test("one that was saved is listed, charged again without a page, and forgotten", async () => {
    const ana = await signUp(stack);
    expect(await cardsOf(ana)).toEqual({ items: [], total: 0 });
    const { body } = await topUp(ana, { save_card: true });
    await control(stack, `POST /sessions/${sessionOf(body)}/pay`);
    const { items: [card], total } = await cardsOf(ana);
    expect([total, card]).toEqual([
      1,
      { id: card.id, brand: "visa", last4: "4242", exp_month: 12, exp_year: 2034 },
    ]);

    expect((await pay(ana, card.id)).status).toBe(201);
    await flushWebhooks(stack);
    expect((await walletOf(stack, ana.id)).balance).toBe(2000);
    const forget = () => call(stack, "DELETE", `/cards/${card.id}`, { token: ana.token });
    expect((await forget()).body).toEqual({ deleted: true });
    expect((await forget()).body.error.code).toBe("card_not_found");
    expect((await cardsOf(ana)).total).toBe(0);
  });

  test("somebody else's are not listed, charged or forgotten", async () => {
    const [ana, ben] = [await signUp(stack), await signUp(stack)];
    for (const person of [ana, ben]) {
      const saved = await pay(person, "pm_card_visa", { save_card: true });
      expect(saved.status).toBe(201);
    }
    const [card] = (await cardsOf(ana)).items;
    expect((await cardsOf(ben)).items.map(({ id }: { id: string }) => id)).not.toContain(card.id);
    const charged = await pay(ben, card.id);
    expect([charged.status, charged.body.error.details?.issues[0].path]).toEqual([
      422,
      "payment_method",
    ]);
    const forgotten = await call(stack, "DELETE", `/cards/${card.id}`, { token: ben.token });
    expect([forgotten.status, forgotten.body.error.code]).toEqual([404, "card_not_found"]);
    expect((await cardsOf(ana)).total).toBe(1);
  });

  test("one that is charged after a decline is charged once for a key, though that answer was lost and the decline is told late", async () => {
    const ana = await signUp(stack);
    const key = crypto.randomUUID();
    const pay = () => topUp(ana, { payment_method: "pm_card_visa" }, key);
    const confirm = { method: "POST", path: "/v1/payment_intents/*/confirm" };
    await control(stack, "POST /webhooks/rules", {
      kind: "drop",
      type: "payment_intent.succeeded",
      times: null,
    });
    await control(stack, "POST /webhooks/pause");
    await control(stack, "POST /faults", { kind: "decline" });
    expect((await pay()).status).toBe(402);
    await control(stack, "POST /faults", { kind: "error", status: 500, when: "after", ...confirm });
    expect((await pay()).status).toBe(503);
    await control(stack, "POST /webhooks/resume");
    await flushWebhooks(stack);
    await pay();
    const { events } = await control(stack, "GET /events?type=payment_intent.succeeded");
    const charged = events.filter((event: { data: { object: { amount: number } } }) =>
      event.data.object.amount === 1000
    );
    await control(stack, "DELETE /webhooks/rules");
    for (const { id } of charged) await control(stack, `POST /events/${id}/resend`);
    await flushWebhooks(stack);
    expect((await walletOf(stack, ana.id)).balance).toBe(1000);
  });

  test("one that is charged while the sweeper gives the top-up up is charged once for a key", async () => {
    const ana = await signUp(stack);
    const key = crypto.randomUUID();
    const pay = () => topUp(ana, { payment_method: "pm_card_visa" }, key);
    const create = { method: "POST", path: "/v1/payment_intents" };
    await control(stack, "POST /faults", { kind: "error", status: 500, when: "before", ...create });
    expect((await pay()).status).toBe(503);
    await stack.sql`update public.wallet_topups set check_at = now() where user_id = ${ana.id}`;
    await control(stack, "POST /faults", { kind: "delay", ms: 500, ...create });
    const paying = pay();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await call(stack, "POST", "/reconcile/sweep", { token: keys.scheduler_secret });
    await paying;
    await stack.sql`update app.idempotency_keys set leased_until = now() where answer is null`;
    await pay();
    await flushWebhooks(stack);
    expect((await walletOf(stack, ana.id)).balance).toBe(1000);
  });

  test("one that is declined is 402, costs nothing, and may be tried again with the same key", async () => {
    const ana = await signUp(stack);
    const key = crypto.randomUUID();
    const declined = "pm_card_chargeDeclinedInsufficientFunds";
    for (let time = 0; time < 2; time++) {
      const answer = await pay(ana, declined, {}, key);
      expect([answer.status, answer.body.error]).toMatchObject([402, {
        code: "card_declined",
        details: { decline_code: "insufficient_funds" },
      }]);
    }
    await flushWebhooks(stack);
    expect((await walletOf(stack, ana.id)).balance).toBe(0);
    const other = await pay(ana, "pm_card_visa");
    await flushWebhooks(stack);
    expect([other.status, (await walletOf(stack, ana.id)).balance]).toEqual([201, 1000]);
  });
});
