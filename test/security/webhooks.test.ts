// Webhooks that Stripe did not send, sent long ago, or sent about somebody else's money; what each event
// means is in test/functions/stripe-webhook.test.ts. SEED=... replays the random ones.
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import { signUpWithdrawer, topUp, withdraw } from "../support/payments.ts";
import { scaled, seed } from "../support/scale.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { signUp, testStack } from "../support/stack.ts";
import { control, deliver, eventBody, flushWebhooks, sign } from "../support/stripe.ts";
import type { StripeObject } from "../support/stripe-events.ts";
import { intent, payout, session, stripeId, transfer } from "../support/stripe-events.ts";
import { violations, walletOf } from "../support/wallets.ts";
import { fingerprint } from "./fingerprint.ts";
import { garbage } from "./generated-requests.ts";
import { sendRaw } from "./raw-http.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 1000 where class = 'money'`;
});
afterEach(async () => {
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

const now = () => Math.floor(Date.now() / 1000);
const paid = (object: StripeObject) => eventBody("payment_intent.succeeded", object);

/** A top-up of 10.00 EUR, and the PaymentIntent that it would be paid by. */
async function awaited(): Promise<{ person: Person; id: string; object: StripeObject }> {
  const person = await signUp(stack);
  const { body } = await topUp(stack, person, { amount_cents: 1000, method: "payment_intent" });
  const { id } = body.topup;
  const { payment_intent_id } = body.payment;
  const object = intent({ id, amount_cents: 1000 }, { id: payment_intent_id, status: "succeeded" });
  return { person, id, object };
}

async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await fingerprint(stack);
  const result = await work();
  expect(await fingerprint(stack)).toEqual(before);
  return result;
}

/** Its status at an age in seconds, however long the way takes: one that took too long is sent again. */
async function statusAtAge(raw: string, age: number): Promise<number> {
  for (;;) {
    const at = now();
    const { status } = await deliver(stack, raw, sign(raw, { at: at - age }));
    if (now() - at <= 1) return status;
  }
}

describe("a delivery", () => {
  test("is believed at an age of 299 seconds, and refused at one of 301", async () => {
    const { object } = await awaited();
    expect(await changesNothing(() => statusAtAge(paid(object), 301))).toBe(400);
    expect(await statusAtAge(paid(object), 299)).toBe(200);
  });

  test("that was listened in on is worth nothing: at once a duplicate, later refused", async () => {
    const { person, object } = await awaited();
    const raw = paid(object);
    const signature = sign(raw, { at: now() - 250 });
    expect((await deliver(stack, raw, signature)).body.outcome).toBe("applied");
    await changesNothing(async () => {
      expect((await deliver(stack, raw, signature)).body.outcome).toBe("duplicate");
      expect(await statusAtAge(raw, 100_000)).toBe(400);
    });
    expect((await walletOf(stack, person.id)).balance).toBe(1000);
  });

  test("is refused with any one bit of its body, or of its signature, turned", async () => {
    const { object } = await awaited();
    const raw = paid(object);
    const bytes = new TextEncoder().encode(raw);
    const signature = sign(raw);
    const turned = (text: Uint8Array, at: number) => {
      const copy = text.slice();
      copy[at] ^= 1 << at % 8;
      return copy;
    };
    const send = (body: Uint8Array, header: string) =>
      sendRaw(stack, "POST", "/stripe-webhook", { body, headers: { "stripe-signature": header } });
    await changesNothing(async () => {
      for (let from = 0; from < bytes.length; from += 20) {
        const places = [...bytes.keys()].slice(from, from + 20);
        const answers = await Promise.all(places.map((at) => send(turned(bytes, at), signature)));
        expect(answers.map(({ status }) => status)).toEqual(places.map(() => 400));
      }
      const digits = [...signature.matchAll(/[0-9a-f]/g)].map(({ index }) => index);
      for (const at of digits) {
        const digit = signature[at] === "1" ? "2" : "1";
        const other = signature.slice(0, at) + digit + signature.slice(at + 1);
        expect((await send(bytes, other)).status, other).toBe(400);
      }
    });
    expect((await send(bytes, signature)).status).toBe(200);
  });

  test.each([
    ["our other secrets", () => [keys.secret_key, keys.jwt_secret, keys.stripe_secret_key]],
    ["the webhook's secret without its prefix, twice, or in capitals", () => {
      const secret = keys.stripe_webhook_secret;
      return [secret.replace("whsec_", ""), secret + secret, secret.toUpperCase()];
    }],
    ["what is public", () => [keys.publishable_key, "", "whsec_", "undefined", "null"]],
  ])("signed with %s is refused", async (_, secrets) => {
    const { object } = await awaited();
    const raw = paid(object);
    await changesNothing(async () => {
      for (const secret of secrets()) {
        expect((await deliver(stack, raw, sign(raw, { secret }))).status).toBe(400);
      }
    });
  });

  test("is not made younger by a second time beside the signed one", async () => {
    const { object } = await awaited();
    const raw = paid(object);
    const [time, scheme] = sign(raw, { at: now() - 1000 }).split(",");
    await changesNothing(async () => {
      for (
        const header of [
          `t=${now()},${scheme}`,
          `${time},t=${now()},${scheme}`,
          `t=${now()},${time},${scheme}`,
          `${time.replace("=", "= ")},${scheme}`,
          `t=,${scheme}`,
          `t=NaN,${scheme}`,
          `t=Infinity,${scheme}`,
          `t=-1,${scheme}`,
        ]
      ) expect((await deliver(stack, raw, header)).status, header).toBe(400);
    });
  });
});

describe("an event that Stripe did sign, about another's object,", () => {
  test("pays whose payment it is, whatever its metadata say", async () => {
    const [ana, ben] = [await awaited(), await awaited()];
    const object = { ...ana.object, metadata: { topup_id: ben.id } };
    await deliver(stack, paid(object));
    expect((await walletOf(stack, ben.person.id)).balance).toBe(0);
    expect((await walletOf(stack, ana.person.id)).balance).toBe(1000);
  });

  test("pays nobody by a session or a payment that is not the top-up's own", async () => {
    const { person, id } = await awaited();
    const money = { id, amount_cents: 1000 };
    const fields = { status: "complete", payment_status: "paid", payment_intent: stripeId("pi") };
    for (
      const raw of [
        paid(intent(money, { status: "succeeded" })),
        eventBody("checkout.session.completed", session(money, fields)),
        eventBody(
          "payment_intent.succeeded",
          intent({ ...money, id: crypto.randomUUID() }, {
            status: "succeeded",
          }),
        ),
      ]
    ) expect((await deliver(stack, raw)).body.outcome).toBe("ignored");
    expect((await walletOf(stack, person.id)).balance).toBe(0);
  });

  test("of live mode, where ours is of test mode, and the other way round, pays nobody", async () => {
    for (const ours of [false, true]) {
      const { person, id, object } = await awaited();
      await stack.sql`update public.wallet_topups set livemode = ${ours} where id = ${id}`;
      const raw = eventBody("payment_intent.succeeded", { ...object, livemode: !ours }, {
        livemode: ours,
      });
      expect((await deliver(stack, raw)).body.outcome).toBe("ignored");
      expect((await walletOf(stack, person.id)).balance).toBe(0);
    }
  });

  test("ends no withdrawal: another account's payout, another destination's transfer", async () => {
    await control(stack, "POST /settings", { settle_after_ms: null });
    const person = await signUpWithdrawer(stack, 5000);
    const { body } = await withdraw(stack, person, 2000);
    const money = { id: body.withdrawal.id, amount_cents: 2000 };
    const [row] = await stack.sql`select provider_txn_id, transfer_id
      from public.wallet_withdrawals where id = ${money.id}`;
    for (const id of [row.provider_txn_id, stripeId("po")]) {
      for (const type of ["payout.paid", "payout.failed"]) {
        for (const account of [undefined, stripeId("acct")]) {
          const object = payout(money, { id, status: type.slice(7) });
          const answer = await deliver(stack, eventBody(type, object, { account }));
          expect([type, answer.body.outcome]).toEqual([type, "ignored"]);
        }
      }
    }
    const moved = transfer(money, stripeId("acct"), { id: row.transfer_id, reversed: true });
    const reversed = await deliver(stack, eventBody("transfer.reversed", moved));
    expect(reversed.body.outcome).toBe("ignored");
    const [{ status }] = await stack
      .sql`select status from public.wallet_withdrawals where id = ${money.id}`;
    expect(status).toBe("PROCESSING");
    expect(await walletOf(stack, person.id)).toMatchObject({ balance: 5000, held: 2000 });
  });
});

test("a payment with a name in it that cannot be stored is a payment all the same", async () => {
  const { person, object } = await awaited();
  const raw = paid({ ...object, X: { X: 1 } }).replaceAll('"X"', '"half \\ud800 and \\u0000"');
  expect((await deliver(stack, raw)).body.outcome).toBe("applied");
  expect((await walletOf(stack, person.id)).balance).toBe(1000);
});

const RUNS = scaled(200, 5_000);

test(`${RUNS} signed events of garbage are received or refused, and make no money (SEED=${seed})`, async () => {
  const { person, id, object } = await awaited();
  const types = ["payment_intent.succeeded", "payment_intent.payment_failed", "charge.refunded"]
    .concat("checkout.session.completed", "refund.created", "refund.failed", "payout.paid")
    .concat("charge.dispute.created", "charge.dispute.closed", "transfer.created", "payout.failed");
  const kinds = ["payment_intent", "checkout.session", "charge", "refund", "dispute", "transfer"];
  const of = <T>(...values: T[]) =>
    fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...values) }, garbage);
  const objects = fc.record({
    id: of<unknown>(object.id, stripeId("pi")),
    object: of(...kinds, "payout"),
    amount: of(1000, 999, -1000, 2 ** 53),
    amount_total: of(1000),
    amount_refunded: of(1, 2000, -1),
    amount_received: of(999, 0),
    currency: of("eur", "jpy"),
    livemode: of(false, true),
    status: of("processing", "failed", "needs_response", "lost"),
    payment_status: of("unpaid"),
    payment_intent: of<unknown>(object.id, null),
    charge: of("ch_1"),
    destination: of("acct_1"),
    metadata: of<unknown>({ topup_id: id }, { purchase_id: id }, { withdrawal_id: id }, {}, null),
  }, { requiredKeys: [] });
  const events = fc.tuple(
    fc.constantFrom(...types),
    objects,
    fc.record({ account: of(null, "acct_1"), created: of(now(), 0, 2 ** 53) }, {
      requiredKeys: [],
    }),
  );
  for (const [type, of, parts] of fc.sample(events, { seed, numRuns: RUNS })) {
    const raw = eventBody(type, of, parts);
    const { status, body } = await deliver(stack, raw);
    expect(status, `${raw}: ${JSON.stringify(body)}`).toBeLessThan(500);
  }
  expect((await walletOf(stack, person.id)).balance).toBe(0);
});
