import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, signUp, testStack } from "../support/stack.ts";
import { control, deliver, eventBody, flushWebhooks, sign } from "../support/stripe.ts";
import { fund, violations, walletOf } from "../support/wallets.ts";

const OTHER_SECRET = "whsec_the_one_being_rotated_in";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({
    STRIPE_WEBHOOK_SECRETS: `${OTHER_SECRET}, ${keys.stripe_webhook_secret}`,
  });
});
afterEach(async () => {
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

interface Payment {
  person: Person;
  topupId: string;
  intent: Record<string, unknown> & { id: string };
}

/** A top-up of 10.00 EUR that waits for its PaymentIntent to be paid. */
async function awaited(): Promise<Payment> {
  const person = await signUp(stack);
  const { body } = await call(stack, "POST", "/topup", {
    token: person.token,
    body: { amount_cents: 1000, method: "payment_intent" },
    headers: { "idempotency-key": "once" },
  });
  const intent = {
    id: body.payment.payment_intent_id,
    object: "payment_intent",
    amount: 1000,
    amount_received: 1000,
    currency: "eur",
    status: "succeeded",
    livemode: false,
    metadata: { topup_id: body.topup.id },
  };
  return { person, topupId: body.topup.id, intent };
}

const balance = async ({ person }: Payment) => (await walletOf(stack, person.id)).balance;
const inbox = () => stack.sql`select count(*)::int as events from app.stripe_events`;
const alertsOn = (subject: string) =>
  stack
    .sql`select * from public.operator_alerts where subject = ${subject} and resolved_at is null`;
const pay = ({ intent }: Payment) => deliver(stack, eventBody("payment_intent.succeeded", intent));

describe("the signature", () => {
  test("of one of our secrets, over exactly these bytes, lets the event in", async () => {
    for (const secret of [keys.stripe_webhook_secret, OTHER_SECRET]) {
      const payment = await awaited();
      const raw = eventBody("payment_intent.succeeded", payment.intent);
      const answer = await deliver(stack, raw, sign(raw, { secret }));
      expect([answer.status, answer.body]).toEqual([200, {
        received: true,
        event_id: JSON.parse(raw).id,
        outcome: "applied",
      }]);
      expect(await balance(payment)).toBe(1000);
    }
  });

  test("is refused when missing, senseless, of another secret or too old: 400 and no rows", async () => {
    const payment = await awaited();
    const raw = eventBody("payment_intent.succeeded", payment.intent);
    const now = Math.floor(Date.now() / 1000);
    const before = await inbox();
    for (
      const signature of [
        null,
        "",
        "t=1,v1=00",
        `t=${now}`,
        sign(raw, { secret: "whsec_another" }),
        sign(raw, { secret: "" }),
        sign(raw, { at: now - 302 }),
        sign(raw).replace("v1=", "v0="),
        sign(raw).slice(0, -1),
        sign("{}"),
      ]
    ) {
      const answer = await deliver(stack, raw, signature);
      expect([signature, answer.status, answer.body.error.code])
        .toEqual([signature, 400, "signature_invalid"]);
    }
    expect(await inbox()).toEqual(before);
    expect(await balance(payment)).toBe(0);
    expect((await deliver(stack, raw, sign(raw, { at: now - 297 }))).status).toBe(200);
  });

  test("no byte of the body can be changed: 400 and no rows", async () => {
    const payment = await awaited();
    const raw = eventBody("payment_intent.succeeded", payment.intent);
    const signature = sign(raw);
    const before = await inbox();
    for (let at = 0; at < raw.length; at += 7) {
      const other = String.fromCharCode(raw.charCodeAt(at) ^ 1);
      const flipped = raw.slice(0, at) + other + raw.slice(at + 1);
      expect((await deliver(stack, flipped, signature)).status).toBe(400);
    }
    for (const changed of [raw + " ", " " + raw, raw.slice(1), raw + raw]) {
      expect((await deliver(stack, changed, signature)).status).toBe(400);
    }
    expect(await inbox()).toEqual(before);
    expect(await balance(payment)).toBe(0);
  });

  test("lets nothing in that is not an event", async () => {
    const before = await inbox();
    for (const raw of ["", "null", "[]", "{}", "not json", '{"id":1,"type":"x"}']) {
      const answer = await deliver(stack, raw, sign(raw));
      expect([raw, answer.status]).toEqual([raw, 422]);
    }
    expect(await inbox()).toEqual(before);
  });
});

describe("an event", () => {
  test("that comes again changes nothing, under its own id or a fresh one", async () => {
    const payment = await awaited();
    const raw = eventBody("payment_intent.succeeded", payment.intent);
    const outcomes = [];
    for (const body of [raw, raw, eventBody("payment_intent.succeeded", payment.intent)]) {
      outcomes.push((await deliver(stack, body)).body.outcome);
    }
    expect(outcomes).toEqual(["applied", "duplicate", "duplicate"]);
    expect(await balance(payment)).toBe(1000);
  });

  test("whose text cannot be stored is about money all the same", async () => {
    const payment = await awaited();
    const raw = eventBody("payment_intent.succeeded", { ...payment.intent, description: "X" })
      .replace('"X"', '"half \\ud800 and \\u0000"');
    expect((await deliver(stack, raw)).body.outcome).toBe("applied");
    expect(await balance(payment)).toBe(1000);
  });

  test("of a type that means nothing to us is ignored and leaves no trace", async () => {
    const before = await inbox();
    const answer = await deliver(stack, eventBody("customer.created", { id: "cus_1" }));
    expect([answer.status, answer.body.outcome]).toEqual([200, "ignored"]);
    expect(await inbox()).toEqual(before);
  });

  test.each([
    ["another amount", { amount: 100_000, amount_received: 100_000 }],
    ["less than was asked for", { amount_received: 999 }],
    ["another currency", { currency: "jpy" }],
    ["another mode", { livemode: true }],
    ["another status", { status: "processing" }],
    ["an id that is not ours", { id: "pi_forged", metadata: {} }],
    ["another intent with our top-up's id", { id: "pi_forged" }],
  ])("with %s is quarantined: 200, an alert, and no money", async (_, change) => {
    const payment = await awaited();
    const object = { ...payment.intent, ...change };
    const answer = await deliver(stack, eventBody("payment_intent.succeeded", object));
    expect([answer.status, answer.body.outcome]).toEqual([200, "ignored"]);
    expect(await balance(payment)).toBe(0);
    if (!("status" in change && object.id === "pi_forged")) {
      expect((await alertsOn(object.id)).length).toBe(1);
    }
    await stack
      .sql`update public.operator_alerts set resolved_at = now() where resolved_at is null`;
    expect((await pay(payment)).body.outcome).toBe("applied");
  });

  test("of somebody's connected account moves nothing of ours", async () => {
    const payment = await awaited();
    const raw = eventBody("payment_intent.succeeded", payment.intent, { account: "acct_somebody" });
    expect((await deliver(stack, raw)).body.outcome).toBe("ignored");
    expect(await balance(payment)).toBe(0);
  });

  test("that fails on our side is a 5xx that leaves nothing, and takes effect when it comes again", async () => {
    const payment = await awaited();
    await stack.sql`create function app.fail_for_test() returns trigger language plpgsql as
      $$ begin raise exception 'a bug of ours'; end $$`;
    await stack.sql`create trigger fail_for_test before insert on public.wallet_ledger
      execute function app.fail_for_test()`;
    const raw = eventBody("payment_intent.succeeded", payment.intent);
    const before = await inbox();
    const failed = await deliver(stack, raw);
    expect([failed.status, failed.body.error.code]).toEqual([500, "internal_error"]);
    expect(await inbox()).toEqual(before);
    await stack.sql`drop function app.fail_for_test() cascade`;
    expect((await deliver(stack, raw)).body.outcome).toBe("applied");
    expect(await balance(payment)).toBe(1000);
  });
});

describe("money that goes back", () => {
  const refund = ({ intent }: Payment, amount: number, status = "succeeded") => ({
    id: `re_${intent.id}_${amount}`,
    object: "refund",
    amount,
    currency: "eur",
    payment_intent: intent.id,
    charge: "ch_1",
    status,
  });
  const dispute = ({ intent }: Payment, status: string) => ({
    id: `dp_${intent.id}`,
    object: "dispute",
    amount: 1000,
    currency: "eur",
    payment_intent: intent.id,
    charge: "ch_1",
    livemode: false,
    status,
    reason: "fraudulent",
  });

  test("is taken from the wallet, whatever tells of it first", async () => {
    const payment = await awaited();
    const charge = {
      id: "ch_1",
      object: "charge",
      amount: 1000,
      amount_refunded: 400,
      currency: "eur",
      livemode: false,
      payment_intent: payment.intent.id,
    };
    await pay(payment);
    await deliver(stack, eventBody("charge.refunded", charge));
    expect(await balance(payment)).toBe(600);
    await deliver(stack, eventBody("refund.created", refund(payment, 400, "pending")));
    await deliver(stack, eventBody("refund.updated", refund(payment, 400)));
    expect(await balance(payment)).toBe(600);
    await deliver(stack, eventBody("refund.failed", refund(payment, 400, "failed")));
    expect(await balance(payment)).toBe(1000);
  });

  test("is never more than was paid, however many refunds are told of", async () => {
    const payment = await awaited();
    await pay(payment);
    for (const amount of [600, 500, 900]) {
      await deliver(stack, eventBody("refund.created", refund(payment, amount)));
    }
    expect(await walletOf(stack, payment.person.id)).toMatchObject({ balance: 0, debt: 0 });
  });

  test("before the payment has come waits for it", async () => {
    const payment = await awaited();
    const early = await deliver(stack, eventBody("refund.created", refund(payment, 1000)));
    expect(early.body.outcome).toBe("ignored");
    const id = `re_${payment.intent.id}_1000`;
    expect(await alertsOn(id)).toHaveLength(1);
    await pay(payment);
    expect(await balance(payment)).toBe(0);
    expect(await alertsOn(id)).toHaveLength(0);
  });

  test("after it was spent becomes a debt that suspends the wallet, until the dispute is won", async () => {
    const payment = await awaited();
    await pay(payment);
    await fund(stack, payment.person.id, -700);
    await deliver(stack, eventBody("charge.dispute.created", dispute(payment, "needs_response")));
    expect(await walletOf(stack, payment.person.id))
      .toEqual({ balance: 0, held: 0, debt: 700, status: "SUSPENDED" });
    expect(await alertsOn(`dp_${payment.intent.id}`)).toHaveLength(1);
    await deliver(stack, eventBody("charge.dispute.closed", dispute(payment, "won")));
    expect(await walletOf(stack, payment.person.id))
      .toEqual({ balance: 300, held: 0, debt: 0, status: "ACTIVE" });
  });

  test("is a debt that the next top-up pays", async () => {
    const payment = await awaited();
    await pay(payment);
    await fund(stack, payment.person.id, -1000);
    await deliver(stack, eventBody("charge.dispute.created", dispute(payment, "needs_response")));
    await deliver(stack, eventBody("charge.dispute.closed", dispute(payment, "lost")));
    expect((await walletOf(stack, payment.person.id)).debt).toBe(1000);
    await fund(stack, payment.person.id, 1500);
    expect(await walletOf(stack, payment.person.id))
      .toEqual({ balance: 500, held: 0, debt: 0, status: "ACTIVE" });
  });

  test("is told by an inquiry without any money moving", async () => {
    const payment = await awaited();
    await pay(payment);
    await deliver(
      stack,
      eventBody("charge.dispute.created", dispute(payment, "warning_needs_response")),
    );
    expect(await balance(payment)).toBe(1000);
  });

  test("through the real objects of Stripe: refunded by the dashboard, disputed by the bank, and won", async () => {
    const payment = await awaited();
    const { id } = payment.intent;
    await control(stack, `POST /payment_intents/${id}/succeed`);
    await flushWebhooks(stack);
    const opened = await control(stack, `POST /charges/${id}/dispute`);
    await flushWebhooks(stack);
    expect(await balance(payment)).toBe(0);
    await control(stack, `POST /disputes/${opened.id}/win`);
    await flushWebhooks(stack);
    expect(await balance(payment)).toBe(1000);
  });
});
