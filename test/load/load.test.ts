// A thousand clients on the whole stack, and then ten times more than it can take. Nothing here depends on
// how fast the machine is: what it carries is found out first.
import { beforeAll, expect, inject, test } from "vitest";
import { keys } from "../support/database.ts";
import { isLong, scaled, seed } from "../support/scale.ts";
import type { TestStack } from "../support/stack.ts";
import { testStack } from "../support/stack.ts";
import { violations } from "../support/wallets.ts";
import { compareBooks } from "./books.ts";
import { quantile } from "./measure.ts";
import { isFlat } from "./memory.ts";
import { resolve, unresolved } from "./orders.ts";
import { describeFlood, describeRush } from "./report.ts";
import type { Carried, Site } from "./scenario.ts";
import { buildWorld, calibrate, flood, recover, rush, watchReserved } from "./scenario.ts";

let stack: TestStack;
let site: Site;
beforeAll(async () => {
  // A tenth of the clients that come are more than it takes at once.
  const settings = { REQUESTS_AT_ONCE: String(scaled(100, 200)) };
  stack = await testStack(settings, { clock: true });
  const { apiUrl, sql, name } = stack;
  site = { apiUrl, keys, directory: `${inject("directory")}/${name}`, sql, seed };
  await buildWorld(sql);
});

// Anew for each test: what else the machine does changes what it carries.
const whatItCarries = (): Promise<Carried> => calibrate(site, scaled(2, 10));

const say = (text: string) => {
  if (isLong) Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
};

test(`SEED=${seed}: clients browse and buy, hear nothing they should not, and no process grows`, async () => {
  const size = { clients: scaled(60, 1000), seconds: scaled(6, 120) };
  const { outcome, memory } = await rush(site, await whatItCarries(), size);
  say(describeRush(outcome, memory));
  expect(outcome.wrong).toEqual([]);
  const heard = Object.entries(outcome.answers);
  const count = (entries: typeof heard) => entries.reduce((sum, [, times]) => sum + times, 0);
  const busy = heard.filter(([answer]) => answer.includes(" 503 "));
  expect(count(busy) / count(heard)).toBeLessThan(0.01);
  expect(outcome.bought).not.toEqual([]);
  expect(await compareBooks(stack.sql, outcome)).toEqual([]);
  expect(Object.entries(memory).filter(([, samples]) => !isFlat(samples))).toEqual([]);
  expect(await violations(stack)).toEqual([]);
});

test(`SEED=${seed}: of ten times too much some is refused at once, and nothing that was sold is lost`, async () => {
  const size = { clients: scaled(1000, 2000), seconds: scaled(4, 30) };
  const carried = await whatItCarries();
  const { result: outcome, refused: unheard } = await watchReserved(
    site,
    () => flood(site, carried, size),
  );
  const recovery = await recover(site, carried);
  say(describeFlood(outcome, size.seconds, recovery));
  expect([...outcome.wrong, ...unheard].slice(0, 10)).toEqual([]);
  const [answered, refused] = [outcome.answered, outcome.refused].map((times) =>
    Object.entries(times).flatMap(([endpoint, list]) => endpoint.includes("PostgREST") ? [] : list)
  );
  expect(refused.length).toBeGreaterThan(0);
  expect(quantile(refused, 0.5)).toBeLessThan(quantile(answered, 0.5));

  const open = unresolved(outcome, scaled(100, 1000));
  const { bought, wrong } = await resolve(site, open);
  expect(wrong).toEqual([]);
  const all = { ...outcome, bought: [...outcome.bought, ...bought] };
  expect(outcome.bought).not.toEqual([]);
  expect(await compareBooks(stack.sql, all)).toEqual([]);
  expect(await violations(stack)).toEqual([]);
});
