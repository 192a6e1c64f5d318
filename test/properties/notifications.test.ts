// Whatever happens, and however badly Novu and the sender are doing, everybody hears what happened to them,
// once. SEED=... replays the run of that name.
import { beforeAll, expect, test } from "vitest";
import { seeded } from "../../supabase/local/random.ts";
import { keys } from "../support/database.ts";
import type { Message } from "../support/notification-histories.ts";
import { describe as describeMessage, liveThrough } from "../support/notification-histories.ts";
import { operatorOf } from "../support/raffles.ts";
import { scaled, seed } from "../support/scale.ts";
import type { TestStack } from "../support/stack.ts";
import { call, testStack } from "../support/stack.ts";
import { randomOf } from "../support/stripe-histories.ts";

const HISTORIES = scaled(100, 1_000);
const IN_A_PART = 100;
const AT_ONCE = 4;

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack({ NOVU_TIMEOUT_MS: "1000" });
  await stack.sql`update app.rate_limits set burst = 1000000`;
  await operatorOf(stack);
  await send(); // the operator's welcome is nobody's history
});

async function novu(verb: string, body: Record<string, unknown> = {}) {
  const answer = await fetch(`${stack.services.novuUrl}/_control/${verb}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  await answer.body?.cancel();
  expect(answer.status).toBe(200);
}

const send = () => call(stack, "POST", "/send-notifications", { token: keys.scheduler_secret });

/** Nobody waits for hours here: what failed, or was lost with its sender, is due again at once. */
const waitOver = async () => {
  await stack.sql`select app.spread_notifications()`;
  await stack.sql`update public.notifications set due_at = now(), attempts = least(attempts, 3)
    where status = 'QUEUED'`;
};

async function received() {
  const answer = await fetch(`${stack.services.novuUrl}/_local/novu?limit=10000`);
  return (await answer.json()).items as (Parameters<typeof describeMessage>[0] & {
    transactionId: string;
    attempts: number;
  })[];
}

/** Sends, and dies, until it is told to stop; says how often it died. */
function sendBadly(random: ReturnType<typeof randomOf>) {
  let stopped = false;
  let deaths = 0;
  const run = async () => {
    while (!stopped) {
      const sending = Promise.allSettled(Array.from({ length: 3 }, send));
      if (deaths === 0 || random.chance(0.2)) {
        await new Promise((resolve) => setTimeout(resolve, random.between(0, 60)));
        stack.services.functions.kill();
        deaths++;
        await expect.poll(() => send().then(({ status }) => status), { timeout: 30_000 }).toBe(200);
      }
      await sending;
      await waitOver();
    }
    return deaths;
  };
  const running = run();
  return { stop: () => (stopped = true, running) };
}

test(`every message of ${HISTORIES} histories arrives once (SEED=${seed})`, async () => {
  let [deaths, repeated, told] = [0, 0, 0];
  for (let part = 0; part < HISTORIES; part += IN_A_PART) {
    await novu("reset");
    await novu("fail", { status: 500, probability: 0.3, seed: seed + part });
    await novu("break_after", { times: 1 });
    await novu("break_after", { probability: 0.1, seed: seed + part + 1 });
    const sender = sendBadly(randomOf(seeded(seed + part)));

    const expected: Message[] = [];
    const numbers = Array.from({ length: Math.min(IN_A_PART, HISTORIES - part) }, (_, at) => at);
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let next = numbers.shift(); next !== undefined; next = numbers.shift()) {
        expected.push(...await liveThrough(stack, randomOf(seeded(seed + part + next))));
      }
    }));
    deaths += await sender.stop();

    await novu("heal");
    await expect.poll(async () => {
      await waitOver();
      await send().catch(() => {});
      const [{ left }] = await stack.sql`select (select count(*) from app.outbox)
        + (select count(*) from public.notifications where status = 'QUEUED') as left`;
      return Number(left);
    }, { timeout: 60_000 }).toBe(0);

    const messages = await received();
    expect(messages.map(describeMessage).sort()).toEqual(expected.sort());
    repeated += messages.filter(({ attempts }) => attempts > 1).length;
    told += messages.length;
  }
  expect(await stack.sql`select event, failure from public.notifications where status = 'DEAD'`)
    .toEqual([]);
  console.log(`${told} messages, ${repeated} of them sent more than once; ${deaths} deaths`);
  expect([deaths > 0, repeated > 0]).toEqual([true, true]);
});
