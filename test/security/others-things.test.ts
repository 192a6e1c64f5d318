// Other people's rows by their ids, by every door there is: the same answer as for what does not exist, and
// nothing changed. Staff have no more right to act in somebody's name.
import { beforeAll, describe, expect, test } from "vitest";
import { draw, seal, settle } from "../support/draws.ts";
import { signUpWithdrawer, topUp, withdraw } from "../support/payments.ts";
import { buy, player, raffle } from "../support/raffles.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, signUp, testStack } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { fingerprint } from "./fingerprint.ts";

let stack: TestStack;
let strangers: Record<string, Person>;
let bens: Record<"purchase" | "kept" | "card" | "topup" | "withdrawal" | "raffle" | "won", string>;
let bensTicket: number;

beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 100000`;
  strangers = {
    user: await signUp(stack),
    operator: await signUp(stack, { roles: ["operator"] }),
    admin: await signUp(stack, { roles: ["admin"] }),
  };
  const { id } = await player(stack, 10_000);
  const ben = { ...await signUpWithdrawer(stack, 5_000) };
  await stack.sql`update public.profiles set birth_date = '1990-01-01' where id = ${ben.id}`;
  const open = await raffle(stack, { boost_price_cents: 100, boost_limit: 5 });
  const cancelled = await raffle(stack);
  const first = await buy(stack, ben.id, { raffle_id: open });
  const kept = await buy(stack, ben.id, { raffle_id: open, redeem: false });
  const card = await buy(stack, ben.id, { raffle_id: open, payment_method: "card" });
  bensTicket = first.tickets[0].id;
  const won = await raffle(stack, { tickets_required: 1 });
  await buy(stack, ben.id, { raffle_id: won });
  for (const step of [seal, draw, settle]) await step(stack, won);
  await buy(stack, id, { raffle_id: cancelled });
  await control(stack, "POST /settings", { settle_after_ms: null });
  const { body: { topup } } = await topUp(stack, ben, { amount_cents: 1000 });
  const { body: { withdrawal } } = await withdraw(stack, ben, 1000);
  bens = {
    purchase: first.purchase.id,
    kept: kept.purchase.id,
    card: card.purchase.id,
    topup: topup.id,
    withdrawal: withdrawal.id,
    raffle: open,
    won,
  };
  // What Stripe tells of its own accord must not come in the middle of a test.
  await flushWebhooks(stack);
});

async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await fingerprint(stack, ["app.rate_buckets"]);
  const result = await work();
  expect(await fingerprint(stack, ["app.rate_buckets"])).toEqual(before);
  return result;
}

const key = () => ({ "idempotency-key": crypto.randomUUID() });
const nothing = "00000000-0000-4000-8000-000000000000";
const who = ["user", "operator", "admin"];

type Door = [string, keyof typeof bens, (token: string, id: string) => ReturnType<typeof call>];
const doors: Door[] = [
  ...(["purchase", "kept", "card"] as const).flatMap((what): Door[] => [
    [
      `GET /purchase, ${what}`,
      what,
      (token, id) => call(stack, "GET", `/purchase/${id}`, { token }),
    ],
    [
      `POST /purchase/verify, ${what}`,
      what,
      (token, id) => call(stack, "POST", `/purchase/${id}/verify`, { token }),
    ],
    [
      `POST /redeem-ticket, ${what}`,
      what,
      (token, purchase_id) =>
        call(stack, "POST", "/redeem-ticket", { token, body: { purchase_id }, headers: key() }),
    ],
  ]),
  ["GET /topup", "topup", (token, id) => call(stack, "GET", `/topup/${id}`, { token })],
  [
    "POST /topup/verify",
    "topup",
    (token, id) => call(stack, "POST", `/topup/${id}/verify`, { token }),
  ],
  ["GET /withdraw", "withdrawal", (token, id) => call(stack, "GET", `/withdraw/${id}`, { token })],
];

describe.each(who)("to another who is %s", (name) => {
  test.each(doors)("%s answers as if it were not there", async (_, what, open) => {
    const { token } = strangers[name];
    const answers = await changesNothing(async () => [
      await open(token, bens[what]),
      await open(token, nothing),
      await open(token, bens[what].toUpperCase()),
    ]);
    const told = answers.map(({ status, body: { error: { request_id: _, ...error } } }) => ({
      status,
      error,
    }));
    expect(told[0].status).toBe(404);
    expect(told[1]).toEqual(told[0]);
    expect(told[2]).toEqual(told[0]);
  });

  test.each(
    [
      ["get_purchase", "purchase_id", "purchase"],
      ["begin_purchase_check", "purchase_id", "card"],
      ["request_card_refund", "purchase_id", "purchase"],
      ["get_topup", "topup_id", "topup"],
      ["begin_topup_check", "topup_id", "topup"],
      ["get_withdrawal", "withdrawal_id", "withdrawal"],
    ] as const,
  )("%s by rpc does so too", async (rpc, argument, what) => {
    const client = clientFor(stack, strangers[name].token);
    const ask = async (id: string) => {
      const { status, error } = await client.rpc(rpc as never, { [argument]: id } as never);
      return { status, code: error?.message, details: error?.details };
    };
    const [bens_, none] = await changesNothing(
      async () => [await ask(bens[what]), await ask(nothing)],
    );
    expect(bens_.status).toBe(404);
    expect(none).toEqual(bens_);
  });

  test("their ticket boosts nothing, and their prize is not claimed", async () => {
    const { id, token } = strangers[name];
    await stack.sql`update public.profiles set birth_date = '1990-01-01' where id = ${id}`;
    const boosted = await changesNothing(() =>
      call(stack, "POST", "/purchase", {
        token,
        headers: key(),
        body: {
          raffle_id: bens.raffle,
          quantity: 1,
          type: "BOOST",
          ticket_id: bensTicket,
          payment_method: "card",
        },
      })
    );
    expect([boosted.status, boosted.body.error.code]).toEqual([404, "ticket_not_found"]);
    const { error } = await changesNothing(async () =>
      await clientFor(stack, token).rpc("claim_prize", {
        raffle_id: bens.won,
        place: 1,
        delivery: { street: "Calle Mayor 1" },
      })
    );
    expect(error?.message).toBe("prize_not_found");
  });

  test("the salt of their ticket, which would show who holds it, is not told", async () => {
    const { token } = strangers[name];
    for (const one of [undefined, token]) {
      const { status, body } = await call(stack, "GET", `/verify-draw/${bens.won}/tickets/1`, {
        token: one,
      });
      expect([status, "salt" in body]).toEqual([200, false]);
      const proof = await clientFor(stack, one).rpc("prove_ticket", {
        raffle_id: bens.won,
        ticket_num: 1,
      });
      expect(JSON.stringify(proof.data)).not.toContain("salt");
    }
  });
});

test("lists are one's own, however they are asked for", async () => {
  const { token } = strangers.user;
  for (const path of ["/purchase", "/topup", "/withdraw", "/cards"]) {
    const { body } = await call(stack, "GET", path, { token });
    expect([path, body.total, body.items]).toEqual([path, 0, []]);
  }
  for (const list of ["list_purchases", "list_topups", "list_withdrawals"] as const) {
    const { data } = await clientFor(stack, token).rpc(list, { skip: 0, page_size: 1_000_000 });
    expect(data).toEqual({ items: [], total: 0 });
  }
});
