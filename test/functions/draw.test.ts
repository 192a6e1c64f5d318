import { spawnSync } from "node:child_process";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  hashHolder,
  hashLeaf,
  MerkleTree,
  uuidToBytes,
  verifyInclusion,
} from "../../shared/draw.ts";
import { decodeHex, encodeHex } from "../../shared/hex.ts";
import { actAs } from "../support/database.ts";
import { close, reachRound } from "../support/draws.ts";
import { buy, operatorOf, player, raffle } from "../support/raffles.ts";
import type { TestStack } from "../support/stack.ts";
import { call, testStack, tokenFor } from "../support/stack.ts";
import { violations } from "../support/wallets.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 1000 where class = 'money'`;
  await stack.sql`update app.beacon_chains set in_use = false`;
  await stack.sql`update app.beacon_chains set in_use = true where name = 'rafflebase-local'`;
});
afterEach(async () => {
  await drand("reset");
  expect(await violations(stack)).toEqual([]);
});

const drand = async (verb: string, body: object = {}) => {
  const answer = await fetch(`${stack.services.drandUrl}/_control/${verb}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  await answer.body?.cancel();
};
const closeAll = () => call(stack, "POST", "/close-raffle");
const closeOne = (id: string) => call(stack, "POST", `/close-raffle/${id}`);
const read = (path: string, token?: string) =>
  call(stack, "GET", `/verify-draw/${path}`, { token });

/** A raffle of some tickets whose time is over. */
async function ended(terms: Record<string, unknown> = {}, sold = 7) {
  const id = await raffle(stack, { tickets_required: 50, ...terms });
  const people = [await player(stack, 500_00), await player(stack, 500_00)];
  await buy(stack, people[0].id, { raffle_id: id, quantity: 3 });
  await buy(stack, people[1].id, { raffle_id: id, quantity: sold - 3 });
  await close(stack, id);
  return { id, people };
}

/** Sealed, and its round is out, for the database and for the beacon. */
async function drawable(terms: Record<string, unknown> = {}, sold?: number) {
  const made = await ended(terms, sold);
  expect((await closeAll()).body.sealed).toContain(made.id);
  await comeOut(made.id);
  return made;
}

async function comeOut(id: string) {
  const [{ round }] = await stack.sql`select round from public.draws where raffle_id = ${id}`;
  await reachRound(stack, id);
  await drand("clock", { to_round: Number(round) });
}

function verify(proof: string) {
  const { status, stdout, stderr } = spawnSync("python3", ["test/verifier/verify.py", "-"], {
    input: proof,
  });
  return { status, text: `${stdout}${stderr}` };
}

describe("close-raffle", () => {
  test("seals what is due, then waits for its round, then draws and settles", async () => {
    const { id } = await ended();
    const first = await closeAll();
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ sealed: [id], drawn: [], cancelled: [] });
    expect(first.body.waiting).toEqual([{
      raffle_id: id,
      round: expect.any(Number),
      expected_at: expect.stringMatching(/^\d{4}-/),
    }]);
    const before = await read(id);
    expect(before.body.winners).toEqual([]);
    expect(Object.keys(before.body.beacon).sort()).toEqual(["chain_hash", "round"]);

    await comeOut(id);
    expect((await closeAll()).body).toEqual({
      sealed: [],
      drawn: [id],
      cancelled: [],
      waiting: [],
    });
    const one = await closeOne(id);
    expect(one.body.raffle).toEqual({ id, state: "SETTLED" });
    expect(one.body.draw.winners).toHaveLength(1);
    const shown = await call(stack, "GET", `/raffles/${id}`);
    expect(shown.body.draw).toEqual(one.body.draw);
  });

  test("cancels a raffle below its minimum", async () => {
    const { id } = await ended({ min_tickets: 20 });
    expect((await closeAll()).body.cancelled).toEqual([id]);
    expect((await closeOne(id)).body).toEqual({ raffle: { id, state: "CANCELLED" } });
  });

  test("does nothing to a raffle that is still open, and knows which there are", async () => {
    const id = await raffle(stack);
    expect((await closeOne(id)).body).toEqual({ raffle: { id, state: "OPEN" } });
    expect(await closeOne(crypto.randomUUID())).toMatchObject({
      status: 404,
      body: { error: { code: "raffle_not_found" } },
    });
  });

  test("of one raffle seals that one, however many others are due", async () => {
    const made: string[] = [];
    for (let n = 0; n < 22; n++) made.push((await ended()).id);
    const last = made.at(-1)!;
    expect((await closeOne(last)).body.raffle.state).toBe("CLOSED");
    await closeAll();
    await closeAll();
    expect((await closeOne(made[0])).body.raffle.state).toBe("CLOSED");
  });

  test("of a draw that is late tells the operators, and forged tokens are refused here too", async () => {
    const { id } = await drawable();
    await drand("down");
    await stack.superuser.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`update public.draws set round_at = now() - interval '3 minutes' where raffle_id = ${id}`;
    });
    expect((await closeOne(id)).body.raffle.state).toBe("CLOSED");
    const alerts = await stack.sql`select details from public.operator_alerts
      where kind = 'draw_late' and subject = ${id}`;
    expect(alerts[0].details.relays[0].failure).toBe("status_unexpected");
    const forged = await call(stack, "POST", "/close-raffle", {
      token: tokenFor(id, {}, "x".repeat(40)),
    });
    expect(forged.status).toBe(401);
    await drand("heal");
    await closeOne(id);
  });

  test("twenty at once draw once", async () => {
    const { id } = await drawable();
    const answers = await Promise.all(Array.from({ length: 20 }, () => closeOne(id)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const seen = new Set(
      answers.flatMap(({ body }) => (body.draw?.winners ?? []).map(JSON.stringify)),
    );
    expect(seen.size).toBe(1);
    expect((await closeOne(id)).body.raffle.state).toBe("SETTLED");
  });

  test.each([
    ["down", {}],
    ["wrong_round", {}],
    ["replayed_round", {}],
    ["wrong_chain", {}],
    ["flipped_signature", { bit: 200 }],
    ["wrong_randomness", {}],
    ["malformed_json", {}],
    ["truncated_body", {}],
  ])("a beacon that is %s only makes it wait", async (fault, detail) => {
    const { id } = await drawable();
    await drand(fault, detail);
    const { status, body } = await closeOne(id);
    expect(status).toBe(200);
    expect(body.raffle.state).toBe("CLOSED");
    expect(body.draw.winners).toEqual([]);
    await drand("heal");
    expect((await closeOne(id)).body.raffle.state).toBe("SETTLED");
  });
});

describe("verify-draw", () => {
  test("publishes what anyone needs to draw again, and other programs come to the same", async () => {
    const { id } = await drawable({ winners_count: 3, min_tickets: 3, numbering: "RANDOM" });
    await closeAll();
    const { body } = await read(id);
    expect(body).toMatchObject({ algorithm: "rafflebase-draw-v1", raffle_id: id, ticket_count: 7 });
    const tree = new MerkleTree();
    for (const { ticket_num, holder } of body.tickets) {
      tree.add(hashLeaf(uuidToBytes(id), ticket_num, decodeHex(holder)));
    }
    expect(encodeHex(tree.root())).toBe(body.ticket_root);
    expect(verify(JSON.stringify(body))).toMatchObject({ status: 0 });
    const other = {
      ...body,
      winners: [...body.winners].reverse().map((one, at) => ({ ...one, place: at + 1 })),
    };
    expect(verify(JSON.stringify(other))).toMatchObject({ status: 1 });
  });

  test("is paged, and streams as lines", async () => {
    const { id } = await drawable();
    await closeAll();
    const whole = (await read(id)).body;
    const page = (await read(`${id}?skip=2&limit=3`)).body;
    expect(page.tickets).toEqual(whole.tickets.slice(2, 5));
    const answer = await fetch(`${stack.apiUrl}/functions/v1/verify-draw/${id}?format=ndjson`);
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    const text = await answer.text();
    const [seal, ...tickets] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    expect({ ...seal, tickets }).toEqual(whole);
    expect(verify(text)).toMatchObject({ status: 0 });
  });

  test("is all that npm run verify needs to say whether the draw is right", async () => {
    const { id } = await drawable();
    await closeAll();
    const run = async (...sources: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--node-modules-dir=manual", "supabase/local/verify.ts", ...sources],
      }).output();
      const decoder = new TextDecoder();
      return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
    };
    const address = `${stack.apiUrl}/functions/v1/verify-draw/${id}`;
    const right = await run(address);
    expect(right.text).toContain("the beacon is signed by rafflebase-local");
    expect(right).toMatchObject({ code: 0 });

    const proof = (await read(id)).body;
    // Somebody else's root is not the one that this was told; a server that is away says nothing of the draw.
    expect((await run(address, "--root", proof.ticket_root)).code).toBe(0);
    expect(await run(address, "--root", "0".repeat(64))).toMatchObject({
      code: 1,
      text: expect.stringContaining("was told, and this is another"),
    });
    expect(await run("http://127.0.0.1:9/verify-draw/x")).toMatchObject({
      code: 2,
      text: expect.stringContaining("Nothing was checked"),
    });

    const [{ ticket_num }] = proof.winners;
    const other = proof.tickets.find((one: { ticket_num: number }) =>
      one.ticket_num !== ticket_num
    );
    const file = await Deno.makeTempFile({ suffix: ".json" });
    for (
      const [bent, words] of [
        [{ winners: [{ place: 1, ticket_num: other.ticket_num }] }, "place 1 belongs to ticket"],
        [{ tickets: proof.tickets.slice(1) }, "there are 6 tickets, not 7"],
        [{ winners_count: 2 }, "1 winners are named of 2"],
        [{ beacon: { ...proof.beacon, chain_hash: "ab".repeat(32) } }, "not one that we know"],
        [{ ticket_root: "0".repeat(64) }, "not the one that was sealed"],
        [{ sealed_at: "2026-01-01T00:00:00Z" }, "the round must be"],
        [
          { beacon: { ...proof.beacon, signature: "0".repeat(96) } },
          "the beacon is not that round's",
        ],
      ] as const
    ) {
      await Deno.writeTextFile(file, JSON.stringify({ ...proof, ...bent }));
      const wrong = await run(file);
      expect(wrong.text).toContain(words);
      expect(wrong.code).toBe(1);
    }
    await Deno.remove(file);

    // A server that has one honest draw shows it for every other.
    const liar = Deno.serve({ port: 0, onListen: () => {} }, () => {
      const { tickets, ...seal } = proof;
      return new Response([seal, ...tickets].map((one) => `${JSON.stringify(one)}\n`).join(""));
    });
    const elsewhere = `http://127.0.0.1:${liar.addr.port}/verify-draw/${crypto.randomUUID()}`;
    expect(await run(elsewhere)).toMatchObject({
      code: 1,
      text: expect.stringContaining("another raffle"),
    });
    await liar.shutdown();
  });

  test("of a raffle that was cancelled after its sealing says so, and its tickets can still be proved", async () => {
    const { id } = await ended();
    await closeAll();
    await actAs(
      stack,
      await operatorOf(stack),
      (sql) => sql`select public.cancel_raffle(${id}, 'The prize is broken', false)`,
    );
    const { body } = await read(id);
    expect(body).toMatchObject({ state: "CANCELLED", winners: [] });
    expect((await read(`${id}/tickets/1`)).status).toBe(200);
    expect(verify(JSON.stringify(body))).toMatchObject({
      status: 0,
      text: expect.stringContaining("cancelled"),
    });
  });

  test("says that a raffle is not sealed, or not there", async () => {
    expect(await read(await raffle(stack))).toMatchObject({
      status: 409,
      body: { error: { code: "raffle_not_sealed" } },
    });
    expect(await read(crypto.randomUUID())).toMatchObject({
      status: 404,
      body: { error: { code: "raffle_not_found" } },
    });
  });

  test("proves each ticket, beyond one block of the tree too; the salt is for its owner", async () => {
    const id = await raffle(stack, {
      tickets_required: 10_000,
      numbering: "RANDOM",
      ticket_price_cents: 10,
    });
    const people = [await player(stack, 500_00), await player(stack, 500_00)];
    for (let n = 0; n < 21; n++) {
      await buy(stack, people[n % 2].id, { raffle_id: id, quantity: 99 });
    }
    await close(stack, id);
    await closeAll();
    const { body: { ticket_count, ticket_root } } = await read(`${id}?limit=1`);
    const numbers = (await stack.sql`select ticket_num from public.tickets where raffle_id = ${id}
      order by ticket_num`).map(({ ticket_num }) => ticket_num as number);
    expect(ticket_count).toBe(numbers.length);
    for (const at of [0, 1, 1023, 1024, 2047, 2048, 2078]) {
      const { body } = await read(`${id}/tickets/${numbers[at]}`);
      expect(body).toMatchObject({
        index: at,
        ticket_count,
        root: ticket_root,
        ticket_num: numbers[at],
      });
      expect(body.salt).toBeUndefined();
      const path = { index: at, count: ticket_count, path: body.path.map(decodeHex) };
      expect(verifyInclusion(decodeHex(body.leaf), path, decodeHex(ticket_root))).toBe(true);
    }
    const [{ ticket_num, user_id }] = await stack.sql`select ticket_num, user_id from public.tickets
      where raffle_id = ${id} limit 1`;
    const own = (await read(`${id}/tickets/${ticket_num}`, tokenFor(user_id))).body;
    const holder = hashHolder(decodeHex(own.salt), uuidToBytes(user_id));
    expect(encodeHex(holder)).toBe(own.holder);
    expect(encodeHex(hashLeaf(uuidToBytes(id), ticket_num, holder))).toBe(own.leaf);
    expect(await read(`${id}/tickets/999999`)).toMatchObject({
      status: 404,
      body: { error: { code: "ticket_not_found" } },
    });
  });
});
