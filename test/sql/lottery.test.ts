import type postgres from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { actWithin } from "../support/crowd.ts";
import type { Actor, TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser, testDatabase } from "../support/database.ts";
import { close, seal, settle, winnersOf } from "../support/draws.ts";
import { buy, draft, operatorOf, player, raffle, stateOf } from "../support/raffles.ts";
import { race } from "../support/races.ts";
import { houseBalance, violations, walletOf } from "../support/wallets.ts";

let db: TestDatabase;
let first: Actor;
let second: Actor;
beforeAll(async () => {
  db = await testDatabase();
  await db.sql`update app.rate_limits set burst = 100000 where class = 'money'`;
  first = await operatorOf(db);
  second = { role: "authenticated", id: (await createUser(db, { roles: ["operator"] })).id };
});
afterEach(async () => expect(await violations(db)).toEqual([]));

const isoDay = (offset: number) =>
  new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
const yesterday = isoDay(-1);

async function lottery(terms: Record<string, unknown> = {}): Promise<string> {
  const [{ id }] = await db.sql`insert into public.lotteries ${
    db.sql(
      {
        name: crypto.randomUUID(),
        digits: 2,
        time_zone: "UTC",
        draws_at: "12:00",
        ...terms,
      } as never,
    )
  } returning id`;
  return id;
}

const record = (
  actor: Actor,
  lotteryId: string,
  number: string,
  date = yesterday,
  series: string | null = null,
) =>
  actAs(db, actor, async (sql) =>
    (await sql`
    select public.record_lottery_result(${lotteryId}, ${date}::text::date, ${number}, ${series}) as result`)[
      0
    ]
      .result);
const confirm = async (lotteryId: string, number: string, date = yesterday) => {
  await record(first, lotteryId, number, date);
  await record(second, lotteryId, number, date);
};
const drawByLottery = async (raffleId: string) =>
  (await db.sql`select app.draw_by_lottery(${raffleId}) as drawn`)[0].drawn;

