// The gateway and the functions behind it when they have enough to do: here that is a single request.
import { beforeAll, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";
import { call, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack({ REQUESTS_AT_ONCE: "1" })));

const readCurrencies = async () => {
  const headers = { apikey: keys.publishable_key };
  const answer = await fetch(`${stack.apiUrl}/rest/v1/currencies`, { headers });
  return [answer.status, answer.headers.get("retry-after"), (await answer.json()).error?.code];
};
const readRaffles = async () => {
  const { status, headers, body } = await call(stack, "GET", "/raffles");
  return [status, headers.get("retry-after"), body.error?.code];
};
const busy = [503, "1", "try_again"];
const fine = [200, null, undefined];

/** Sends so many while nobody can read the table, and some more of another kind meanwhile. */
async function whileLocked<T>(
  { table, send, busy }: { table: string; send: () => Promise<unknown>; busy: number },
  meanwhile: () => Promise<T>,
) {
  const answers: unknown[] = [];
  let all: Promise<unknown[]> = Promise.resolve([]);
  const [refused, other] = await stack.sql.begin(async (sql) => {
    await sql`lock table ${sql(table)} in access exclusive mode`;
    const sent = Array.from({ length: 5 }, () => send().then((answer) => answers.push(answer)));
    all = Promise.all(sent);
    await expect.poll(() => answers.length, { timeout: 2500 }).toBe(busy);
    return [[...answers], await meanwhile()];
  });
  await all;
  return { refused, other, after: answers.slice(busy) };
}

test("what the data API cannot take is told to try again at once", async () => {
  const { refused, after } = await whileLocked(
    { table: "currencies", send: readCurrencies, busy: 3 },
    () => Promise.resolve(),
  );
  expect(refused).toEqual([busy, busy, busy]);
  expect(after).toEqual([fine, fine]);
  expect(await readCurrencies()).toEqual(fine);
});

test("functions that have enough to do still hear Stripe and say how they are", async () => {
  const { refused, other, after } = await whileLocked(
    { table: "raffles", send: readRaffles, busy: 4 },
    async () => [
      (await call(stack, "POST", "/stripe-webhook", { raw: "{}" })).body.error.code,
      Object.keys((await call(stack, "GET", "/health")).body),
    ],
  );
  expect(refused).toEqual([busy, busy, busy, busy]);
  expect(other).toEqual(["signature_invalid", ["status", "version", "checks"]]);
  expect(after).toEqual([fine]);
});
