// Messages as people get them: from what they did, through the function, to Novu.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { encodeHex } from "../../shared/hex.ts";
import { createUser, keys } from "../support/database.ts";
import { emptyOutbox, toldOf } from "../support/notifications.ts";
import { runScheduled } from "../support/payments.ts";
import { player, raffle } from "../support/raffles.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, testStack, tokenFor } from "../support/stack.ts";

let stack: TestStack;
let ana: Person;
beforeAll(async () => void (stack = await testStack({ NOVU_TIMEOUT_MS: "500" })));
beforeEach(async () => {
  const user = await player(stack, 100_000);
  ana = { ...user, token: tokenFor(user.id) };
  await sendAll();
});
afterEach(() => novu("heal"));

async function novu(verb: string, body: Record<string, unknown> = {}) {
  const answer = await fetch(`${stack.services.novuUrl}/_control/${verb}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  await answer.body?.cancel();
  expect(answer.status).toBe(200);
}

interface Message {
  transactionId: string;
  workflow: string;
  attempts: number;
  differing: number;
  request: {
    to: Record<string, unknown>;
    payload: Record<string, unknown> & { title: string; body: string };
  };
}

async function received(query: Record<string, string>): Promise<Message[]> {
  const answer = await fetch(
    `${stack.services.novuUrl}/_local/novu?${new URLSearchParams({ limit: "1000", ...query })}`,
  );
  return (await answer.json()).items;
}
const receivedBy = (person: Person, workflow: string) =>
  received({ subscriberId: person.id, workflow });

const send = () => runScheduled(stack, "/send-notifications");

/** Sends until nothing is due; what failed is due again at once. */
async function sendAll() {
  for (;;) {
    await emptyOutbox(stack);
    await stack.sql`update public.notifications set due_at = now() where status = 'QUEUED'`;
    const { sent, skipped, failed } = await send();
    if (sent + skipped + failed === 0) return;
  }
}

const buy = (person: Person, raffle_id: string, key = crypto.randomUUID()) =>
  call(stack, "POST", "/purchase", {
    token: person.token,
    headers: { "idempotency-key": key },
    body: { raffle_id, quantity: 2, payment_method: "wallet" },
  });

const change = (person: Person, body: object) =>
  call(stack, "PATCH", "/account", { token: person.token, body });

test("a purchase sends its receipt once: numbers, amount, raffle, under the notification's id", async () => {
  const raffle_id = await raffle(stack, { title: "Two wheels" });
  const key = crypto.randomUUID();
  for (const _ of [1, 2]) expect((await buy(ana, raffle_id, key)).status).toBe(201);
  await sendAll();
  const receipts = await receivedBy(ana, "purchase-confirmed");
  expect(receipts.length).toBe(1);
  const [{ transactionId, attempts, request }] = receipts;
  const rows = await toldOf(stack, { user_id: ana.id });
  const row = rows.find(({ event }) => event === "purchase_confirmed")!;
  expect([transactionId, attempts, row.status]).toEqual([row.id, 1, "SENT"]);
  expect(request.payload).toMatchObject({
    raffle_title: "Two wheels",
    numbers: [1, 2],
    amount: "10.00",
    currency: "EUR",
    channels: { email: true, in_app: true },
  });
  for (const fact of ["Two wheels", "1 and 2", "€10.00"]) {
    expect(request.payload.body).toContain(fact);
  }
  expect(request.to).toEqual({
    subscriberId: ana.id,
    email: ana.email,
    locale: "en",
    firstName: "",
    phone: "",
  });
});

test("people read their own language, with their country's way of writing amounts", async () => {
  await change(ana, { locale: "es-CO", display_name: "Ana" });
  await buy(ana, await raffle(stack));
  await sendAll();
  const [{ request }] = await receivedBy(ana, "purchase-confirmed");
  expect(request.payload.locale).toBe("es-CO");
  expect(request.payload.body).toContain("10,00");
  expect(request.to).toMatchObject({ firstName: "Ana", locale: "es-CO" });
});

test("Novu knows who signs up, and what they change about themselves", async () => {
  const subscriber = async () => {
    const answer = await fetch(`${stack.services.novuUrl}/v1/subscribers/${ana.id}`, {
      headers: { authorization: "ApiKey any" },
    });
    return (await answer.json()).data;
  };
  expect(await subscriber()).toMatchObject({ email: ana.email, locale: "en" });
  await change(ana, { locale: "it", display_name: "Anna", phone: "+34600111222" });
  await stack.sql`update auth.users set email = ${"new." + ana.email} where id = ${ana.id}`;
  await sendAll();
  expect(await subscriber()).toMatchObject({
    email: `new.${ana.email}`,
    locale: "it",
    firstName: "Anna",
    phone: "+34600111222",
  });
  await change(ana, { display_name: null, phone: null });
  await sendAll();
  expect(await subscriber()).toMatchObject({ firstName: "", phone: "" });
});

test("Novu forgets who is deleted", async () => {
  const { id } = await createUser(stack);
  const known = async () => {
    const answer = await fetch(`${stack.services.novuUrl}/v1/subscribers/${id}`, {
      headers: { authorization: "ApiKey any" },
    });
    await answer.body?.cancel();
    return answer.status;
  };
  await sendAll();
  expect(await known()).toBe(200);
  await stack.sql`delete from auth.users where id = ${id}`;
  await sendAll();
  expect(await known()).toBe(404);
});

test("a frontend can open the inbox of whoever is signed in, and of nobody else", async () => {
  const { status, body } = await call(stack, "GET", "/account/inbox", { token: ana.token });
  const secret = new TextEncoder().encode(keys.novu_secret_key);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(ana.id));
  expect([status, body]).toEqual([200, {
    subscriber_id: ana.id,
    subscriber_hash: encodeHex(new Uint8Array(signature)),
  }]);
  expect((await call(stack, "GET", "/account/inbox")).status).toBe(401);
});

describe("who does not want to hear by a channel", () => {
  const cancelled = async () => {
    const raffle_id = await raffle(stack, { tickets_required: 2 });
    await buy(ana, raffle_id);
    await sendAll();
    const [full, receipt] = [
      await receivedBy(ana, "raffle-full"),
      await receivedBy(ana, "purchase-confirmed"),
    ];
    return { full, receipt };
  };

  test("does not, but for what they must know", async () => {
    await change(ana, { preferences: { channels: { email: false } } });
    const { full, receipt } = await cancelled();
    expect(full[0].request.payload.channels).toEqual({ email: false, in_app: true });
    expect(receipt[0].request.payload.channels).toEqual({ email: true, in_app: true });
  });

  test("by any is not sent it at all", async () => {
    await change(ana, { preferences: { channels: { email: false, in_app: false } } });
    const { full, receipt } = await cancelled();
    expect([full.length, receipt.length]).toEqual([0, 1]);
    const rows = await toldOf(stack, { user_id: ana.id });
    expect(rows.find(({ event }) => event === "raffle_full")!.status).toBe("SKIPPED");
  });

  test("says so channel by channel", async () => {
    await change(ana, { preferences: { channels: { email: false } } });
    await change(ana, { preferences: { channels: { in_app: true }, theme: "dark" } });
    const { body } = await call(stack, "GET", "/account", { token: ana.token });
    expect(body.profile.preferences)
      .toEqual({ channels: { email: false, in_app: true }, theme: "dark" });
  });

  test.each([{ email: "no" }, { email: 0 }, { email: null }, { in_app: [] }])(
    "is not taken at a word that is neither yes nor no: %j",
    async (channels) => {
      const { status, body } = await change(ana, { preferences: { channels } });
      expect([status, body.error.code]).toEqual([422, "request_invalid"]);
    },
  );
});

describe("when Novu", () => {
  const bought = async () => {
    const answer = await buy(ana, await raffle(stack));
    expect(answer.status).toBe(201);
    return answer.body.purchase.id;
  };
  const receiptOf = async () =>
    (await toldOf(stack, { user_id: ana.id })).find(({ event }) => event === "purchase_confirmed")!;

  test.each([
    ["is down", "down", {}],
    ["fails", "fail", { status: 500 }],
    ["is busy", "fail", { status: 429 }],
    ["refuses our key", "fail", { status: 401 }],
    ["does not answer", "slow", { delay_ms: 60_000 }],
  ])("%s, a purchase does not notice, and the message comes later", async (_, verb, body) => {
    await novu(verb, body);
    const purchase_id = await bought();
    expect(await send()).toMatchObject({ sent: 0, failed: expect.any(Number) });
    expect(await receiptOf()).toMatchObject({ status: "QUEUED", attempts: 1 });
    expect((await receiptOf()).failure).toMatch(/^Novu/);
    await novu("heal");
    await sendAll();
    const [{ request }] = await receivedBy(ana, "purchase-confirmed");
    expect(request.payload).toMatchObject({ purchase_id });
    expect(await receiptOf()).toMatchObject({ status: "SENT", attempts: 2 });
  });

  test.each([["break_after", {}], ["hang_after", { delay_ms: 60_000 }]])(
    "takes the message and its answer is lost (%s), it is sent again under the same id, and is one",
    async (verb, body) => {
      await bought();
      await novu(verb, { ...body, times: 1 });
      await send();
      expect(await receiptOf()).toMatchObject({ status: "QUEUED", attempts: 1 });
      await sendAll();
      expect(await receivedBy(ana, "purchase-confirmed")).toMatchObject([
        { transactionId: (await receiptOf()).id, attempts: 2, differing: 0 },
      ]);
    },
  );

  test("cannot read one message, the others of its batch are sent", async () => {
    await bought();
    await stack.sql`select app.tell('no_such_event', ${ana.id})`;
    await stack.sql`select app.tell('limits_changed', ${ana.id}, null, '{"kind": "none"}')`;
    const { failed } = await send();
    expect(failed).toBe(2);
    expect(await receiptOf()).toMatchObject({ status: "SENT" });
    const rows = await toldOf(stack, { user_id: ana.id });
    const failures = rows.filter(({ failure }) => failure).map(({ failure }) => failure);
    expect(failures).toEqual([
      "no_such_event: no such event",
      expect.stringMatching(/^limits_changed: .*kind/),
    ]);
    await stack.sql`delete from public.notifications where failure is not null`;
  });

  test("has an outage, what is due waits for the next call instead of being tried to the end", async () => {
    const people = 150;
    for (let one = 0; one < people; one++) await stack.sql`select app.tell('welcome', ${ana.id})`;
    await novu("down");
    expect(await send()).toEqual({ sent: 0, skipped: 0, failed: 100 });
    await novu("heal");
    await sendAll();
  });
});

test("thousands are sent by a few calls", async () => {
  await stack.sql`insert into app.outbox (event, user_id)
    select 'welcome', ${ana.id} from generate_series(1, 2500)`;
  await emptyOutbox(stack);
  expect((await send()).sent).toBe(2000);
  expect((await send()).sent).toBe(500);
  expect((await receivedBy(ana, "welcome")).length).toBeGreaterThanOrEqual(1000);
});

test("only the scheduler may have it sent", async () => {
  for (const token of [undefined, ana.token, keys.secret_key]) {
    const { status, body } = await call(stack, "POST", "/send-notifications", { token });
    expect([status, body.error.code]).toEqual([401, "not_authenticated"]);
  }
});

test("operators see what was given up, and queue it again by supabase-js", async () => {
  const operator = await player(stack);
  await stack
    .sql`insert into public.user_roles (user_id, role) values (${operator.id}, 'operator')`;
  await buy(ana, await raffle(stack));
  await emptyOutbox(stack);
  await stack.sql`select app.end_notifications(array(
    select id from public.notifications where user_id = ${ana.id} and status = 'QUEUED'), 'DEAD')`;
  const supabase = clientFor(stack, tokenFor(operator.id));
  const { data } = await supabase.from("notifications").select("id, event, user_id, failure")
    .eq("status", "DEAD");
  expect(data).toEqual([expect.objectContaining({ event: "purchase_confirmed", user_id: ana.id })]);
  const notification_ids = data!.map(({ id }) => id);
  expect((await supabase.rpc("requeue_notifications", { notification_ids })).data).toBe(1);
  await sendAll();
  expect((await receivedBy(ana, "purchase-confirmed")).length).toBe(1);
});

test("no message carries a secret", async () => {
  const everything = JSON.stringify(await received({}));
  for (const secret of [keys.secret_key, keys.scheduler_secret, keys.jwt_secret, "client_secret"]) {
    expect(everything).not.toContain(secret);
  }
  const salts = await stack.sql`select key as secret from app.raffle_keys`;
  expect(salts.length).toBeGreaterThan(0);
  for (const { secret } of salts) expect(everything).not.toContain(secret);
});
