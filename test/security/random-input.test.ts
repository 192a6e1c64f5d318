// Random requests to every endpoint, some at once. SEED=... replays the run of that name.
import fc from "fast-check";
import { Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contracts } from "../../functions/health/contracts.ts";
import { describeApi } from "../../shared/openapi.ts";
import { buy, player, raffle } from "../support/raffles.ts";
import { scaled, seed } from "../support/scale.ts";
import type { TestStack } from "../support/stack.ts";
import { testStack, tokenFor } from "../support/stack.ts";
import { violations } from "../support/wallets.ts";
import type { Generated } from "./generated-requests.ts";
import { operationsOf, requests } from "./generated-requests.ts";
import { expectRefusal, sendRaw } from "./raw-http.ts";
import { watchWrites, writesOf } from "./writes.ts";

const RUNS = scaled(300, 5_900);
const AT_ONCE = 8;
const CHUNK = 1_000;

const operations = operationsOf(describeApi(contracts, "", "") as never).map((operation) => ({
  ...operation,
  name: `${operation.method.toUpperCase()} ${operation.path}`,
}));

let stack: TestStack;
let ben: string;
let bens: unknown;
/** Rows of ana's, ben's and everybody's: what a random id would never meet. */
let ids: string[];
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 1000000000`;
  const raffleId = await raffle(stack, { numbering: "PICK", ticket_price_cents: 10 });
  ben = (await player(stack, 1_000)).id;
  const { purchase } = await buy(stack, ben, { raffle_id: raffleId, redeem: false });
  ids = [raffleId, purchase.id, ben];
  bens = await rowsOfBen();
  await watchWrites(stack);
});

afterAll(async () => {
  agent.destroy();
  expect(await violations(stack)).toEqual([]);
});

const rowsOfBen = () =>
  stack
    .sql`select p.*, array(select b from public.purchases b where b.user_id = p.id order by b.id) as purchases,
    array(select e from public.wallet_ledger e where e.user_id = p.id order by e.id) as entries,
    array(select t from public.tickets t where t.user_id = p.id order by t.id) as tickets
    from public.profiles p where p.id = ${ben}`;

let sent = 0;
const seen = new Set<number>();

/** Stripe was asked and said no: what was tried is kept on purpose, as its row says. */
const wasTried = (error: { code: string; details?: object }) =>
  error.code === "card_declined" ||
  JSON.stringify(error.details ?? {}).includes("not what the payment provider takes");

/** Sends it, and answers its status, and its id if it must not have written anything. */
async function send({ method, path, headers, body }: Generated) {
  const id = `random-${sent++}`;
  const all = { ...headers, "x-request-id": id };
  const answer = await sendRaw(stack, method, path, { headers: all, body, agent });
  if (answer.status >= 400) expectRefusal(answer, JSON.stringify({ method, path, headers, body }));
  const mayWrite = answer.status < 400 || wasTried(answer.body.error);
  return { status: answer.status, refused: mayWrite ? null : id };
}

/** Trying the admin secret is counted, and that is all that a refused request may leave behind. */
const isCounted = ({ name }: { name: string }) => name === "app.admin_claims";

describe(`${RUNS} random requests are served or refused clearly, and what is refused writes nothing (SEED=${seed})`, () => {
  test.each(operations)("$name", async (operation) => {
    const ana = (await player(stack, 100_000)).id;
    const generated = requests(operation, { ids: [...ids, ana], token: tokenFor(ana) });
    for (let from = 0; from < RUNS; from += CHUNK) {
      const numRuns = Math.min(CHUNK, RUNS - from);
      const waiting = fc.sample(generated, { seed: seed + from, numRuns });
      const refused: string[] = [];
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let one = waiting.pop(); one; one = waiting.pop()) {
          const answer = await send(one);
          seen.add(answer.status);
          if (answer.refused) refused.push(answer.refused);
        }
      }));
      expect((await writesOf(stack, refused)).filter((one) => !isCounted(one))).toEqual([]);
    }
    expect(await rowsOfBen()).toEqual(bens);
  });

  test("and both ways were taken, or this would say nothing", () => {
    expect([200, 201, 400, 401, 403, 404, 422].filter((status) => !seen.has(status))).toEqual([]);
  });
});
