import { beforeAll, describe, expect, test } from "vitest";
import { toldOf } from "../support/notifications.ts";
import { DrawCase, solve } from "../support/draw-cases.ts";
import type { TestDatabase } from "../support/database.ts";
import { actAs, codeOf, testDatabase } from "../support/database.ts";
import { beacon, close, draw, reachRound, seal, settle, winnersOf } from "../support/draws.ts";
import { buy, operatorOf, player, raffle, stateOf, ticketsOf } from "../support/raffles.ts";
import { houseBalance, violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await testDatabase()));

/** A raffle that somebody has bought all of. */
async function soldOut(terms: Record<string, unknown> = {}) {
  const raffleId = await raffle(db, { tickets_required: 10, ...terms });
  const people = [await player(db, 100_00), await player(db, 100_00)];
  await buy(db, people[0].id, { raffle_id: raffleId, quantity: 4 });
  await buy(db, people[1].id, { raffle_id: raffleId, quantity: 6 });
  return { raffleId, people };
}

describe("sealing", () => {
  test("is due when the time is over or the raffle is full, and not before", async () => {
    const raffleId = await raffle(db);
    const { id } = await player(db, 100_00);
    await buy(db, id, { raffle_id: raffleId, quantity: 3 });
    expect(await seal(db, raffleId)).toBeNull();
    await close(db, raffleId);
    expect(await seal(db, raffleId)).toBe("CLOSED");
    expect(await seal(db, raffleId)).toBeNull();
    expect(await seal(db, (await soldOut()).raffleId)).toBe("CLOSED");
    expect(await violations(db)).toEqual([]);
  });

  test("names the first round that comes out a minute later or more", async () => {
    const { raffleId } = await soldOut();
    await seal(db, raffleId);
    const [{ sealed_at, round_at, round, ahead }] = await db.sql`
      select *, extract(epoch from round_at - sealed_at) as ahead from public.draws where raffle_id = ${raffleId}`;
    expect(Number(ahead)).toBeGreaterThanOrEqual(60);
    expect(Number(ahead)).toBeLessThan(63);
    expect(new Date(round_at).getTime()).toBe((1_692_803_367 + (Number(round) - 1) * 3) * 1000);
    expect(new Date(sealed_at).getTime()).toBeLessThanOrEqual(Date.now());
  });

  test("below the minimum everybody gets their money back instead", async () => {
    const raffleId = await raffle(db, { min_tickets: 5 });
    const { id } = await player(db, 100_00);
    await buy(db, id, { raffle_id: raffleId, quantity: 4 });
    await buy(db, id, { raffle_id: raffleId, payment_method: "card" }); // and not paid
    await close(db, raffleId);
    expect(await seal(db, raffleId)).toBe("CANCELLED");
    expect((await walletOf(db, id)).balance).toBe(100_00);
    expect(await violations(db)).toEqual([]);
  });

  test("issues what was paid and not redeemed, and ends what was not paid", async () => {
    const raffleId = await raffle(db, { numbering: "PICK" });
    const { id } = await player(db, 100_00);
    await buy(db, id, { raffle_id: raffleId, quantity: 2, redeem: false });
    await buy(db, id, { raffle_id: raffleId, numbers: [7, 9], redeem: false });
    await buy(db, id, { raffle_id: raffleId, quantity: 5, payment_method: "card" });
    await close(db, raffleId);
    expect(await seal(db, raffleId)).toBe("CLOSED");
    const tickets = await ticketsOf(db, raffleId);
    expect(tickets).toHaveLength(4);
    expect(tickets).toEqual(expect.arrayContaining([7, 9]));
    expect(
      await db.sql`select status from public.purchases where raffle_id = ${raffleId} order by id`,
    )
      .toEqual([{ status: "CONFIRMED" }, { status: "CONFIRMED" }, { status: "EXPIRED" }]);
    expect(await violations(db)).toEqual([]);
  });

  test("ends buying, redeeming and cancelling in time to win", async () => {
    const { raffleId, people } = await soldOut();
    await seal(db, raffleId);
    expect(await codeOf(buy(db, people[0].id, { raffle_id: raffleId, quantity: 1 }))).toBe(
      "raffle_not_open",
    );
    await reachRound(db, raffleId);
    const cancelling = actAs(
      db,
      await operatorOf(db),
      (sql) => sql`select public.cancel_raffle(${raffleId}, 'I do not like it', false)`,
    );
    expect(await codeOf(cancelling)).toBe("raffle_not_cancellable");
  });
});

