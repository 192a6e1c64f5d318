// What goes wrong at Stripe, Novu and the beacon, from round to round by chance.
import { expect } from "vitest";
import { sleep } from "../support/crowd.ts";
import type { Random } from "../support/stripe-histories.ts";
import { control } from "../support/stripe.ts";
import type { TestStack } from "../support/stack.ts";
import { call } from "../support/stack.ts";
import { letLeasesEnd } from "./clock.ts";
import { fetchControl } from "./outside.ts";
import type { World } from "./people.ts";

/** Longer than STRIPE_TIMEOUT_MS and NOVU_TIMEOUT_MS below. */
const TOO_LONG_MS = 1_400;
export const TIMEOUTS = { STRIPE_TIMEOUT_MS: "1000", NOVU_TIMEOUT_MS: "1000" };

const LIES = [
  "down",
  "wrong_round",
  "replayed_round",
  "wrong_chain",
  "flipped_signature",
  "wrong_randomness",
  "malformed_json",
  "truncated_body",
];

/** Says what it has made of it. */
export async function changeWeather(stack: TestStack, random: Random): Promise<string> {
  const said = [
    ...await changeStripe(stack, random),
    ...await changeWebhooks(stack, random),
    ...await changeNovu(stack, random),
    ...await changeBeacon(stack, random),
  ];
  return said.join(", ") || "calm";
}

async function changeStripe(stack: TestStack, random: Random): Promise<string[]> {
  await control(stack, "DELETE /faults");
  await control(stack, "POST /faults/seed", { seed: random.between(1, 1_000_000) });
  const faults = [
    { kind: "error", status: 500, when: random.pick("before", "after"), probability: 0.12 },
    { kind: "error", status: 429, stored: false, probability: 0.06 },
    { kind: "disconnect", probability: 0.08 },
    { kind: "hang", ms: TOO_LONG_MS, probability: 0.03 },
    { kind: "delay", ms: TOO_LONG_MS, probability: 0.03 },
    { kind: "decline", code: "insufficient_funds", probability: 0.2 },
  ].filter(() => random.chance(0.5));
  for (const fault of faults) await control(stack, "POST /faults", { times: null, ...fault });
  return faults.map(({ kind, status = "", when = "" }) => `Stripe: ${kind} ${status} ${when}`);
}

async function changeWebhooks(stack: TestStack, random: Random): Promise<string[]> {
  const sometimes = (probability: number) => random.chance(0.5) ? probability : 0;
  const chaos = {
    drop: sometimes(0.25),
    duplicate: sometimes(0.4),
    fresh_ids: 0.5,
    delay: sometimes(0.4),
    max_delay_ms: 1_500,
  };
  const retry = { firstMs: 100, factor: 2, maxMs: 1_000, attempts: 5 };
  const shuffle = random.chance(0.5);
  await control(stack, "POST /webhooks", { concurrency: 4, shuffle, retry });
  await control(stack, "POST /webhooks/chaos", { seed: random.between(1, 1_000_000), ...chaos });
  return [`webhooks: ${JSON.stringify({ ...chaos, shuffle })}`];
}

async function changeNovu({ services }: TestStack, random: Random): Promise<string[]> {
  await fetchControl(services.novuUrl, "heal");
  const seed = random.between(1, 1_000_000);
  const faults: [string, object][] = [
    ["fail", { status: random.pick(500, 429), probability: 0.3, seed }],
    ["break_after", { probability: 0.15, seed }],
    ["hang_after", { delay_ms: TOO_LONG_MS, probability: 0.1, seed }],
    ["down", { times: random.between(1, 20) }],
  ];
  const chosen = faults.filter(() => random.chance(0.35));
  for (const [verb, body] of chosen) await fetchControl(services.novuUrl, verb, body);
  return chosen.map(([verb]) => `Novu: ${verb}`);
}

async function changeBeacon({ services }: TestStack, random: Random): Promise<string[]> {
  await fetchControl(services.drandUrl, "heal");
  const lie = random.pick(...LIES);
  const times = random.between(1, 4);
  if (random.chance(0.5)) return [];
  await fetchControl(services.drandUrl, lie, { times });
  return [`drand: ${lie} ${times} times`];
}

/** Kills the functions' process a few times while others are at work; it comes back by itself. */
export async function killServer(world: World, random: Random): Promise<void> {
  const { stack, journal } = world;
  journal.serverDies = true;
  for (let times = random.between(1, 2); times > 0; times--) {
    await sleep(random.between(300, 2_500));
    stack.services.functions.kill();
  }
}

/** It is back, and what it held when it was killed is given up. */
export async function awaitServer({ stack, journal }: World): Promise<void> {
  const isUp = () => call(stack, "GET", "/raffles").then(({ status }) => status, () => 0);
  await expect.poll(isUp, { timeout: 30_000 }).toBe(200);
  await letLeasesEnd(stack);
  journal.serverDies = false;
}

/** Nothing goes wrong any more; what was under way arrives. */
export async function clearUp(stack: TestStack): Promise<void> {
  await control(stack, "DELETE /faults");
  await control(stack, "DELETE /webhooks/rules");
  await control(stack, "POST /webhooks/flush", { hurry: true, timeout_ms: 60_000 });
  await fetchControl(stack.services.novuUrl, "heal");
  await fetchControl(stack.services.drandUrl, "heal");
}
