import { beforeAll, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { codeOf, createUser, testDatabase } from "../support/database.ts";
import { untilSomeoneWaits } from "../support/races.ts";

let db: TestDatabase;
let user: string;

// An effect that a repeated request must not repeat, written as every money function is: claim the
// key, do the work, store the answer, in one transaction.
beforeAll(async () => {
  db = await testDatabase();
  await db.sql.unsafe(`
    create table app.effects (n integer);
    create function app.take_effect(p_user uuid, p_key text, p_request jsonb, p_pause real default 0)
    returns jsonb language plpgsql as $$
    declare
      v_answer jsonb := app.claim_key(p_user, 'effect', p_key, p_request);
    begin
      if v_answer is not null then
        return v_answer || '{"replayed": true}';
      end if;
      insert into app.effects values ((p_request ->> 'n')::integer);
      perform pg_sleep(p_pause);
      return app.store_answer(p_user, 'effect', p_key, jsonb_build_object('n', p_request -> 'n'));
    end
    $$;
  `);
});
beforeEach(async () => {
  user = (await createUser(db)).id;
  await db.sql`truncate app.effects`;
});

const take = async (key: string | null, request: object, pause = 0) =>
  (await db.sql`select app.take_effect(${user}, ${key}, ${
    db.sql.json(request as never)
  }, ${pause}) as answer`)[0].answer;
const effects = async () => (await db.sql`select from app.effects`).length;

test("twenty requests with one key at the same time have one effect and one answer", async () => {
  for (let round = 0; round < 20; round++) {
    await db.sql`truncate app.effects`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => take(`key ${round}`, { n: round }, 0.01)),
    );
    expect(new Set(answers.map((answer) => answer.n))).toEqual(new Set([round]));
    expect(answers.filter((answer) => !answer.replayed)).toHaveLength(1);
    expect(await effects()).toBe(1);
  }
});

test("the order of a body's fields does not matter, its values do", async () => {
  await take("k", { n: 1, a: { x: 1, y: 2 } });
  expect(await take("k", { a: { y: 2, x: 1 }, n: 1 })).toEqual({ n: 1, replayed: true });
  expect(await codeOf(take("k", { n: 2 }))).toBe("idempotency_key_reused");
  expect(await effects()).toBe(1);
});

test("the same key of another user or for another endpoint is another key", async () => {
  await take("k", { n: 1 });
  const [{ answer }] = await db
    .sql`select app.claim_key(${user}, 'other', 'k', '{"n":1}') as answer`;
  expect(answer).toBeNull();
  user = (await createUser(db)).id;
  expect(await take("k", { n: 1 })).toEqual({ n: 1 });
  expect(await effects()).toBe(2);
});

test("a request that fails leaves no trace, and the key can be used again", async () => {
  await expect(take("k", { n: "not a number" })).rejects.toThrow();
  expect(await take("k", { n: 5 })).toEqual({ n: 5 });
});

test.each([[null], [""], ["x".repeat(256)]])("the key %s is refused", async (key) => {
  expect(await codeOf(take(key, { n: 1 }))).toBe("idempotency_key_required");
  expect(await effects()).toBe(0);
});

test("a request that left its transaction is in progress until its lease ends or is released", async () => {
  const claim = async () =>
    (await db.sql`select app.claim_key(${user}, 'slow', 'k', '{}') as answer`)[0].answer;
  expect(await claim()).toBeNull();
  expect(await codeOf(claim())).toBe("request_in_progress");

  await db.sql`select app.release_key(${user}, 'slow', 'k')`;
  expect(await claim()).toBeNull();
  expect(await codeOf(claim())).toBe("request_in_progress");

  await db.sql`update app.idempotency_keys set leased_until = now() - interval '1 second'`;
  const claims = await Promise.all(Array.from({ length: 10 }, () => codeOf(claim())));
  expect(claims.filter((code) => code === "none")).toHaveLength(1);
  expect(claims.filter((code) => code === "request_in_progress")).toHaveLength(9);

  await db.sql`select app.store_answer(${user}, 'slow', 'k', '{"done": true}')`;
  await db.sql`select app.release_key(${user}, 'slow', 'k')`;
  expect(await claim()).toEqual({ done: true });
});

test("of two that claim a key whose lease is over, the second waits and finds it claimed", async () => {
  const claim = () => codeOf(db.sql`select app.claim_key(${user}, 'slow', 'k', '{}')`);
  await claim();
  await db.sql`update app.idempotency_keys set leased_until = now() - interval '1 second'`;
  let claims: Promise<string>[] = [];
  await db.sql.begin(async (sql) => {
    await sql`select from app.idempotency_keys where user_id = ${user} for update`;
    claims = [claim(), claim()];
    await untilSomeoneWaits(db, 2);
  });
  expect((await Promise.all(claims)).sort()).toEqual(["none", "request_in_progress"]);
});

test("of two that answer under one key, since one went on after its lease, the first is told by both", async () => {
  const answer = async (n: number) =>
    (await db.sql`select app.store_answer(${user}, 'effect', 'k', ${
      db.sql.json({ n })
    }) as answer`)[
      0
    ].answer;
  await db.sql`select app.claim_key(${user}, 'effect', 'k', '{}')`;
  expect(await answer(1)).toEqual({ n: 1 });
  expect(await answer(2)).toEqual({ n: 1 });
  expect(await db.sql`select app.claim_key(${user}, 'effect', 'k', '{}') as answer`)
    .toEqual([{ answer: { n: 1 } }]);
});

test("keys are kept for their retention and then purged", async () => {
  await take("old", { n: 1 });
  await db.sql`update app.idempotency_keys set created_at = now() - interval '71 hours'`;
  await take("new", { n: 2 });
  await db.sql`select app.purge()`;
  expect(await take("old", { n: 1 })).toEqual({ n: 1, replayed: true });
  await db
    .sql`update app.idempotency_keys set created_at = now() - interval '73 hours' where key = 'old'`;
  await db.sql`select app.purge()`;
  expect(
    (await db.sql`select key from app.idempotency_keys where user_id = ${user}`).map((row) =>
      row.key
    ),
  ).toEqual(["new"]);
});