describe("drawing", () => {
  test("puts those first whom the beacon names, the same each time it is asked", async () => {
    const { raffleId } = await soldOut({ winners_count: 3, min_tickets: 3 });
    await seal(db, raffleId);
    expect(await draw(db, raffleId)).toBe(true);
    const winners = await winnersOf(db, raffleId);
    expect(winners.map(({ place }) => place)).toEqual([1, 2, 3]);
    expect(await draw(db, raffleId)).toBe(false);
    expect(await winnersOf(db, raffleId)).toEqual(winners);
    expect(await violations(db)).toEqual([]);
  });

  test("takes no other round, no other randomness and nothing before its time", async () => {
    const { raffleId } = await soldOut();
    await seal(db, raffleId);
    const [{ round }] = await db.sql`select round from public.draws where raffle_id = ${raffleId}`;
    const { signature, randomness } = beacon();
    const attempt = (...args: [number, string | null, string | null]) =>
      codeOf(db.sql`select app.draw_raffle(${raffleId}, ${args[0]}, ${args[1]}, ${args[2]})`);
    expect(await attempt(Number(round), signature, randomness)).toBe("beacon_invalid");
    await reachRound(db, raffleId);
    expect(await attempt(Number(round) + 1, signature, randomness)).toBe("beacon_invalid");
    expect(await attempt(Number(round), signature, beacon().randomness)).toBe("beacon_invalid");
    expect(await attempt(Number(round), signature.slice(2), randomness)).toBe("beacon_invalid");
    expect(await attempt(Number(round), signature.toUpperCase(), randomness))
      .toBe("beacon_invalid");
    expect(await attempt(Number(round), null, randomness)).toBe("beacon_invalid");
    expect(await attempt(Number(round), signature, null)).toBe("beacon_invalid");
    expect(await stateOf(db, raffleId)).toBe("CLOSED");
    expect(await attempt(Number(round), signature, randomness)).toBe("none");
  });
});

describe("settling", () => {
  test("pays prize money to the winners and the rest to the house, once", async () => {
    const { raffleId } = await soldOut({
      winners_count: 2,
      min_tickets: 10,
      prize_tiers: [{ place: 1, amount_cents: 2000 }, { place: 2, amount_cents: 1000 }],
    });
    await seal(db, raffleId);
    await draw(db, raffleId);
    const revenue = await houseBalance(db, "REVENUE");
    expect(await settle(db, raffleId)).toBe(true);
    expect(await settle(db, raffleId)).toBe(false);
    expect(await houseBalance(db, "REVENUE") - revenue).toBe(2000);
    const paid = await db.sql`select amount_cents::integer as cents from public.wallet_ledger
      where raffle_id = ${raffleId} and reason = 'PRIZE_PAYOUT' and user_id is not null order by amount_cents desc`;
    expect(paid.map(({ cents }) => cents)).toEqual([2000, 1000]);
    expect(await stateOf(db, raffleId)).toBe("SETTLED");
    expect(await violations(db)).toEqual([]);
  });

  test("gives back to stock what was taken for places that are paid in money", async () => {
    const { raffleId } = await soldOut({
      min_tickets: 10,
      prize_tiers: [{ place: 1, amount_cents: 2000 }],
    });
    const stock = async () =>
      (await db.sql`select p.stock from public.prizes p join public.raffles r on r.prize_id = p.id
        where r.id = ${raffleId}`)[0].stock;
    expect(await stock()).toBe(99);
    await seal(db, raffleId);
    await draw(db, raffleId);
    await settle(db, raffleId);
    expect(await stock()).toBe(100);
  });

  test("tells everybody whether they won, once each", async () => {
    const { raffleId } = await soldOut();
    await seal(db, raffleId);
    await draw(db, raffleId);
    await settle(db, raffleId);
    const told = (await toldOf(db, { subject_id: raffleId })).map(({ event }) => event);
    expect(told.filter((event) => event.endsWith("won")).sort()).toEqual(["not_won", "won"]);
  });
});

