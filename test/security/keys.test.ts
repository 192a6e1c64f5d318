// Idempotency keys of other people's: taking one first, guessing one, or sending one again opens nothing and
// closes nothing. What a key promises its owner is in test/sql/idempotency.test.ts.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { signUpWithdrawer } from "../support/payments.ts";
import { raffle } from "../support/raffles.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, testStack } from "../support/stack.ts";
import { flushWebhooks } from "../support/stripe.ts";
import { violations } from "../support/wallets.ts";

let stack: TestStack;
let raffleId: string;
beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 100000`;
  raffleId = await raffle(stack);
});
afterEach(async () => {
  await flushWebhooks(stack);
  expect(await violations(stack)).toEqual([]);
});

/** Somebody of age with 50.00 EUR, who may buy and withdraw. */
async function person(): Promise<Person> {
  const somebody = await signUpWithdrawer(stack, 5000);
  await stack.sql`update public.profiles set birth_date = '1990-01-01' where id = ${somebody.id}`;
  return somebody;
}

const send = (path: string, { token }: Person, key: string, body: object) =>
  call(stack, "POST", path, { token, body, headers: { "idempotency-key": key } });
const wallet = () => ({ raffle_id: raffleId, quantity: 1, payment_method: "wallet" });

/** What each endpoint is sent, another body, and the id in its answer. */
const endpoints: [string, () => object, () => object, string][] = [
  ["/topup", () => ({ amount_cents: 1000 }), () => ({ amount_cents: 1001 }), "topup"],
  ["/withdraw", () => ({ amount_cents: 1000 }), () => ({ amount_cents: 1001 }), "withdrawal"],
  ["/purchase", wallet, () => ({ ...wallet(), quantity: 2 }), "purchase"],
];

describe.each(endpoints)("POST %s", (path, body, other, made) => {
  test("with ben's key gives ana what is hers, and ben's answer stays his", async () => {
    const [ana, ben] = [await person(), await person()];
    const key = crypto.randomUUID();
    const bens = await send(path, ben, key, body());
    const anas = await send(path, ana, key, body());
    expect([bens.status, anas.status]).toEqual([201, 201]);
    expect(anas.headers.get("idempotent-replayed")).toBeNull();
    for (const text of [bens.body[made].id, bens.body.checkout_url ?? bens.body[made].id]) {
      expect(JSON.stringify(anas.body)).not.toContain(text);
    }
    const again = await send(path, ben, key, body());
    expect([again.body, again.headers.get("idempotent-replayed")]).toEqual([bens.body, "true"]);
  });

  test("under a key that ana took before, whatever she took it for, is ben's all the same", async () => {
    const [ana, ben] = [await person(), await person()];
    const key = "1";
    await send(path, ana, key, other());
    const refused = await send(path, ana, key, body());
    expect([refused.status, refused.body.error.code]).toEqual([409, "idempotency_key_reused"]);
    expect(JSON.stringify(refused.body)).not.toMatch(/[0-9a-f]{8}-.*amount|checkout|"details"/);
    expect((await send(path, ben, key, body())).status).toBe(201);
  });

  test("while ana leaves the same key unfinished waits for nobody", async () => {
    const [ana, ben] = [await person(), await person()];
    await stack
      .sql`insert into app.idempotency_keys (user_id, endpoint, key, request_hash, leased_until)
      values (${ana.id}, ${path.slice(1)}, 'held', '\\x00', now() + interval '1 hour')`;
    const started = performance.now();
    expect((await send(path, ben, "held", body())).status).toBe(201);
    expect(performance.now() - started).toBeLessThan(9_000); // less than a request waits for its own key
  });
});

test("one key is a key for each endpoint of its own", async () => {
  const ana = await person();
  for (const [path, body] of endpoints) {
    const answer = await send(path, ana, "everywhere", body());
    expect([path, answer.status, answer.headers.get("idempotent-replayed")])
      .toEqual([path, 201, null]);
  }
  const { status, body } = await send("/redeem-ticket", ana, "everywhere", {
    purchase_id: crypto.randomUUID(),
  });
  expect([status, body.error.code]).toEqual([404, "purchase_not_found"]);
});

test("a key is what it is: no letter, sign or quote in it makes it another's, or somebody", async () => {
  const ana = await person();
  const keys = ["k", "K", "k%00", "k' or 1=1 --", "../k", "k,k", `${ana.id}`, "*", "null", "ké"];
  const ids = new Set<string>();
  for (const key of keys) {
    const { status, body } = await send("/topup", ana, key, { amount_cents: 1000 });
    expect(status, key).toBe(201);
    ids.add(body.topup.id);
  }
  expect(ids.size).toBe(keys.length);
  for (const key of ["", "x".repeat(256)]) {
    expect((await send("/topup", ana, key, { amount_cents: 1000 })).status).toBe(400);
  }
});

test("by rpc nobody names the user a key belongs to", async () => {
  const [ana, ben] = [await person(), await person()];
  const client = clientFor(stack, ana.token);
  for (const user_id of [ben.id, null]) {
    const { error } = await client.rpc("begin_topup", {
      idempotency_key: "rpc",
      amount_cents: 1000,
      currency: "EUR",
      method: "checkout",
      details: { user_id },
      ...(user_id && { user_id }),
    } as never);
    expect(error?.code).toBe(user_id ? "PGRST202" : undefined);
  }
  const owners = await stack.sql`select user_id from app.idempotency_keys where key = 'rpc'`;
  expect(owners).toEqual([{ user_id: ana.id }]);
});
