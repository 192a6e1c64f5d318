// Operators and admins who want another winner, and whoever holds the secret key: by the tables and by every
// function they may call. What SQL itself refuses is in test/sql/draw.test.ts and test/sql/catalogue.test.ts.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { beacon, close, draw, reachRound, seal, settle } from "../support/draws.ts";
import { buy, draft, player, raffle, stateOf } from "../support/raffles.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, secretClient, signUp, testStack, tokenFor } from "../support/stack.ts";
import { violations } from "../support/wallets.ts";
import { tables } from "./access-matrix.ts";
import { fingerprint } from "./fingerprint.ts";
import { sendRest } from "./rest.ts";

let stack: TestStack;
let operator: Person;
let second: Person;
let admin: Person;
let raffleId: string;
let anotherId: string;
let players: { id: string }[];

beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 100000`;
  [operator, second] = [
    await signUp(stack, { roles: ["operator"] }),
    await signUp(stack, { roles: ["operator"] }),
  ];
  admin = await signUp(stack, { roles: ["admin"] });
  anotherId = await raffle(stack);
  ({ raffleId, players } = await sealed());
});
afterEach(async () => expect(await violations(stack)).toEqual([]));

/** A raffle of ten tickets, all sold to two people, sealed, and its round not out yet. */
async function sealed(terms: Record<string, unknown> = {}) {
  const raffleId = await raffle(stack, { tickets_required: 10, ...terms });
  const players = [await player(stack, 10_000), await player(stack, 10_000)];
  await buy(stack, players[0].id, { raffle_id: raffleId, quantity: 4 });
  await buy(stack, players[1].id, { raffle_id: raffleId, quantity: 6 });
  await seal(stack, raffleId);
  return { raffleId, players };
}

const staff = () => [["operator", operator], ["admin", admin]] as const;
const rpc = async ({ token }: { token: string }, name: string, args: object) =>
  (await clientFor(stack, token).rpc(name as never, args as never)).error?.message ?? "none";

async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await fingerprint(stack, ["app.rate_buckets"]);
  const result = await work();
  expect(await fingerprint(stack, ["app.rate_buckets"])).toEqual(before);
  return result;
}

/** Texts in which a raffle is shown, and no part of what decides it. */
const SHOWN = ["title", "description"];

const columnsOf = async (table: string): Promise<string[]> =>
  (await stack.superuser`select attname from pg_attribute
    where attrelid = ${`public.${table}`}::regclass and attnum > 0 and not attisdropped`)
    .map(({ attname }) => attname);

const OTHERS: Record<string, unknown> = {
  state: "OPEN",
  currency: "COP",
  numbering: "RANDOM",
  draw_method: "LOTTERY",
  unsold_rule: "HOUSE",
  prize_tiers: [{ place: 1, amount_cents: 1 }],
  lottery_draw_date: "2031-01-01",
};

/** Something that the column may hold and does not. */
async function otherValue(column: string): Promise<unknown> {
  if (column in OTHERS) return OTHERS[column];
  if (column.endsWith("_at")) return "2031-01-01T00:00:00Z";
  if (column === "id" || column.endsWith("_id") || column === "retry_of") return anotherId;
  const [{ value }] = await stack.superuser.unsafe(
    `select "${column}" as value from public.raffles where id = $1`,
    [raffleId],
  );
  return column.startsWith("cancel_") ? "x" : Number(value ?? 0) + 1;
}

const PLAYED = ["tickets", "draws", "winners", "prize_claims", "purchases", "raffle_progress"]
  .concat("lottery_draws", "lottery_results", "lottery_dates", "lotteries", "wallet_ledger");

describe("after the seal, by the tables,", () => {
  test.each(PLAYED)("nobody changes, adds or takes away anything: %s", async (table) => {
    const columns = await columnsOf(table);
    const row = tables[`public.${table}`].sample(raffleId)!;
    const some = `/${table}?${columns[0]}=not.is.null`;
    await changesNothing(async () => {
      for (const [who, { token }] of staff()) {
        const answers = [
          ...await Promise.all(
            columns.map((column) =>
              sendRest(stack, "PATCH", some, { token, body: { [column]: null } })
            ),
          ),
          await sendRest(stack, "DELETE", some, { token }),
          await sendRest(stack, "POST", `/${table}`, { token, body: row }),
          await sendRest(stack, "POST", `/${table}`, {
            token,
            body: row,
            headers: { prefer: "resolution=merge-duplicates" },
          }),
        ];
        // 428C9: a column that nobody at all can set.
        const open = answers.filter(({ status, text }) =>
          status !== 403 && !text.includes("428C9")
        );
        expect(open, who).toEqual([]);
      }
    });
  });

  test("nobody changes a term of the raffle's, or deletes it", async () => {
    const columns = (await columnsOf("raffles")).filter((one) => !SHOWN.includes(one));
    await changesNothing(async () => {
      for (const [who, { token }] of staff()) {
        for (const column of columns) {
          const value = await otherValue(column);
          const path = `/raffles?id=eq.${raffleId}`;
          const answer = await sendRest(stack, "PATCH", path, { token, body: { [column]: value } });
          expect([403, 409], `${who} ${column}: ${value} ${answer.text}`).toContain(answer.status);
        }
        const gone = await sendRest(stack, "DELETE", `/raffles?id=eq.${raffleId}`, { token });
        expect(gone.status).toBe(403);
      }
    });
  });

  test("the prize stays what was played for", async () => {
    const [{ prize_id }] = await stack
      .sql`select prize_id from public.raffles where id = ${raffleId}`;
    await changesNothing(async () => {
      for (const [, { token }] of staff()) {
        for (const body of [{ value_cents: 1 }, { title: "A toy bicycle" }, { currency: "COP" }]) {
          const answer = await sendRest(stack, "PATCH", `/prizes?id=eq.${prize_id}`, {
            token,
            body,
          });
          expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
        }
        const gone = await sendRest(stack, "DELETE", `/prizes?id=eq.${prize_id}`, { token });
        expect(gone.status).toBeGreaterThanOrEqual(400);
      }
    });
  });
});

describe("by what they may call,", () => {
  test("staff neither seal, nor draw, nor settle: that is for the clock, by our own functions", async () => {
    const { signature, randomness } = beacon();
    await changesNothing(async () => {
      for (const [, person] of staff()) {
        for (
          const [name, args] of [
            ["seal_raffle", { raffle_id: raffleId }],
            ["draw_raffle", { raffle_id: raffleId, round: 1, signature, randomness }],
            ["draw_by_lottery", { raffle_id: raffleId }],
            ["settle_raffle", { raffle_id: raffleId }],
            ["report_late_draw", { raffle_id: raffleId, failures: [] }],
            ["record_feed_result", {
              lottery_id: raffleId,
              draw_date: "2026-01-01",
              winning_number: "07",
            }],
          ] as const
        ) {
          const error = await rpc(person, name, args);
          expect(error, name).toMatch(/^permission denied for function/);
        }
      }
    });
  });

  test("a raffle is published once, and neither again, nor after its seal", async () => {
    const made = await draft(stack);
    expect(await rpc(operator, "publish_raffle", { raffle_id: made })).toBe("none");
    for (const id of [made, raffleId]) {
      expect(await changesNothing(() => rpc(second, "publish_raffle", { raffle_id: id })))
        .toBe("raffle_not_draft");
    }
  });

  test("closing is asked for by anybody, and chooses neither the chain nor the round", async () => {
    await changesNothing(async () => {
      const tries: [string, object][] = [
        [`?round=1&chain_hash=${"0".repeat(64)}`, {}],
        ["", { round: 1, chain_hash: "0".repeat(64), randomness: "0".repeat(64) }],
        ["", { winners: [{ place: 1, ticket_num: 1 }], force: true }],
      ];
      for (const [query, body] of tries) {
        for (const token of [undefined, operator.token, admin.token]) {
          const answer = await call(stack, "POST", `/close-raffle/${raffleId}${query}`, {
            token,
            body,
          });
          expect(answer.body.raffle?.state ?? "refused").toMatch(/^(CLOSED|refused)$/);
        }
      }
    });
  });

  test("nobody cancels once the round may be known, and a dry run tells no secret of it", async () => {
    const { raffleId } = await sealed();
    await reachRound(stack, raffleId);
    for (const [, person] of staff()) {
      for (const dry_run of [false, true]) {
        const args = { raffle_id: raffleId, reason: "The wrong one would win", dry_run };
        expect(await changesNothing(() => rpc(person, "cancel_raffle", args)))
          .toBe("raffle_not_cancellable");
      }
    }
    await draw(stack, raffleId);
    const args = { raffle_id: raffleId, reason: "The wrong one has won", dry_run: false };
    expect(await changesNothing(() => rpc(admin, "cancel_raffle", args)))
      .toBe("raffle_not_cancellable");
  });

  test("a prize is claimed for nobody else, sent to nobody who has not claimed it", async () => {
    const { raffleId, players } = await sealed();
    await draw(stack, raffleId);
    await settle(stack, raffleId);
    const args = { raffle_id: raffleId, place: 1, delivery: { street: "At the operator's" } };
    await changesNothing(async () => {
      for (const [, person] of staff()) {
        expect(await rpc(person, "claim_prize", args)).toBe("prize_not_found");
        expect(
          await rpc(person, "send_prize", { raffle_id: raffleId, place: 1, status: "SHIPPED" }),
        )
          .toBe("state_change_refused");
        for (const status of ["FORFEITED", "OFFERED", "CLAIMED"]) {
          expect(await rpc(person, "send_prize", { raffle_id: raffleId, place: 1, status }))
            .toBe("request_invalid");
        }
      }
      const [claim] = await stack.sql`select user_id from public.prize_claims
        where raffle_id = ${raffleId}`;
      const loser = players.find(({ id }) => id !== claim.user_id)!;
      expect(await rpc({ token: tokenFor(loser.id) }, "claim_prize", args)).toBe("prize_not_found");
    });
  });

  test("what happens to a person after the seal changes nothing of who wins", async () => {
    const { raffleId, players } = await sealed();
    const { body: before } = await call(stack, "GET", `/verify-draw/${raffleId}`);
    for (const { id } of players) {
      expect(await rpc(operator, "set_account_status", { user_id: id, status: "SUSPENDED" }))
        .toBe("none");
      expect(await rpc(operator, "suspend_wallet", { user_id: id, reason: "no luck" })).toBe(
        "none",
      );
    }
    const { body: after } = await call(stack, "GET", `/verify-draw/${raffleId}`);
    expect(after).toEqual(before);
    await draw(stack, raffleId);
    expect(await stateOf(stack, raffleId)).toBe("DRAWN");
    const [{ count }] = await stack.sql`select count(*)::int from public.winners
      where raffle_id = ${raffleId}`;
    expect(count).toBe(1);
  });
});

describe("an official result", () => {
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  async function lottery(): Promise<string> {
    const [{ id }] = await stack
      .sql`insert into public.lotteries (name, digits, time_zone, draws_at)
      values (${crypto.randomUUID()}, 2, 'UTC', '12:00') returning id`;
    return id;
  }
  const enter = (person: Person, lottery_id: string, winning_number: string) =>
    rpc(person, "record_lottery_result", { lottery_id, draw_date: yesterday, winning_number });
  const confirmed = async (id: string) =>
    (await stack.sql`select winning_number from public.lottery_results where lottery_id = ${id}`)
      .map(({ winning_number }) => winning_number);

  test("is not made by one alone, however often and by whatever way", async () => {
    const id = await lottery();
    for (let time = 0; time < 3; time++) await enter(operator, id, "07");
    await Promise.all(Array.from({ length: 10 }, () => enter(operator, id, "07")));
    for (const [, { token }] of staff()) {
      const row = { lottery_id: id, draw_date: yesterday, winning_number: "07" };
      const answer = await sendRest(stack, "POST", "/lottery_results", { token, body: row });
      expect(answer.status).toBe(403);
    }
    // Nor by one who has signed in twice, or is given the other role as well.
    await enter({ ...operator, token: tokenFor(operator.id, { session_id: "another" }) }, id, "07");
    await rpc(admin, "grant_role", { user_id: operator.id, role: "admin" });
    await enter(operator, id, "07");
    await rpc(admin, "revoke_role", { user_id: operator.id, role: "admin" });
    expect(await confirmed(id)).toEqual([]);
    await enter(second, id, "07");
    expect(await confirmed(id)).toEqual(["07"]);
  });

  test("is not another's any more once it counts", async () => {
    const id = await lottery();
    await enter(operator, id, "07");
    await enter(second, id, "07");
    for (const person of [operator, second, admin]) await enter(person, id, "42");
    expect(await confirmed(id)).toEqual(["07"]);
  });

  test("is for operators: no player, and nobody whose role or account is gone", async () => {
    const id = await lottery();
    const gone = await signUp(stack, { roles: ["operator"] });
    await rpc(admin, "set_account_status", { user_id: gone.id, status: "SUSPENDED" });
    for (const person of [gone, await signUp(stack)]) {
      expect(await changesNothing(() => enter(person, id, "07"))).toBe("not_permitted");
    }
  });

  test("of a day that raffles wait for is not moved to another, by an admin either", async () => {
    const id = await lottery();
    const day = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
    await raffle(stack, {
      numbering: "PICK",
      draw_method: "LOTTERY",
      unsold_rule: "HOUSE",
      lottery_id: id,
      lottery_draw_date: day,
    });
    const args = { lottery_id: id, draw_date: day, takes_place: false };
    expect(await rpc(operator, "set_lottery_date", args)).toBe("not_permitted");
    expect(await rpc(admin, "set_lottery_date", args)).toBe("lottery_date_in_use");
  });
});

describe("whoever holds the secret key", () => {
  test("draws nothing before its round, by no other round, with no other randomness", async () => {
    const { raffleId } = await sealed();
    const client = secretClient(stack);
    const [{ round }] = await stack
      .sql`select round from public.draws where raffle_id = ${raffleId}`;
    const good = { raffle_id: raffleId, round: Number(round), ...beacon() };
    const attempt = async (args: object) =>
      (await client.rpc("draw_raffle", { ...good, ...args })).error?.message;
    await changesNothing(async () => expect(await attempt({})).toBe("beacon_invalid"));
    await reachRound(stack, raffleId);
    await changesNothing(async () => {
      expect(await attempt({ round: good.round - 1 })).toBe("beacon_invalid");
      expect(await attempt({ randomness: beacon().randomness })).toBe("beacon_invalid");
      expect(await attempt({ signature: beacon().signature })).toBe("beacon_invalid");
    });
  });

  test("writes no table of a draw", async () => {
    const client = secretClient(stack);
    await changesNothing(async () => {
      for (const table of PLAYED) {
        const row = tables[`public.${table}`].sample(raffleId)!;
        const [column] = Object.keys(row);
        const from = client.from(table as never);
        for (
          const { error } of [
            await from.insert(row as never),
            await from.update(row as never).not(column, "is", null),
            await from.delete().not(column, "is", null),
          ]
        ) expect(error?.code, table).toBe("42501");
      }
    });
  });
});

test("a raffle that is open is closed by nobody before its time, and is sealed once", async () => {
  const id = await raffle(stack, { tickets_required: 10 });
  await buy(stack, players[0].id, { raffle_id: id, quantity: 5 }).catch(() => {});
  for (const token of [undefined, operator.token, admin.token]) {
    const { body } = await call(stack, "POST", `/close-raffle/${id}`, { token });
    expect(body.raffle.state).toBe("OPEN");
  }
  await close(stack, id);
  await call(stack, "POST", `/close-raffle/${id}`);
  const [first] = await stack.sql`select * from public.draws where raffle_id = ${id}`;
  for (let time = 0; time < 3; time++) await call(stack, "POST", `/close-raffle/${id}`);
  expect(await stack.sql`select * from public.draws where raffle_id = ${id}`).toEqual([first]);
});
