import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { draft, raffle } from "../support/raffles.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, signUp, testStack } from "../support/stack.ts";
import { scaled } from "../support/scale.ts";
import { control, deliver, eventBody, flushWebhooks } from "../support/stripe.ts";
import { runScheduled, stripeClient } from "../support/payments.ts";
import { fund, houseBalance, violations, walletOf } from "../support/wallets.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({ STRIPE_TIMEOUT_MS: "700" });
  await stack.sql`update app.rate_limits set burst = 1000 where class in ('money', 'verify')`;
});
afterEach(async () => {
  await control(stack, "DELETE /faults");
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

async function player(cents = 0): Promise<Person> {
  const person = await signUp(stack);
  await stack.sql`update public.profiles set birth_date = '1990-01-01' where id = ${person.id}`;
  if (cents > 0) await fund(stack, person.id, cents);
  return person;
}

const post = (person: Person, path: string, body: unknown, key: string = crypto.randomUUID()) =>
  call(stack, "POST", path, { token: person.token, body, headers: { "idempotency-key": key } });
const buy = (person: Person, body: Record<string, unknown>, key?: string) =>
  post(person, "/purchase", { payment_method: "wallet", quantity: 1, ...body }, key);
const byCard = (person: Person, raffle_id: string, body = {}, key?: string) =>
  buy(person, { raffle_id, payment_method: "card", ...body }, key);
const read = async (person: Person, id: string) =>
  (await call(stack, "GET", `/purchase/${id}`, { token: person.token })).body;
const expire = async (id: string) => {
  await stack.sql`update public.purchases set expires_at = now() where id = ${id}`;
  await stack.sql`select app.expire_purchases()`;
};

describe("by wallet", () => {
  test("the answer is as the contract says", async () => {
    const ana = await player(2000);
    const raffle_id = await raffle(stack);
    const { status, body } = await buy(ana, { raffle_id, quantity: 2 });
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(["purchase", "tickets", "wallet"]);
    expect(body.purchase).toMatchObject({ raffle_id, status: "CONFIRMED", amount_cents: 1000 });
    expect(body.tickets).toEqual([
      { id: expect.any(Number), ticket_num: 1 },
      { id: expect.any(Number), ticket_num: 2 },
    ]);
    expect(body.wallet).toEqual({ balance_cents: 1000, available_cents: 1000, currency: "EUR" });
    expect(await read(ana, body.purchase.id)).toEqual({
      purchase: body.purchase,
      tickets: body.tickets,
    });
    const list = await call(stack, "GET", "/purchase", { token: ana.token });
    expect(list.body).toMatchObject({ total: 1, items: [{ id: body.purchase.id }] });
    const mine = await clientFor(stack, ana.token).from("tickets").select().order("ticket_num");
    expect(mine.data?.map((ticket) => ticket.ticket_num)).toEqual([1, 2]);
  });

  test("price, amount, currency and user in the body are refused", async () => {
    const ana = await player(2000);
    const raffle_id = await raffle(stack);
    for (
      const field of [
        "amount_cents",
        "ticket_price_cents",
        "price",
        "currency",
        "user_id",
        "status",
      ]
    ) {
      const { status, body } = await buy(ana, { raffle_id, [field]: 1 });
      expect([status, body.error.details.issues[0].path]).toEqual([422, field]);
    }
    for (
      const wrong of [
        { quantity: 1.5 },
        { quantity: "1" },
        { quantity: null },
        { quantity: undefined },
        { numbers: [] },
        { payment_method: "cash" },
        { type: "BOOST" },
        { ticket_id: 1 },
      ]
    ) {
      expect((await buy(ana, { raffle_id, ...wrong })).status).toBe(422);
    }
    expect((await walletOf(stack, ana.id)).balance).toBe(2000);
  });

  test("each refusal has its code", async () => {
    const ana = await player(2000);
    const raffle_id = await raffle(stack, { tickets_required: 3, max_per_user: 3 });
    const refusals = [
      [{ raffle_id: crypto.randomUUID() }, 404, "raffle_not_found"],
      [{ raffle_id, quantity: 4 }, 409, "raffle_sold_out"],
      [{ raffle_id, quantity: 0 }, 422, "quantity_out_of_range"],
      [{ raffle_id, quantity: 101 }, 422, "quantity_out_of_range"],
    ] as const;
    for (const [body, status, code] of refusals) {
      const answer = await buy(ana, body);
      expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    }
    expect((await buy(ana, { raffle_id, quantity: 4 })).body.error.details).toEqual({
      remaining: 3,
    });
    const dear = await raffle(stack, { ticket_price_cents: 2001 });
    expect((await buy(ana, { raffle_id: dear })).body.error.code).toBe("balance_insufficient");
    const minor = await signUp(stack);
    expect((await buy(minor, { raffle_id })).body.error.code).toBe("age_restricted");
    const pick = await raffle(stack, { numbering: "PICK" });
    await buy(ana, { raffle_id: pick, quantity: undefined, numbers: [7] });
    const taken = await buy(ana, { raffle_id: pick, quantity: undefined, numbers: [7, 8] });
    expect([taken.status, taken.body.error]).toMatchObject([409, {
      code: "number_taken",
      details: { numbers: [7] },
    }]);
  });

  test("fifty who want the last ticket at once: one has it, the others hear that it is sold out", async () => {
    const people = await Promise.all(Array.from({ length: 50 }, () => player(1000)));
    for (let round = 0; round < scaled(2, 100); round++) {
      const lanes = round % 2 ? 4 : 1;
      const terms = { tickets_required: lanes, lanes, ticket_price_cents: 10 };
      const raffle_id = await raffle(stack, terms);
      if (lanes > 1) await buy(people[round % 50], { raffle_id, quantity: lanes - 1 });
      const answers = await Promise.all(people.map((person) => buy(person, { raffle_id })));
      const heard = answers.map(({ status, body }) =>
        status === 201
          ? `201 ${body.tickets.length}`
          : `${status} ${body.error.code} ${body.error.details.remaining}`
      );
      expect(heard.sort()).toEqual(["201 1", ...Array(49).fill("409 raffle_sold_out 0")]);
      const { body } = await call(stack, "GET", `/raffles/${raffle_id}`);
      expect(body).toMatchObject({ state: "FULL", tickets_sold: lanes, tickets_remaining: 0 });
    }
  });

  test("own purchases are listed newest first, in pages; nobody else's are", async () => {
    const [ana, ben] = [await player(2000), await player(2000)];
    const raffle_id = await raffle(stack);
    await buy(ben, { raffle_id });
    const ids: string[] = [];
    for (const _ of [1, 2, 3]) ids.unshift((await buy(ana, { raffle_id })).body.purchase.id);
    const list = async (query: string) =>
      (await call(stack, "GET", `/purchase${query}`, { token: ana.token })).body;
    const listed = async (query: string) =>
      (await list(query)).items.map(({ id }: { id: string }) => id);
    expect(await listed("")).toEqual(ids);
    expect(await listed("?skip=1&limit=1")).toEqual([ids[1]]);
    expect((await list("?limit=1")).total).toBe(3);
  });

  test("whoever buys or redeems more than ten times a minute is told when to come back", async () => {
    await stack.sql`update app.rate_limits set burst = 10 where class = 'money'`;
    const raffle_id = await raffle(stack, { ticket_price_cents: 100 });
    for (const payment_method of ["wallet", "card"]) {
      const ana = await player(10_000);
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => buy(ana, { raffle_id, payment_method })),
      );
      const refused = answers.filter(({ status }) => status !== 201);
      expect(refused.map(({ status, body }) => [status, body.error.code]))
        .toEqual(Array(2).fill([429, "rate_limited"]));
      expect(Number(refused[0].headers.get("retry-after"))).toBeGreaterThan(0);
      const redeeming = await post(ana, "/redeem-ticket", { purchase_id: crypto.randomUUID() });
      expect(redeeming.status).toBe(429);
    }
    await stack.sql`update app.rate_limits set burst = 1000 where class = 'money'`;
  });

  test("somebody else's purchase is neither read, verified nor redeemed", async () => {
    const [ana, ben] = [await player(2000), await player()];
    const { body } = await buy(ana, { raffle_id: await raffle(stack), redeem: false });
    const { id } = body.purchase;
    for (
      const answer of [
        await call(stack, "GET", `/purchase/${id}`, { token: ben.token }),
        await call(stack, "POST", `/purchase/${id}/verify`, { token: ben.token }),
        await post(ben, "/redeem-ticket", { purchase_id: id }),
      ]
    ) expect([answer.status, answer.body.error.code]).toEqual([404, "purchase_not_found"]);
    const redeemed = await post(ana, "/redeem-ticket", { purchase_id: id });
    expect([redeemed.status, redeemed.body.tickets.length]).toEqual([201, 1]);
    const again = await post(ana, "/redeem-ticket", { purchase_id: id });
    expect(again.body.error.code).toBe("purchase_already_redeemed");
  });
});