/** A raffle of numbers 00 to 99 whose official draw was yesterday; it has been sealed. */
async function sealed(numbers: number[], terms: Record<string, unknown> = {}) {
  const lotteryId = await lottery();
  const raffleId = await raffle(db, {
    numbering: "PICK",
    draw_method: "LOTTERY",
    unsold_rule: "HOUSE",
    lottery_id: lotteryId,
    lottery_draw_date: isoDay(3),
    ...terms,
  });
  const people: string[] = [];
  for (const number of numbers) {
    const { id } = await player(db, 500);
    people.push(id);
    await buy(db, id, { raffle_id: raffleId, numbers: [number] });
  }
  await close(db, raffleId);
  await db.superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update public.raffles set lottery_draw_date = ${yesterday} where id = ${raffleId}`;
  });
  expect(await seal(db, raffleId)).toBe("CLOSED");
  return { lotteryId, raffleId, people };
}

describe("a result", () => {
  test("counts when two operators have entered the same, and not before", async () => {
    const id = await lottery();
    expect((await record(first, id, "07")).confirmed).toBeNull();
    expect((await record(first, id, "07")).confirmed).toBeNull();
    expect((await record(second, id, "07")).confirmed).toMatchObject({ winning_number: "07" });
    expect((await record(second, id, "08")).confirmed).toMatchObject({ winning_number: "07" });
  });

  test("that is entered differently waits, tells the operators, and can be corrected", async () => {
    const id = await lottery();
    await record(first, id, "07");
    expect((await record(second, id, "70")).confirmed).toBeNull();
    const alerts = await db.sql`select details from public.operator_alerts
      where kind = 'lottery_disagreement' and subject like ${id + "%"}`;
    expect(alerts).toHaveLength(1);
    expect((await record(second, id, "07")).confirmed).toMatchObject({ winning_number: "07" });
  });

  test("that is confirmed stays, whatever is entered afterwards", async () => {
    const id = await lottery();
    await confirm(id, "07");
    const third: Actor = {
      role: "authenticated",
      id: (await createUser(db, { roles: ["operator"] })).id,
    };
    expect((await record(third, id, "08")).confirmed.winning_number).toBe("07");
    expect(
      await db.sql`select from public.operator_alerts
      where kind = 'lottery_disagreement' and subject like ${`${id}%`}`,
    ).toEqual([]);
  });

  test("of a series that differs is another result", async () => {
    const id = await lottery();
    await record(first, id, "07", yesterday, "123");
    expect((await record(second, id, "07", yesterday, "124")).confirmed).toBeNull();
  });

  test("by two at once is confirmed once: the second waits and sees the first", async () => {
    const id = await lottery();
    const enter = (actor: Actor) => (sql: postgres.TransactionSql) =>
      sql`select app.enter_lottery_result(${id}, ${yesterday}, '07', null, 'OPERATOR', ${
        actor.role === "authenticated" ? actor.id : null
      })`;
    expect(await race(db, enter(first), enter(second))).toMatchObject({
      second: "done",
      waited: true,
    });
    expect(await db.sql`select winning_number from public.lottery_results where lottery_id = ${id}`)
      .toEqual([{ winning_number: "07" }]);
  });

  test("is only entered by operators, after the draw, in as many figures as it has", async () => {
    const id = await lottery({ draw_days: [new Date(yesterday).getUTCDay() || 7] });
    const user: Actor = { role: "authenticated", id: (await player(db)).id };
    expect(await codeOf(record(user, id, "07"))).toBe("not_permitted");
    expect(await codeOf(record(first, crypto.randomUUID(), "07"))).toBe("lottery_not_found");
    for (const number of ["7", "007", "ab", "", "-1", "٠٧"]) {
      expect(await codeOf(record(first, id, number)), number).toBe("request_invalid");
    }
    for (const date of [isoDay(6), isoDay(-2), "infinity"]) {
      expect(await codeOf(record(first, id, "07", date)), date).toBe("request_invalid");
    }
    expect(await codeOf(record(first, id, "07"))).toBe("none");
  });
});

test("the calendar has the days of the week, one draw more and one less", async () => {
  const id = await lottery({ draw_days: [1, 4] });
  const admin: Actor = {
    role: "authenticated",
    id: (await createUser(db, { roles: ["admin"] })).id,
  };
  const set = (actor: Actor, date: string, takesPlace: boolean, lotteryId = id) =>
    codeOf(
      actAs(db, actor, (sql) =>
        sql`select public.set_lottery_date(${lotteryId}, ${date}, ${takesPlace})`),
    );
  expect(await set(admin, "2026-12-07", false)).toBe("none");
  expect(await set(admin, "2026-12-08", true)).toBe("none");
  expect(await set(first, "2026-12-08", true)).toBe("not_permitted");
  const waiting = await sealed([3]);
  expect(await set(admin, yesterday, false, waiting.lotteryId)).toBe("lottery_date_in_use");
  const dates = [];
  let date = "2026-12-01";
  while (dates.length < 4) {
    [{ date }] = await db.sql`select app.next_lottery_date(${id}, ${date})::text as date`;
    dates.push(date);
  }
  expect(dates).toEqual(["2026-12-03", "2026-12-08", "2026-12-10", "2026-12-14"]);
});

describe("a date that is being taken off the calendar is waited for, and not looked to, by a raffle", () => {
  const terms = { draw_method: "LOTTERY", unsold_rule: "HOUSE", lottery_draw_date: isoDay(3) };
  let takeOff: (lotteryId: string, date?: string) => (sql: postgres.ISql) => Promise<unknown>;
  beforeAll(async () => {
    const admin = await createUser(db, { roles: ["admin"] });
    takeOff = (lotteryId, date = isoDay(3)) => async (sql) => {
      await actWithin(sql, admin.id);
      await sql`select public.set_lottery_date(${lotteryId}, ${date}, false)`;
    };
  });
  const refused = { first: "fulfilled", second: "raffle_terms_invalid", waited: true };

  test("that is published", async () => {
    const lottery_id = await lottery();
    const id = await draft(db, { ...terms, lottery_id });
    const publish = async (sql: postgres.ISql) => {
      await actWithin(sql, (first as { id: string }).id);
      await sql`select public.publish_raffle(${id})`;
    };
    expect(await race(db, takeOff(lottery_id), publish)).toEqual(refused);
  });

  test("whose terms change", async () => {
    const lottery_id = await lottery();
    const id = await raffle(db, { ...terms, lottery_id, lottery_draw_date: isoDay(4) });
    const change = (sql: postgres.ISql) =>
      sql`update public.raffles set lottery_draw_date = ${isoDay(3)} where id = ${id}`;
    expect(await race(db, takeOff(lottery_id), change)).toEqual(refused);
    expect(await codeOf(db.sql.begin(takeOff(lottery_id, isoDay(4))))).toBe("lottery_date_in_use");
  });

  test("whose number was unsold", async () => {
    const { lotteryId, raffleId } = await sealed([3], { unsold_rule: "NEXT_DRAW" });
    await confirm(lotteryId, "07");
    const outcome = await race(
      db,
      takeOff(lotteryId, isoDay(0)),
      (sql) => sql`select app.draw_by_lottery(${raffleId})`,
    );
    expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(
      await db.sql`select draw_date::text from public.lottery_draws
      where raffle_id = ${raffleId} and winning_number is null`,
    ).toEqual([{ draw_date: isoDay(1) }]);
    expect(await codeOf(db.sql.begin(takeOff(lotteryId, isoDay(1))))).toBe("lottery_date_in_use");
  });
});

describe("a raffle that a lottery decides", () => {
  test("is won by the ticket with the number", async () => {
    const { lotteryId, raffleId, people } = await sealed([3, 7, 42]);
    expect(await drawByLottery(raffleId)).toBe(false);
    await confirm(lotteryId, "07");
    expect(await drawByLottery(raffleId)).toBe(true);
    expect(await drawByLottery(raffleId)).toBe(false);
    expect(await winnersOf(db, raffleId)).toEqual([{ place: 1, ticket_num: 7 }]);
    expect(await settle(db, raffleId)).toBe(true);
    expect(await db.sql`select user_id from public.prize_claims where raffle_id = ${raffleId}`)
      .toEqual([{ user_id: people[1] }]);
  });

  test("waits while its result is not confirmed", async () => {
    const { lotteryId, raffleId } = await sealed([7]);
    await record(first, lotteryId, "07");
    expect(await drawByLottery(raffleId)).toBe(false);
    expect(await stateOf(db, raffleId)).toBe("CLOSED");
  });

  test("pays the last figures from their share, each ticket once, and the rest to the house", async () => {
    const digits3 = await lottery({ digits: 3 });
    const raffleId = await raffle(db, {
      numbering: "PICK",
      draw_method: "LOTTERY",
      unsold_rule: "HOUSE",
      lottery_id: digits3,
      lottery_draw_date: isoDay(3),
      tickets_required: 1000,
      min_tickets: 5,
      prize_tiers: [
        { place: 1, amount_cents: 1000 },
        { figures: 2, amount_cents: 500 },
        { figures: 1, amount_cents: 101 },
      ],
    });
    const balances = new Map<number, string>();
    for (const number of [123, 223, 323, 423, 13, 33]) {
      const { id } = await player(db, 500);
      balances.set(number, id);
      await buy(db, id, { raffle_id: raffleId, numbers: [number] });
    }
    await close(db, raffleId);
    await db.superuser.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`update public.raffles set lottery_draw_date = ${yesterday} where id = ${raffleId}`;
    });
    await seal(db, raffleId);
    await confirm(digits3, "123");
    const revenue = await houseBalance(db, "REVENUE");
    await drawByLottery(raffleId);
    await settle(db, raffleId);
    const won = async (number: number) => (await walletOf(db, balances.get(number)!)).balance;
    expect(await won(123)).toBe(1000);
    for (const number of [223, 323, 423]) expect(await won(number)).toBe(166);
    for (const number of [13, 33]) expect(await won(number)).toBe(50);
    expect(await houseBalance(db, "REVENUE") - revenue).toBe(3000 - 1000 - 3 * 166 - 2 * 50);
    expect((await winnersOf(db, raffleId)).map(({ ticket_num }) => ticket_num)).toEqual([
      123,
      223,
      323,
      423,
      13,
      33,
    ]);
  });

  test("whose number is unsold goes to the house, if its terms say so", async () => {
    const { lotteryId, raffleId } = await sealed([3]);
    const revenue = await houseBalance(db, "REVENUE");
    await confirm(lotteryId, "07");
    expect(await drawByLottery(raffleId)).toBe(true);
    expect(await settle(db, raffleId)).toBe(true);
    expect(await winnersOf(db, raffleId)).toEqual([]);
    expect(await houseBalance(db, "REVENUE") - revenue).toBe(500);
    const [{ stock }] = await db
      .sql`select p.stock from public.prizes p join public.raffles r on r.prize_id = p.id
      where r.id = ${raffleId}`;
    expect(stock).toBe(100);
  });

  test("whose number is unsold gives everybody their money back, if its terms say so", async () => {
    const { lotteryId, raffleId, people } = await sealed([3], { unsold_rule: "REFUND" });
    await confirm(lotteryId, "07");
    expect(await drawByLottery(raffleId)).toBe(false);
    expect(await stateOf(db, raffleId)).toBe("CANCELLED");
    expect((await walletOf(db, people[0])).balance).toBe(500);
  });

  test("whose number is unsold looks to the next official draw, if its terms say so", async () => {
    const { lotteryId, raffleId } = await sealed([3], { unsold_rule: "NEXT_DRAW" });
    await confirm(lotteryId, "07");
    expect(await drawByLottery(raffleId)).toBe(false);
    expect(await drawByLottery(raffleId)).toBe(false);
    const waits = await db.sql`select draw_date::text, winning_number from public.lottery_draws
      where raffle_id = ${raffleId} order by draw_date`;
    expect(waits).toEqual([
      { draw_date: yesterday, winning_number: "07" },
      { draw_date: isoDay(0), winning_number: null },
    ]);
    await db.superuser`insert into public.lottery_results (lottery_id, draw_date, winning_number)
      values (${lotteryId}, ${isoDay(0)}, '03')`;
    expect(await drawByLottery(raffleId)).toBe(true);
    expect(await winnersOf(db, raffleId)).toEqual([{ place: 1, ticket_num: 3 }]);
  });

  test("is drawn once, by two clocks at once", async () => {
    const { lotteryId, raffleId } = await sealed([3]);
    await confirm(lotteryId, "03");
    const once = (sql: postgres.ISql) => sql`select app.draw_by_lottery(${raffleId})`;
    expect(await race(db, once, once))
      .toEqual({ first: "fulfilled", second: "done", waited: true });
    expect(await stateOf(db, raffleId)).toBe("DRAWN");
  });

  test("cannot be cancelled once its number may be known", async () => {
    const { raffleId } = await sealed([3]);
    const cancelling = actAs(
      db,
      first,
      (sql) => sql`select public.cancel_raffle(${raffleId}, 'No', false)`,
    );
    expect(await codeOf(cancelling)).toBe("raffle_not_cancellable");
  });
});
