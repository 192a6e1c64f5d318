import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as the from "../support/crowd.ts";
import type { DrawCase } from "../support/draw-cases.ts";
import { GOLDEN, solve } from "../support/draw-cases.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { draw, seal, winnersOf } from "../support/draws.ts";
import { largeRaffle } from "../support/large-raffle.ts";
import { scaled, seed } from "../support/scale.ts";
import { violations } from "../support/wallets.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await testDatabase()));
const dice = the.dice(seed);

/** Python, asked one case after another. */
const python = spawn("python3", ["test/verifier/verify.py", "--batch"], {
  stdio: ["pipe", "pipe", "inherit"],
});
const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
afterAll(() => void python.kill());
async function solveInPython(given: DrawCase) {
  python.stdin.write(`${JSON.stringify(given)}\n`);
  return JSON.parse((await answers.next()).value!);
}

async function solveInSql({ raffle_id, label, count, step, round, randomness, places }: DrawCase) {
  const [found] = await db.sql`
    with leaves as (
      select coalesce(string_agg(sha256('\\x00'::bytea || uuid_send(${raffle_id}::uuid) || int4send(num) || sha256(
        sha256(convert_to(${label} || '/' || num, 'utf8')))), ''::bytea order by num), '') as hashes
      from generate_series(1, ${
    (count - 1) * step + 1
  }::integer, ${step}::integer) as num where ${count} > 0
    ), sealed as (
      select app.root_of(app.fold_blocks(hashes)) as root from leaves
    ), seeded as (
      select root, app.seed_of(${raffle_id}, root, ${round}, decode(${randomness}, 'hex')) as seed from sealed
    )
    select encode(root, 'hex') as ticket_root, encode(seed, 'hex') as seed,
      array(select 1 + at * ${step}::integer from unnest(app.rank_tickets(seed, ${count}, ${places}))
        with ordinality as r (at, place) order by place) as drawn
    from seeded`;
  return { ...found };
}

function randomCase(): DrawCase {
  // Mostly small ones; now and then one of a hundred thousand.
  const size = 10 ** (dice.upTo(dice.upTo(50) === 0 ? scaled(401, 501) : 301) / 100);
  const count = Math.max(1, Math.floor(size));
  return {
    raffle_id: crypto.randomUUID(),
    label: `${seed}`,
    count,
    step: 1 + dice.upTo(20),
    round: 1 + dice.upTo(1_000_000_000),
    randomness: Array.from({ length: 64 }, () => dice.upTo(16).toString(16)).join(""),
    places: 1 + dice.upTo(Math.min(count, 50)),
  };
}

test("the published vectors come out in SQL too", async () => {
  for (const { draw: given, result } of GOLDEN) {
    if (given.count > scaled(1_000, 1_000_000)) continue;
    expect(await solveInSql(given), `${given.count} tickets`).toEqual(result);
  }
}, 600_000);

test(`three programs draw the same (SEED=${seed})`, async () => {
  for (let n = 0; n < scaled(100, 10_000); n++) {
    const given = randomCase();
    const expected = solve(given);
    expect(await solveInSql(given), JSON.stringify(given)).toEqual(expected);
    expect(await solveInPython(given), JSON.stringify(given)).toEqual(expected);
  }
}, 3_600_000);

test("a large raffle is sealed and drawn in seconds", async () => {
  const tickets = scaled(10_000, 1_000_000);
  const { raffle_id } = await largeRaffle(db, tickets);
  const began = performance.now();
  expect(await seal(db, raffle_id)).toBe("CLOSED");
  const sealed = performance.now();
  expect(await draw(db, raffle_id)).toBe(true);
  console.log(
    `${tickets} tickets: sealed in ${Math.round(sealed - began)} ms, drawn in ${
      Math.round(performance.now() - sealed)
    } ms`,
  );
  expect(await winnersOf(db, raffle_id)).toHaveLength(1);
  expect(await violations(db)).toEqual([]);
}, 3_600_000);