describe("a prize that is a thing", () => {
  async function won() {
    const { raffleId, people } = await soldOut();
    await seal(db, raffleId);
    await draw(db, raffleId);
    await settle(db, raffleId);
    const [{ user_id }] = await db
      .sql`select user_id from public.prize_claims where raffle_id = ${raffleId}`;
    return {
      raffleId,
      winner: user_id as string,
      other: people.find(({ id }) => id !== user_id)!.id,
    };
  }
  const as = (id: string) => ({ role: "authenticated", id }) as const;
  const claim = (raffleId: string, id: string, place = 1) =>
    codeOf(
      actAs(db, as(id), (sql) =>
        sql`select public.claim_prize(${raffleId}, ${place}, '{"street": "Calle 1"}')`),
    );
  const send = async (raffleId: string, status: string, tracking: string | null = null) =>
    codeOf(
      actAs(db, await operatorOf(db), (sql) =>
        sql`select public.send_prize(${raffleId}, 1, ${status}, ${tracking})`),
    );

  test("is claimed by its winner alone, sent and delivered", async () => {
    const { raffleId, winner, other } = await won();
    expect(await claim(raffleId, other)).toBe("prize_not_found");
    expect(await send(raffleId, "SHIPPED")).toBe("state_change_refused");
    expect(await claim(raffleId, winner)).toBe("none");
    expect(await send(raffleId, "SHIPPED", "MRW 1234")).toBe("none");
    expect(await claim(raffleId, winner)).toBe("prize_not_claimable");
    expect(await send(raffleId, "DELIVERED")).toBe("none");
    expect(
      await db.sql`select status, tracking from public.prize_claims where raffle_id = ${raffleId}`,
    )
      .toEqual([{ status: "DELIVERED", tracking: "MRW 1234" }]);
  });

  test("is not sent to who owes us what their bank took back, until it is paid", async () => {
    const { raffleId, winner } = await won();
    expect(await claim(raffleId, winner)).toBe("none");
    await db.sql`update public.wallet_accounts set debt_cents = 1 where user_id = ${winner}`;
    expect(await send(raffleId, "SHIPPED")).toBe("prize_not_sendable");
    await db.sql`update public.wallet_accounts set debt_cents = 0 where user_id = ${winner}`;
    expect(await send(raffleId, "SHIPPED")).toBe("none");
    await db
      .sql`update public.wallet_accounts set suspended_reason = 'fraud' where user_id = ${winner}`;
    expect(await send(raffleId, "DELIVERED")).toBe("none");
    await db
      .sql`update public.wallet_accounts set suspended_reason = null where user_id = ${winner}`;
  });

  test("is not claimed without saying where, nor by who is suspended, nor sent with a senseless tracking", async () => {
    const { raffleId, winner } = await won();
    for (const delivery of ["{}", '{"street": " "}', '{"street": null}', "[]", "1"]) {
      const claiming = actAs(
        db,
        as(winner),
        (sql) => sql`select public.claim_prize(${raffleId}, 1, ${delivery}::text::jsonb)`,
      );
      expect(await codeOf(claiming), delivery).toBe("request_invalid");
    }
    await db.sql`update public.profiles set status = 'SUSPENDED' where id = ${winner}`;
    expect(await claim(raffleId, winner)).toBe("account_suspended");
    await db.sql`update public.profiles set status = 'ACTIVE' where id = ${winner}`;
    expect(await claim(raffleId, winner)).toBe("none");
    expect(await send(raffleId, "SHIPPED", "")).toBe("request_invalid");
    expect(await send(raffleId, "SHIPPED", "x".repeat(501))).toBe("request_invalid");
    const kept = await db.sql`select from public.audit_log where after::text like '%Calle 1%'`;
    expect(kept).toEqual([]);
  });

  test("goes to the next place of the same draw when its time is over, and in the end back to stock", async () => {
    const { raffleId, winner } = await won();
    const expire = () =>
      db.sql`update public.prize_claims set claim_until = now() - interval '1 second'
        where raffle_id = ${raffleId} and status = 'OFFERED'`;
    await expire();
    expect(await claim(raffleId, winner)).toBe("prize_not_claimable");
    await db.sql`select app.pass_on_prizes()`;
    await db.sql`select app.pass_on_prizes()`;
    expect((await winnersOf(db, raffleId)).map(({ place }) => place)).toEqual([1, 2]);
    expect(await violations(db)).toEqual([]);
    for (let place = 2; place <= 10; place++) {
      await expire();
      await db.sql`select app.pass_on_prizes()`;
    }
    expect(await winnersOf(db, raffleId)).toHaveLength(10);
    const [{ stock }] = await db
      .sql`select p.stock from public.prizes p join public.raffles r on r.prize_id = p.id
      where r.id = ${raffleId}`;
    expect(stock).toBe(100);
    expect(await violations(db)).toEqual([]);
  });
});