describe("by card", () => {
  test("the seats are kept, and the tickets issued once it is paid", async () => {
    const ana = await player();
    const raffle_id = await raffle(stack);
    const { status, body } = await byCard(ana, raffle_id, { quantity: 2 });
    expect(status).toBe(201);
    expect(body.purchase).toMatchObject({ status: "PENDING", redeemed: false });
    expect(Date.parse(body.purchase.expires_at) - Date.parse(body.purchase.created_at)).toBeCloseTo(
      900_000,
      -4,
    );
    expect(body.payment.client_secret).toContain(body.payment.payment_intent_id);
    const shown = async () =>
      (await call(stack, "GET", `/raffles/${raffle_id}`)).body.tickets_remaining;
    expect(await shown()).toBe(98);

    await control(stack, `POST /payment_intents/${body.payment.payment_intent_id}/succeed`);
    await flushWebhooks(stack);
    const after = await read(ana, body.purchase.id);
    expect(after.purchase).toMatchObject({ status: "CONFIRMED", redeemed: true, expires_at: null });
    expect(after.tickets).toHaveLength(2);
    const told = await stack
      .sql`select from app.outbox where user_id = ${ana.id} and event = 'purchase_confirmed'`;
    expect(told).toHaveLength(1);
  });

  test("a declined card leaves the seats; another one is taken", async () => {
    const ana = await player();
    const { body } = await byCard(ana, await raffle(stack));
    const intent = body.payment.payment_intent_id;
    await control(stack, `POST /payment_intents/${intent}/fail`, { code: "lost_card" });
    await flushWebhooks(stack);
    expect((await read(ana, body.purchase.id)).purchase).toMatchObject({
      status: "PENDING",
      failure_code: "lost_card",
    });
    await control(stack, `POST /payment_intents/${intent}/succeed`);
    await flushWebhooks(stack);
    expect((await read(ana, body.purchase.id)).purchase.status).toBe("CONFIRMED");
  });

  test("a declined card frees its seats when the reservation expires, not before", async () => {
    const ana = await player();
    const raffle_id = await raffle(stack, { tickets_required: 1 });
    const { body } = await byCard(ana, raffle_id);
    await control(stack, `POST /payment_intents/${body.payment.payment_intent_id}/fail`, {});
    await flushWebhooks(stack);
    await stack.sql`select app.expire_purchases()`;
    expect((await byCard(ana, raffle_id)).body.error.code).toBe("raffle_sold_out");
    await expire(body.purchase.id);
    expect((await read(ana, body.purchase.id)).purchase.status).toBe("EXPIRED");
    expect((await byCard(ana, raffle_id)).status).toBe(201);
  });

  test("verify applies what a lost webhook would have told", async () => {
    const ana = await player();
    const { body } = await byCard(ana, await raffle(stack));
    await control(stack, "POST /webhooks/rules", { kind: "drop", times: null });
    await control(stack, `POST /payment_intents/${body.payment.payment_intent_id}/succeed`);
    for (let time = 0; time < 3; time++) {
      const answer = await call(stack, "POST", `/purchase/${body.purchase.id}/verify`, {
        token: ana.token,
      });
      expect([answer.status, answer.body.purchase.status, answer.body.tickets.length])
        .toEqual([200, "CONFIRMED", 1]);
    }
    await control(stack, "DELETE /webhooks/rules");
  });

  test("an expired reservation frees the seats, and its payment is cancelled at Stripe", async () => {
    const ana = await player();
    const raffle_id = await raffle(stack, { tickets_required: 1 });
    const { body } = await byCard(ana, raffle_id);
    expect((await byCard(ana, raffle_id)).body.error.code).toBe("raffle_sold_out");
    await expire(body.purchase.id);
    expect((await read(ana, body.purchase.id)).purchase.status).toBe("EXPIRED");
    await runScheduled(stack, "/reconcile/sweep");
    const intent = await stripeClient(stack).paymentIntents.retrieve(
      body.payment.payment_intent_id,
    );
    expect(intent.status).toBe("canceled");
    expect((await byCard(ana, raffle_id)).status).toBe(201);
  });

  test("a payment that was only said to be cancelled cannot be paid any more", async () => {
    const { body } = await byCard(await player(), await raffle(stack));
    const stripe = stripeClient(stack);
    const intent = await stripe.paymentIntents.retrieve(body.payment.payment_intent_id);
    await stack.sql`select app.apply_stripe_object(${
      stack.sql.json({ ...intent, status: "canceled" } as never)
    })`;
    await runScheduled(stack, "/reconcile/sweep");
    expect((await stripe.paymentIntents.retrieve(intent.id)).status).toBe("canceled");
  });

  const late = async (
    raffleTerms: Record<string, unknown>,
    meanwhile: (raffleId: string) => Promise<unknown>,
  ) => {
    const ana = await player();
    const raffle_id = await raffle(stack, raffleTerms);
    const { body } = await byCard(ana, raffle_id);
    await expire(body.purchase.id);
    await meanwhile(raffle_id);
    await control(stack, `POST /payment_intents/${body.payment.payment_intent_id}/succeed`);
    await flushWebhooks(stack);
    return { ana, id: body.purchase.id as string };
  };

  test("money that comes too late buys seats if there are some", async () => {
    const { ana, id } = await late({ tickets_required: 2 }, () => Promise.resolve());
    expect(await read(ana, id)).toMatchObject({
      purchase: { status: "CONFIRMED" },
      tickets: [{ id: expect.any(Number) }],
    });
  });

  test("and goes back to its card if there are none, and the buyer is told", async () => {
    const ben = await player(500);
    const { ana, id } = await late({ tickets_required: 1 }, (raffle_id) => buy(ben, { raffle_id }));
    expect((await read(ana, id)).purchase).toMatchObject({
      status: "REFUNDED",
      failure_code: "paid_too_late",
    });
    expect(await houseBalance(stack, "REFUNDS_DUE")).toBe(500);
    await control(stack, "POST /webhooks/pause");
    await runScheduled(stack, "/reconcile/sweep");
    // As if what Stripe answered had been lost.
    await stack.sql`update app.card_refunds set refund_id = null, check_at = now()
      where purchase_id = ${id}`;
    await runScheduled(stack, "/reconcile/sweep");
    expect(
      await stack.sql`select from app.card_refunds
      where purchase_id = ${id} and refund_id is not null and check_at is null`,
    ).toHaveLength(1);
    await control(stack, "POST /webhooks/resume");
    await flushWebhooks(stack);
    expect(await houseBalance(stack, "REFUNDS_DUE")).toBe(0);
    expect((await walletOf(stack, ana.id)).balance).toBe(0);
    const [{ count }] = await stack.sql`select count(*)::int from app.card_reversals r
      join public.purchases p on p.provider_txn_id = r.intent_id where p.id = ${id}`;
    expect(count).toBe(1);
    expect(
      await stack
        .sql`select from app.outbox where user_id = ${ana.id} and event = 'purchase_refunded'`,
    )
      .toHaveLength(1);
  });

  test("what cannot be sent back is in the buyer's wallet, and the buyer is told", async () => {
    const ben = await player(500);
    const { ana, id } = await late({ tickets_required: 1 }, (raffle_id) => buy(ben, { raffle_id }));
    await runScheduled(stack, "/reconcile/sweep");
    const [{ refund_id }] = await stack
      .sql`select refund_id from app.card_refunds where purchase_id = ${id}`;
    await control(stack, `POST /refunds/${refund_id}/fail`);
    await flushWebhooks(stack);
    expect((await walletOf(stack, ana.id)).balance).toBe(500);
    expect(await houseBalance(stack, "REFUNDS_DUE")).toBe(0);
    const told = await stack
      .sql`select from app.outbox where user_id = ${ana.id} and event = 'refund_to_wallet'`;
    expect(told).toHaveLength(1);
  });

  const statusesOf = (person: Person) =>
    stack.sql`select status, failure_code from public.purchases where user_id = ${person.id}`;
  const takenOf = async (raffle_id: string) =>
    (await stack.sql`select app.count_taken(${raffle_id}) as taken`)[0].taken;

  test.each([
    ["an amount below what Stripe takes", { ticket_price_cents: 10 }, null],
    ["whatever Stripe refuses for good", {}, { kind: "error", status: 400, times: 3 }],
  ])("%s frees the seats at once, and says what to change", async (_, terms, fault) => {
    const ana = await player(1000);
    const raffle_id = await raffle(stack, { tickets_required: 1, ...terms });
    const path = { method: "POST", path: "/v1/payment_intents" };
    if (fault) await control(stack, "POST /faults", { ...fault, ...path });
    const key = crypto.randomUUID();
    const { status, body } = await byCard(ana, raffle_id, {}, key);
    expect([status, body.error.code, body.error.details.issues]).toEqual([422, "request_invalid", [
      { path: "payment_method", message: "this amount cannot be paid by card" },
    ]]);
    expect(await statusesOf(ana)).toMatchObject([{ status: "FAILED" }]);
    expect(await takenOf(raffle_id)).toBe(0);
    expect((await buy(ana, { raffle_id })).status).toBe(201);
  });

  test("a card that is declined when the payment is made keeps its seats", async () => {
    const ana = await player();
    const raffle_id = await raffle(stack);
    const decline = { type: "card_error", code: "card_declined", decline_code: "lost_card" };
    await control(stack, "POST /faults", {
      kind: "error",
      status: 402,
      error: decline,
      method: "POST",
      path: "/v1/payment_intents",
    });
    const key = crypto.randomUUID();
    const { status, body } = await byCard(ana, raffle_id, {}, key);
    expect([status, body.error.code]).toEqual([402, "card_declined"]);
    expect(await statusesOf(ana)).toEqual([{ status: "PENDING", failure_code: "lost_card" }]);
    expect(await takenOf(raffle_id)).toBe(1);
    const again = await byCard(ana, raffle_id, {}, key);
    expect([again.status, again.body.purchase.failure_code]).toEqual([201, null]);
    expect(await statusesOf(ana)).toEqual([{ status: "PENDING", failure_code: null }]);
  });

  test.each([
    ["is down", { kind: "error", status: 500, when: "after", times: 3 }],
    ["hangs up", { kind: "disconnect", times: 3 }],
  ])("when Stripe %s the same key is tried again: one purchase, one payment", async (_, fault) => {
    const ana = await player();
    const raffle_id = await raffle(stack);
    const key = crypto.randomUUID();
    await control(stack, "POST /faults", { ...fault, method: "POST", path: "/v1/payment_intents" });
    const failed = await byCard(ana, raffle_id, {}, key);
    expect([failed.status, failed.body.error.code]).toEqual([503, "payment_provider_unavailable"]);
    await control(stack, "DELETE /faults");
    const again = await byCard(ana, raffle_id, {}, key);
    expect(again.status).toBe(201);
    expect((await byCard(ana, raffle_id, {}, key)).body).toEqual(again.body);
    const rows = await stack
      .sql`select provider_txn_id from public.purchases where user_id = ${ana.id}`;
    expect(rows).toEqual([{ provider_txn_id: again.body.payment.payment_intent_id }]);
    const { data: made } = await fetch(`${stack.services.stripeUrl}/v1/payment_intents?limit=100`, {
      headers: { authorization: "Bearer sk_test_x" },
    }).then((answer) => answer.json());
    const { id } = again.body.purchase;
    expect(
      made.filter(({ metadata }: { metadata: { purchase_id: string } }) =>
        metadata.purchase_id === id
      ),
    ).toHaveLength(1);
  });

  test("a webhook with another amount, currency or mode confirms nothing", async () => {
    const ana = await player();
    const { body } = await byCard(ana, await raffle(stack));
    const intent = {
      id: body.payment.payment_intent_id,
      object: "payment_intent",
      amount: 500,
      amount_received: 500,
      currency: "eur",
      livemode: false,
      status: "succeeded",
      metadata: {},
    };
    for (
      const change of [{ amount: 499, amount_received: 499 }, { amount_received: 1 }, {
        currency: "usd",
      }, { livemode: true }]
    ) {
      const answer = await deliver(
        stack,
        eventBody("payment_intent.succeeded", { ...intent, ...change }),
      );
      expect(answer.body.outcome).toBe("ignored");
    }
    expect((await read(ana, body.purchase.id)).purchase.status).toBe("PENDING");
    await stack
      .sql`update public.operator_alerts set resolved_at = now() where resolved_at is null`;
    expect((await deliver(stack, eventBody("payment_intent.succeeded", intent))).body.outcome).toBe(
      "applied",
    );
    expect((await read(ana, body.purchase.id)).purchase.status).toBe("CONFIRMED");
  });

  test("a chargeback after the tickets were issued is a debt; the tickets stay", async () => {
    const ana = await player();
    const { body } = await byCard(ana, await raffle(stack));
    const { payment_intent_id } = body.payment;
    await control(stack, `POST /payment_intents/${payment_intent_id}/succeed`);
    await flushWebhooks(stack);
    const opened = await control(stack, `POST /charges/${payment_intent_id}/dispute`);
    await flushWebhooks(stack);
    expect(await walletOf(stack, ana.id)).toEqual({
      balance: 0,
      held: 0,
      debt: 500,
      status: "SUSPENDED",
    });
    expect((await read(ana, body.purchase.id)).tickets).toHaveLength(1);
    await control(stack, `POST /disputes/${opened.id}/win`);
    await flushWebhooks(stack);
    expect(await walletOf(stack, ana.id)).toEqual({
      balance: 0,
      held: 0,
      debt: 0,
      status: "ACTIVE",
    });
  });

  test("after a cancelled raffle the buyer has the money in the wallet, or asks for it on the card", async () => {
    const operator = await signUp(stack, { roles: ["operator"] });
    const ana = await player();
    const raffle_id = await raffle(stack);
    const { body } = await byCard(ana, raffle_id);
    await control(stack, `POST /payment_intents/${body.payment.payment_intent_id}/succeed`);
    await flushWebhooks(stack);
    const staff = clientFor(stack, operator.token);
    const plan = await staff.rpc("cancel_raffle", { raffle_id, reason: "Rain" });
    expect(plan.data).toMatchObject({ dry_run: true, people: 1, tickets: 1, amount_cents: 500 });
    await staff.rpc("cancel_raffle", { raffle_id, reason: "Rain", dry_run: false });
    expect((await read(ana, body.purchase.id)).tickets).toEqual([
      { id: expect.any(Number), ticket_num: 1, voided: true },
    ]);
    expect((await walletOf(stack, ana.id)).balance).toBe(500);

    const refund = () =>
      clientFor(stack, ana.token).rpc("request_card_refund", { purchase_id: body.purchase.id });
    expect((await refund()).error).toBeNull();
    expect((await refund()).error?.message).toBe("refund_not_available");
    await runScheduled(stack, "/reconcile/sweep");
    await flushWebhooks(stack);
    expect((await walletOf(stack, ana.id)).balance).toBe(0);
    expect(await houseBalance(stack, "REFUNDS_DUE")).toBe(0);
  });
});

