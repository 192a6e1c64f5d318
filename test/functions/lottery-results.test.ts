import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { actAs } from "../support/database.ts";
import { close, seal, winnersOf } from "../support/draws.ts";
import { runScheduled } from "../support/payments.ts";
import { buy, operatorOf, player, raffle } from "../support/raffles.ts";
import type { TestStack } from "../support/stack.ts";
import { call, testStack } from "../support/stack.ts";

// The feed: what it shall answer, and what it was asked.
let answer: () => Response | Promise<Response>;
const asked: URL[] = [];
const feed = Deno.serve({ port: 0, onListen: () => {} }, (request) => {
  asked.push(new URL(request.url));
  return answer();
});
afterAll(() => feed.shutdown());

let stack: TestStack;
let lotteryId: string;
let raffleId: string;
const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
beforeAll(async () => {
  stack = await testStack({ LOTTERY_FEED_URL: `http://127.0.0.1:${feed.addr.port}/results` });
});
beforeEach(async () => {
  asked.length = 0;
  [{ id: lotteryId }] = await stack
    .sql`insert into public.lotteries (name, digits, time_zone, draws_at)
    values (${`Ñandú ${crypto.randomUUID()}`}, 2, 'UTC', '00:00') returning id`;
  raffleId = await raffle(stack, {
    numbering: "PICK",
    draw_method: "LOTTERY",
    unsold_rule: "HOUSE",
    lottery_id: lotteryId,
    lottery_draw_date: new Date(Date.now() + 3 * 86_400_000),
  });
  await buy(stack, (await player(stack, 500)).id, { raffle_id: raffleId, numbers: [7] });
  await close(stack, raffleId);
  await stack.superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update public.raffles set lottery_draw_date = ${yesterday} where id = ${raffleId}`;
  });
  await seal(stack, raffleId);
});

const fetchResults = () => runScheduled(stack, "/lottery-results");
const mine = { draw_date: yesterday };

test("twenty fetches at once enter a result once", async () => {
  answer = () => Response.json({ winning_number: "07" });
  await Promise.all(Array.from({ length: 20 }, fetchResults));
  expect(
    await stack.sql`select winning_number from app.lottery_entries where lottery_id = ${lotteryId}`,
  )
    .toEqual([{ winning_number: "07" }]);
});

test("the feed's result counts once an operator says the same", async () => {
  answer = () => Response.json({ winning_number: "07", series: "1" });
  expect((await fetchResults()).entered).toEqual([{ lottery_id: lotteryId, ...mine }]);
  expect(asked[0].searchParams.get("date")).toBe(yesterday);
  expect(asked[0].searchParams.get("lottery")).toContain("Ñandú");
  expect(await stack.sql`select from public.lottery_results where lottery_id = ${lotteryId}`)
    .toEqual([]);
  expect((await fetchResults()).entered).toEqual([]);
  await actAs(
    stack,
    await operatorOf(stack),
    (sql) =>
      sql`select public.record_lottery_result(${lotteryId}, ${yesterday}::text::date, '07', '1')`,
  );
  const closed = await call(stack, "POST", `/close-raffle/${raffleId}`);
  expect(closed.body.raffle.state).toBe("SETTLED");
  expect(closed.body.draw.lottery).toEqual([{
    lottery_id: lotteryId,
    ...mine,
    winning_number: "07",
  }]);
  expect(await winnersOf(stack, raffleId)).toEqual([{ place: 1, ticket_num: 7 }]);
});

test.each<[string, () => Response]>([
  ["has none yet", () => new Response(null, { status: 404 })],
  ["fails", () => new Response("oops", { status: 500 })],
  ["does not speak JSON", () => new Response("07")],
  ["speaks of something else", () => Response.json({ number: 7 })],
  ["has other figures than the lottery", () => Response.json({ winning_number: "0007" })],
])("a feed that %s is asked again", async (_name, respond) => {
  answer = respond;
  const { entered, missing } = await fetchResults();
  expect(entered).toEqual([]);
  expect(missing).toContainEqual({ lottery_id: lotteryId, ...mine });
  answer = () => Response.json({ winning_number: "07" });
  expect((await fetchResults()).entered).toContainEqual({ lottery_id: lotteryId, ...mine });
});

test("only the clock may ask", async () => {
  expect((await call(stack, "POST", "/lottery-results")).status).toBe(401);
});