describe("what was sealed", () => {
  test("is changed by nobody, the service role and the tables' owner included", async () => {
    const { raffleId } = await soldOut();
    await seal(db, raffleId);
    await draw(db, raffleId);
    for (
      const statement of [
        "update public.draws set ticket_root = repeat('0', 64)",
        "update public.draws set round = round + 1",
        "update public.draws set signature = repeat('0', 96), randomness = repeat('0', 64)",
        "update public.draws set drawn_at = now()",
        "delete from public.draws",
        "update public.tickets set user_id = gen_random_uuid()",
        "delete from public.tickets",
        "update public.winners set ticket_num = 1",
        "delete from public.winners",
        "delete from public.lottery_results",
      ]
    ) {
      const where = statement.startsWith("update")
        ? `${statement} where raffle_id = '${raffleId}'`
        : statement;
      expect(await codeOf(db.sql.unsafe(where)), statement).toBe("42501");
      const roles = [{ role: "anon" }, { role: "service_role" }, await operatorOf(db)] as const;
      for (const actor of roles) {
        expect(await codeOf(actAs(db, actor, (sql) => sql.unsafe(where))), actor.role).toBe(
          "42501",
        );
      }
    }
  });

  test.each([
    [
      "a ticket of another owner",
      "update public.tickets set user_id = gen_random_uuid() where ticket_num = 3",
    ],
    ["a ticket less", "delete from public.tickets where ticket_num = 3"],
    ["another number", "update public.tickets set ticket_num = 77 where ticket_num = 3"],
    ["a voided ticket", "update public.tickets set voided_at = now() where ticket_num = 3"],
    ["another winner", "update public.winners set ticket_num = 11 - ticket_num"],
    ["other randomness", "update public.draws set randomness = repeat('0', 64)"],
    ["another signature", "update public.draws set signature = repeat('0', 96)"],
  ])("is missed by invariant 6 when a superuser makes it %s", async (_name, statement) => {
    const { raffleId } = await soldOut();
    await seal(db, raffleId);
    await draw(db, raffleId);
    const found: string[] = [];
    await db.superuser.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql.unsafe(
        `${statement}${statement.includes("where") ? " and" : " where"} raffle_id = '${raffleId}'`,
      );
      for (const { invariant } of await sql`select * from app.check_invariants()`) {
        found.push(String(invariant));
      }
      throw new Error("undo");
    }).catch((error) => expect(error.message).toBe("undo"));
    expect(found).toContain("6");
  });
});

test("whatever writes it, a draw has all of its beacon, a ticket one place, and one chain is in use", async () => {
  const { raffleId } = await soldOut();
  await seal(db, raffleId);
  expect(
    await codeOf(db.sql`update public.draws set randomness = repeat('0', 64)
    where raffle_id = ${raffleId}`),
  ).toBe("23514");
  await draw(db, raffleId);
  expect(
    await codeOf(db.sql`insert into public.winners (raffle_id, place, ticket_num)
    select raffle_id, place + 100, ticket_num from public.winners where raffle_id = ${raffleId}`),
  ).toBe("23505");
  expect(await codeOf(db.sql`update app.beacon_chains set in_use = true`)).toBe("23505");
});

describe("the arithmetic in SQL", () => {
  const of = (count: number, step: number): DrawCase => ({
    raffle_id: crypto.randomUUID(),
    label: "sql",
    count,
    step,
    round: 1000,
    randomness: beacon().randomness,
    places: count,
  });

  test.each([[1, 1], [2, 1], [3, 5], [10, 1], [64, 3], [100, 7], [1000, 1]])(
    "draws %i tickets, every %ith number, as shared/draw.ts does",
    async (count, step) => {
      const given = of(count, step);
      const expected = solve(given);
      const [found] = await db.sql`
        with leaves as (
          select coalesce(string_agg(sha256('\\x00'::bytea || uuid_send(${given.raffle_id}::uuid) || int4send(num) || sha256(
            sha256(convert_to(${given.label} || '/' || num, 'utf8')))), ''::bytea order by num), '') as hashes
          from generate_series(1, ${1 + (count - 1) * step}, ${step}::integer) as num
        ), sealed as (
          select app.root_of(hashes) as root, app.root_of(app.fold_blocks(hashes)) as by_blocks from leaves
        ), seeded as (
          select *, app.seed_of(${given.raffle_id}, root, ${given.round}, decode(${given.randomness}, 'hex')) as seed from sealed
        )
        select encode(root, 'hex') as root, encode(by_blocks, 'hex') as by_blocks, encode(seed, 'hex') as seed,
          array(select 1 + at * ${step}::integer from unnest(app.rank_tickets(seed, ${count}, ${given.places}))
            with ordinality as r (at, place) order by place) as drawn
        from seeded`;
      expect(found.root).toBe(expected.ticket_root);
      expect(found.by_blocks).toBe(expected.ticket_root);
      expect(found.seed).toBe(expected.seed);
      expect(found.drawn).toEqual(expected.drawn);
    },
  );

  test("an empty tree is the hash of nothing", async () => {
    const [{ root }] = await db.sql`select encode(app.root_of(''), 'hex') as root`;
    expect(root).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  test("passes over the words that would favour low numbers", async () => {
    const rows = await db
      .sql`select m, app.fair_words(m, 256) as fair from generate_series(1, 256) as m`;
    for (const { m, fair } of rows) {
      expect(Number(fair) % m).toBe(0);
      expect(256 - Number(fair)).toBeLessThan(m);
    }
  });
});