describe("the storefront", () => {
  test("lists what is published, filtered, searched, sorted and paged, without a session", async () => {
    const soon = new Date(Date.now() + 3_600_000);
    const word = `zeppelin${Date.now()}`;
    const first = await raffle(stack, { title: `A ${word} ride` });
    const hidden = await draft(stack, { title: `A ${word} draft` });
    expect((await call(stack, "GET", `/raffles/${hidden}`)).body.error.code)
      .toBe("raffle_not_found");
    const second = await raffle(stack, { title: `Two ${word} rides`, closes_at: soon });
    const ana = await player(5000);
    await buy(ana, { raffle_id: first, quantity: 3 });
    await stack.sql`select app.refresh_popular()`;
    const list = async (query: string) =>
      (await call(stack, "GET", `/raffles?search=${word}&${query}`)).body;
    const ids = async (query: string) =>
      (await list(query)).items.map(({ id }: { id: string }) => id);
    expect(await ids("sort=new")).toEqual([second, first]);
    expect(await ids("sort=ending")).toEqual([second, first]);
    expect(await ids("sort=popular")).toEqual([first, second]);
    expect(await ids("skip=1&limit=1")).toEqual([first]);
    expect((await list("limit=1")).total).toBe(2);
    expect(await ids("state=FULL")).toEqual([]);
    const [category] = await stack
      .sql`insert into public.raffle_categories (name, ticket_price_cents) values (${word}, 100) returning id`;
    const last = { title: `A last ${word}`, category_id: category.id, tickets_required: 1 };
    const third = await raffle(stack, last);
    expect(await ids(`category=${category.id}`)).toEqual([third]);
    expect(await ids(`category=${crypto.randomUUID()}`)).toEqual([]);
    await buy(ana, { raffle_id: third });
    expect(await ids("state=FULL")).toEqual([third]);
    expect(await ids("state=OPEN")).toEqual([second, first]);
    const listed = await call(stack, "GET", `/raffles?search=${word}`);
    expect(listed.headers.get("cache-control")).toMatch(/^public, max-age=\d+/);
    const known = { headers: { "if-none-match": listed.headers.get("etag")! } };
    expect((await call(stack, "GET", `/raffles?search=${word}`, known)).status).toBe(304);
    const [item] = (await list("sort=popular")).items;
    expect(item).toMatchObject({
      tickets_sold: 3,
      tickets_remaining: 97,
      prize: { title: "A bicycle" },
    });
    for (const query of ["limit=101", "skip=-1", "state=DRAFT", "sort=random", "category=1"]) {
      expect((await call(stack, "GET", `/raffles?${query}`)).status).toBe(422);
    }
  });

  test("is searched for a part of the text, as it is written, without case and accents", async () => {
    const mark = crypto.randomUUID().slice(0, 8);
    const titles = {
      plain: `Otter or beaver - 100% of "it" ${mark}`,
      percent: `Half_price \\ no discount ${mark}`,
      accents: `Ñandú y CAFÉ Straße ${mark}`.normalize("NFC"),
      apart: `Jalapeño Décor ${mark}`.normalize("NFD"),
    };
    const ids: Record<string, string> = {};
    for (const [name, title] of Object.entries(titles)) {
      ids[name] = await raffle(stack, { title, description: `About ${name}s, ${mark}` });
    }
    const found = async (search: string) => {
      const query = new URLSearchParams({ search, limit: "100" });
      const { items } = (await call(stack, "GET", `/raffles?${query}`)).body;
      return Object.keys(ids).filter((name) =>
        items.some((item: { id: string }) => item.id === ids[name])
      );
    };
    const all = Object.keys(titles);
    expect(await found(mark)).toEqual(all);
    expect(await found("ver - 100% of")).toEqual(["plain"]);
    expect(await found('"it"')).toEqual(["plain"]);
    expect(await found("100% of")).toEqual(["plain"]);
    expect(await found("half_PRICE \\")).toEqual(["percent"]);
    for (
      const nothing of [
        "otter jalap",
        "nandu or otter",
        "otter -beaver",
        "100%it",
        "o_ter",
        '"otter',
      ]
    ) {
      expect([nothing, await found(nothing)]).toEqual([nothing, []]);
    }
    for (const form of ["NFC", "NFD"]) {
      expect(await found("ñANDÚ Y café".normalize(form))).toEqual(["accents"]);
      expect(await found("jalapeño décor".normalize(form))).toEqual(["apart"]);
    }
    expect(await found("nandu y cafe strasse")).toEqual(["accents"]);
    expect(await found("JALAPENO")).toEqual(["apart"]);
    expect(await found(`about accentss, ${mark}`)).toEqual(["accents"]);
  });

  test("sorted by ending shows first what can still be bought", async () => {
    const word = `ending${Date.now()}`;
    const at = (hours: number) => new Date(Date.now() + hours * 3_600_000);
    const named = (name: string, hours: number, terms = {}) =>
      raffle(stack, { title: `${word} ${name}`, closes_at: at(hours), ...terms });
    const operator = clientFor(stack, (await signUp(stack, { roles: ["operator"] })).token);
    const cancelled = await named("cancelled", 1);
    await operator.rpc("cancel_raffle", { raffle_id: cancelled, reason: "Rain", dry_run: false });
    const full = await named("full", 2, { tickets_required: 1 });
    await buy(await player(500), { raffle_id: full });
    const over = await raffle(stack, {
      title: `${word} over`,
      closes_at: new Date(Date.now() + 300),
    });
    const later = await named("later", 4);
    const soon = await named("soon", 3);
    await new Promise((resolve) => setTimeout(resolve, 350));
    const { body } = await call(stack, "GET", `/raffles?search=${word}&sort=ending`);
    expect(body.items.map(({ id }: { id: string }) => id))
      .toEqual([soon, later, full, over, cancelled]);
  });

  test("one by id, with its terms; whoever has it already is told so", async () => {
    const id = await raffle(stack, { boost_price_cents: 100, boost_limit: 2 });
    const first = await call(stack, "GET", `/raffles/${id}`);
    expect(first.body).toMatchObject({
      id,
      state: "OPEN",
      terms: { boost_limit: 2, min_tickets: 1 },
    });
    expect(first.headers.get("cache-control")).toMatch(/^public, max-age=\d+/);
    const etag = first.headers.get("etag")!;
    const again = await call(stack, "GET", `/raffles/${id}`, {
      headers: { "if-none-match": etag },
    });
    expect([again.status, again.body]).toEqual([304, ""]);
    await buy(await player(500), { raffle_id: id });
    const changed = await call(stack, "GET", `/raffles/${id}`, {
      headers: { "if-none-match": etag },
    });
    expect(changed.status).toBe(200);
    for (const missing of [crypto.randomUUID()]) {
      const answer = await call(stack, "GET", `/raffles/${missing}`);
      expect([answer.status, answer.body.error.code]).toEqual([404, "raffle_not_found"]);
    }
  });

  test("by supabase-js: everyone reads, operators write, and nobody sells by table", async () => {
    const operator = clientFor(stack, (await signUp(stack, { roles: ["operator"] })).token);
    const prize = await operator.from("prizes").insert({
      title: "A boat",
      value_cents: 100_000,
      stock: 2,
    }).select().single();
    expect(prize.error).toBeNull();
    const made = await operator.from("raffles").insert({
      prize_id: prize.data!.id,
      ticket_price_cents: 250,
      tickets_required: 10,
      closes_at: new Date(Date.now() + 86_400_000).toISOString(),
    }).select().single();
    expect(made.error).toBeNull();
    const id = made.data!.id;
    expect((await clientFor(stack).from("raffles").select().eq("id", id)).data).toEqual([]);
    expect((await operator.rpc("publish_raffle", { raffle_id: id })).error).toBeNull();
    const seen = await clientFor(stack).from("raffles").select("id,state,tickets_sold").eq(
      "id",
      id,
    );
    expect(seen.data).toEqual([{ id, state: "OPEN", tickets_sold: 0 }]);
    for (const table of ["tickets", "purchases"] as const) {
      const { error } = await operator.from(table).insert({ raffle_id: id } as never);
      expect(error?.code).toBe("42501");
    }
    expect(
      (await operator.from("raffles").update({ state: "FULL" } as never).eq("id", id)).error?.code,
    ).toBe("42501");
    expect(
      (await operator.from("prizes").update({ stock: -1 }).eq("id", prize.data!.id)).error?.code,
    ).toBe("23514");
  });
});

test("sales are stopped and taken up again as docs/deploy.md says, by its own SQL", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/deploy.md", import.meta.url));
  const [stop, goOn] = /## Stopping sales[^]*?```sql\n([^]*?)```/.exec(page)![1].trim().split("\n");
  const ana = await player(5_000);
  const order = { raffle_id: await raffle(stack), quantity: 1, payment_method: "wallet" };
  await stack.sql.unsafe(stop);
  expect(await buy(ana, order)).toMatchObject({
    status: 403,
    body: { error: { code: "not_permitted" } },
  });
  await stack.sql.unsafe(goOn);
  expect((await buy(ana, order)).status).toBe(201);
});
