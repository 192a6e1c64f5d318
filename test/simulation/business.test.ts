// The whole business at once: players, operators, clocks and the world outside act at random, through the API
// alone, while Stripe, Novu and the beacon fail. Nothing that anybody was told is lost, nothing happens twice,
// and after each round the books are Stripe's to the cent. SEED=... repeats what everybody does.
import { beforeAll, expect, test } from "vitest";
import { balanceAtStripe } from "../support/payments.ts";
import { scaled, seed } from "../support/scale.ts";
import type { TestStack } from "../support/stack.ts";
import { testStack } from "../support/stack.ts";
import { control } from "../support/stripe.ts";
import { violations } from "../support/wallets.ts";
import { live } from "./actors.ts";
import { readStripe } from "./books.ts";
import { letTimePass, makeClock, runAll } from "./clock.ts";
import { finish, settleBooks, spendLastEvening, whatIsOpen } from "./ending.ts";
import { Journal } from "./journal.ts";
import { failedWebhooks } from "./outside.ts";
import { chancesOf, gather } from "./people.ts";
import { Promises } from "./promises.ts";
import { Mail, verifyDraws } from "./published.ts";
import { openRaffle } from "./staff.ts";
import { compareWallets } from "./wallets.ts";
import { awaitServer, changeWeather, killServer, TIMEOUTS } from "./weather.ts";

const PEOPLE = { players: scaled(30, 200), bySigningUp: scaled(3, 12), operators: 3 };
const ROUNDS = scaled(4, 5);
const ACTS = 6;
const AT_ONCE = scaled(24, 40);

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack(TIMEOUTS);
  await stack.sql`update app.rate_limits set burst = 1000000`;
  await stack.sql`update app.beacon_chains set in_use = false`;
  await stack.sql`update app.beacon_chains set in_use = true where name = 'rafflebase-local'`;
  await control(stack, "POST /settings", { settle_after_ms: 800 });
});

test(`the books of ${PEOPLE.players} players are Stripe's after ${ROUNDS} rounds, whatever fails (SEED=${seed})`, async () => {
  const opening = await balanceAtStripe(stack);
  const journal = new Journal(stack.apiUrl);
  const world = await gather(stack, journal, seed, PEOPLE);
  const promises = new Promises(world);
  const mail = new Mail(stack);
  const random = chancesOf(seed, 30_000);
  const clocks = [0, 1, 2].map((number) =>
    makeClock(`clock-${number}`, stack, journal, chancesOf(seed, 40_000 + number))
  );
  for (const operator of world.operators) {
    for (let raffles = 0; raffles < 3; raffles++) await openRaffle(operator);
  }

  let weather = "";
  const demand = (what: string, faults: unknown[]) => {
    if (faults.length === 0) return;
    const some = faults.slice(0, 5).map((one) =>
      typeof one === "string" ? one : JSON.stringify(one)
    );
    throw new Error(
      `SEED=${seed}, round ${journal.round} (${weather}), ${what}: ${faults.length}\n${
        some.join("\n\n")
      }`,
    );
  };
  const checkRound = async () => {
    demand("what no client should see", journal.takeFaults());
    demand("jobs that failed", clocks.flatMap(({ failures }) => failures.splice(0)));
    demand("Stripe and the books", await settleBooks(world, clocks[0], opening));
    demand("invariants", await violations(stack));
    demand("what clients were told", await promises.check());
  };

  for (journal.round = 1; journal.round <= ROUNDS; journal.round++) {
    weather = await changeWeather(stack, random);
    const round = live({
      world,
      clocks,
      random: chancesOf(seed, 50_000 + journal.round),
      atOnce: AT_ONCE,
      acts: ACTS,
    });
    // Once in three rounds the server is killed in the middle of it.
    await Promise.all([round, journal.round % 3 === 2 ? killServer(world, random) : null]);
    await awaitServer(world);
    await letTimePass(stack);
    await runAll(clocks[0]);
    await mail.read();
    await checkRound();
    console.log(`round ${journal.round}: ${journal.entries.length} requests so far; ${weather}`);
  }

  weather = "the last evening";
  await spendLastEvening(world, clocks[0]);
  await mail.read();
  await checkRound();
  weather = "the end";
  await finish(world, clocks[0], random);
  await mail.read();
  await checkRound();
  expect(await whatIsOpen(stack), `SEED=${seed}: what is still open`).toEqual(NOTHING);
  demand("webhooks that were not taken", await failedWebhooks(stack));
  const wallets = await compareWallets(world, await readStripe(world));
  demand("wallets", wallets.faults);
  demand("draws", await verifyDraws(world));
  demand("messages", await mail.compare());
  demand("what no client should see", journal.takeFaults());
  console.log(
    { ...promises.counts, messages: mail.count, unsure: wallets.unsure },
    journal.tally(),
  );
});

const NOTHING = {
  purchases: 0,
  purchases_to_check: 0,
  topups: 0,
  withdrawals: 0,
  refunds: 0,
  raffles: 0,
  holds: 0,
  outbox: 0,
  messages: 0,
};
