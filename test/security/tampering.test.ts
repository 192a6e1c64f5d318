// Price, amount, currency, quantity and identity, handed in wherever a request has room for them: what is
// charged, and whom, is what our own rows say.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { lostTicket } from "../support/draws.ts";
import { stripeClient } from "../support/payments.ts";
import { buy, player as playerIn, raffle } from "../support/raffles.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, testStack, tokenFor } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { violations, walletOf } from "../support/wallets.ts";
import { fingerprint } from "./fingerprint.ts";

let stack: TestStack;
let ana: Person;
let ben: Person;
let raffleId: string;
beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 100000`;
  [ana, ben] = [await player(10_000), await player(10_000)];
  raffleId = await raffle(stack, { boost_price_cents: 400, boost_limit: 2 });
  // Who may withdraw, so that it is the amount that is refused.
  await stack.sql`update public.profiles set kyc_status = 'VERIFIED', payout_account = 'acct_ana'
    where id = ${ana.id}`;
});
afterEach(async () => {
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

async function player(cents: number): Promise<Person> {
  const user = await playerIn(stack, cents);
  return { ...user, token: tokenFor(user.id) };
}

const post = (path: string, body: unknown, { token } = ana, headers: Record<string, string> = {}) =>
  call(stack, "POST", path, {
    token,
    ...(typeof body === "string" ? { raw: body } : { body }),
    headers: { "idempotency-key": crypto.randomUUID(), ...headers },
  });

async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await fingerprint(stack);
  const result = await work();
  expect(await fingerprint(stack)).toEqual(before);
  return result;
}

/** A good body of each endpoint that moves money, and the table of what it makes. */
const orders = (): [string, string, Record<string, unknown>][] => [
  ["/topup", "wallet_topups", { amount_cents: 1000 }],
  ["/withdraw", "wallet_withdrawals", { amount_cents: 1000 }],
  ["/purchase", "purchases", { raffle_id: raffleId, quantity: 1, payment_method: "wallet" }],
  ["/redeem-ticket", "tickets", { purchase_id: crypto.randomUUID() }],
];

test.each([0, 1, 2, 3])(
  "no column of a row's comes from the body that makes it (%#)",
  async (at) => {
    const [path, table, good] = orders()[at];
    const columns = await stack.superuser`select attname from pg_attribute
    where attrelid in (${`public.${table}`}::regclass, 'public.profiles'::regclass, 'public.raffles'::regclass,
      'public.wallet_accounts'::regclass) and attnum > 0 and not attisdropped`;
    const names = new Set([
      ...columns.map(({ attname }) => attname as string),
      ...["price", "unit_amount", "amount", "total", "discount", "coupon", "free", "fee_cents"],
      ...[
        "user",
        "userId",
        "on_behalf_of",
        "customer",
        "role",
        "roles",
        "sub",
        "is_admin",
        "livemode",
      ],
      ...["Amount_cents", "amount_cents ", "amount-cents", "amount_cents[]", "amount_cents.0"],
    ]);
    const ours = ["amount_cents", "currency", "method", "raffle_id", "quantity", "numbers", "type"]
      .concat("payment_method", "redeem", "ticket_id", "purchase_id");
    await changesNothing(async () => {
      for (const name of [...names].filter((one) => !ours.includes(one) || !isTaken(path, one))) {
        const { status, body } = await post(path, { ...good, [name]: 1 });
        expect([status, body.error.details.issues[0].path], name).toEqual([422, name]);
      }
    });
  },
);

/** What the endpoint does take; everything else of our words it refuses like any other. */
const isTaken = (path: string, name: string) =>
  ({
    "/topup": ["amount_cents", "currency", "method", "payment_method"],
    "/withdraw": ["amount_cents", "currency"],
    "/purchase": ["raffle_id", "quantity", "numbers", "type", "payment_method", "redeem"]
      .concat("ticket_id"),
    "/redeem-ticket": ["purchase_id", "numbers"],
  })[path]!.includes(name);

describe("a number", () => {
  const refused = [
    "-1",
    "-100",
    "0",
    "1e400",
    "-1e400",
    "100.5",
    "1e-2",
    "9007199254740993",
    "1e21",
  ]
    .concat(
      '"100"',
      '"1e3"',
      '"١٠٠"',
      "[100]",
      '{"value":100}',
      "true",
      "null",
      "18446744073709551716",
    )
    .concat("4294967396", "2147483748.0");
  const malformed = [
    "٧",
    "１００",
    "0x64",
    "+100",
    "0100",
    "1_000",
    "100n",
    "Infinity",
    "NaN",
    ".5",
    "1,5",
  ];

  test.each([
    ["/topup", (number: string) => `{"amount_cents":${number}}`],
    ["/withdraw", (number: string) => `{"amount_cents":${number}}`],
    [
      "/purchase",
      (number: string) =>
        `{"raffle_id":"${raffleId}","payment_method":"wallet","quantity":${number}}`,
    ],
  ])("of %s is a plain whole one within its limits, or refused", async (path, write) => {
    await changesNothing(async () => {
      for (const number of [...refused, ...malformed]) {
        const answer = await post(path, write(number));
        const wanted = malformed.includes(number)
          ? ["json_invalid"]
          : ["request_invalid", "quantity_out_of_range", "balance_insufficient"];
        expect(wanted, `${number}: ${answer.status}`).toContain(answer.body.error.code);
      }
    });
  });

  test("that is written twice, or in another way, is charged as it is answered", async () => {
    for (
      const raw of [
        '{"amount_cents":100,"amount_cents":900}',
        '{"amount_cents":900,"amount_cents":100}',
        '{"amount_cents":1e2}',
        '{"amount_cents":100.00000000000000000001}',
        '{"amount_cents":100,"\\u0061mount_cents":700}',
      ]
    ) {
      const { status, body } = await post("/topup", raw);
      expect(status).toBe(201);
      const [row] = await stack
        .sql`select amount_cents from public.wallet_topups where id = ${body.topup.id}`;
      const id = body.checkout_url.split("/").pop();
      const { amount_total } = await stripeClient(stack).checkout.sessions.retrieve(id);
      expect([Number(row.amount_cents), amount_total], raw)
        .toEqual([body.topup.amount_cents, body.topup.amount_cents]);
    }
  });
});

test("what stands in the address, the headers or a cookie is no part of the order", async () => {
  const person = await player(1000);
  const query = "quantity=100&amount_cents=1&ticket_price_cents=1&user_id=" + ben.id;
  const headers = {
    "x-user-id": ben.id,
    "x-forwarded-user": ben.id,
    "x-supabase-user": ben.id,
    "x-amount-cents": "1",
    "x-http-method-override": "DELETE",
    cookie: `sb-access-token=${ben.token}; user_id=${ben.id}`,
  };
  const order = { raffle_id: raffleId, quantity: 2, payment_method: "wallet" };
  const { status, body } = await post(`/purchase?${query}`, order, person, headers);
  expect([status, body.purchase.quantity, body.purchase.amount_cents]).toEqual([201, 2, 1000]);
  const [row] = await stack
    .sql`select user_id from public.purchases where id = ${body.purchase.id}`;
  expect(row.user_id).toBe(person.id);
  expect((await walletOf(stack, person.id)).balance).toBe(0);
});

test("a key of the prototype's carries nothing into the order", async () => {
  for (const key of ["__proto__", "constructor", "prototype"]) {
    for (
      const [path, rest] of [
        ["/topup", '"currency":"EUR"'],
        ["/purchase", `"raffle_id":"${raffleId}","payment_method":"wallet"`],
      ]
    ) {
      const raw = `{"${key}":{"amount_cents":100,"quantity":1,"redeem":true},${rest}}`;
      expect((await changesNothing(() => post(path, raw))).status).toBe(422);
    }
  }
});

test("a card purchase costs at Stripe what the raffle's row says, in its currency", async () => {
  const { body } = await post("/purchase", {
    raffle_id: raffleId,
    quantity: 3,
    payment_method: "card",
  });
  const intent = await stripeClient(stack).paymentIntents
    .retrieve(body.payment.payment_intent_id);
  expect([intent.amount, intent.currency]).toEqual([1500, "eur"]);
  // A price that changed since would be another raffle's: it is the purchase's own that counts.
  await control(stack, `POST /payment_intents/${intent.id}/succeed`);
  await flushWebhooks(stack);
  const [row] = await stack.sql`select status, amount_cents from public.purchases
    where id = ${body.purchase.id}`;
  expect([row.status, Number(row.amount_cents)]).toEqual(["CONFIRMED", 1500]);
});

test("a lower price, of a boost or a retry, needs a ticket of one's own", async () => {
  const { tickets } = await buy(stack, ben.id, { raffle_id: raffleId });
  const { before, ticketId } = await lostTicket(stack, ben.id);
  const retried = await raffle(stack, { retry_of: before, retry_price_cents: 100 });
  await changesNothing(async () => {
    for (
      const order of [
        { raffle_id: raffleId, quantity: 1, type: "BOOST", ticket_id: tickets[0].id },
        { raffle_id: retried, quantity: 1, type: "RETRY", ticket_id: ticketId },
        { raffle_id: raffleId, quantity: 1, type: "RETRY", ticket_id: ticketId },
        { raffle_id: retried, quantity: 1, type: "BOOST", ticket_id: tickets[0].id },
        { raffle_id: raffleId, quantity: 1, type: "ENTRY", ticket_id: tickets[0].id },
      ]
    ) {
      const { status } = await post("/purchase", { ...order, payment_method: "wallet" });
      expect([404, 409, 422], JSON.stringify(order)).toContain(status);
    }
  });
});

describe("past the endpoints, by rpc", () => {
  const rpc = (name: string, args: object) =>
    clientFor(stack, ana.token).rpc(name as never, args as never);
  const order = () => ({
    idempotency_key: crypto.randomUUID(),
    raffle_id: raffleId,
    quantity: 1,
    numbers: null,
    type: "ENTRY",
    payment_method: "wallet",
    redeem: true,
    ticket_id: null,
  });

  test("an argument more is no function of ours", async () => {
    for (
      const extra of ["amount_cents", "price", "p_user_id", "user_id", "p_request", "currency"]
    ) {
      const { error } = await changesNothing(async () =>
        await rpc("begin_purchase", { ...order(), [extra]: 1 })
      );
      expect(error?.code, extra).toBe("PGRST202");
    }
  });

  test.each([
    ["begin_topup", () => ({ currency: "EUR", method: "checkout", details: {} })],
    ["begin_withdrawal", () => ({ currency: "EUR" })],
  ])("%s takes no amount that the endpoint would not", async (name, rest) => {
    for (const amount_cents of [0, -1, -1000, 2 ** 53, "9223372036854775807", null]) {
      const { error } = await changesNothing(async () =>
        await rpc(name, { idempotency_key: crypto.randomUUID(), amount_cents, ...rest() })
      );
      expect(["request_invalid", "balance_insufficient"]).toContain(error?.message);
    }
  });

  test("begin_purchase takes no quantity that makes a purchase cheap or endless", async () => {
    for (const quantity of [0, -1, -2147483648, 101, 2147483647]) {
      const { error } = await changesNothing(async () =>
        await rpc("begin_purchase", { ...order(), quantity })
      );
      expect(error?.message, String(quantity)).toBe("quantity_out_of_range");
    }
  });

  test.each([
    ["record_purchase_payment", () => ({ purchase_id: raffleId, object: { amount: 1 } })],
    ["record_topup", () => ({ topup_id: raffleId, object: { amount: 1 } })],
    ["apply_stripe_object", () => ({ object: { object: "payment_intent" }, account: null })],
    ["receive_stripe_event", () => ({ event: { type: "payment_intent.succeeded" } })],
    ["record_customer", () => ({ user_id: ben.id, customer_id: "cus_1" })],
    ["answer_withdrawal", () => ({ withdrawal_id: raffleId })],
    ["cancel_withdrawal", () => ({ withdrawal_id: raffleId })],
  ])("%s, which says what Stripe says, is for our own functions", async (name, args) => {
    const given = { idempotency_key: "k", ...args() };
    const wanted = ["42501", "PGRST202"];
    for (const one of [given, args()]) {
      const { error } = await changesNothing(async () => await rpc(name, one));
      expect(wanted).toContain(error?.code);
    }
  });
});
