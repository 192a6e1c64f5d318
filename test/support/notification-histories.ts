// Random lives of players and raffles, and what each of them must have been told in the end. The same random
// numbers give the same history.
import { expect } from "vitest";
import type { TestDatabase } from "./database.ts";
import { actAs } from "./database.ts";
import { close, draw, seal, settle } from "./draws.ts";
import { buy, operatorOf, player, raffle } from "./raffles.ts";
import type { Random } from "./stripe-histories.ts";

/** A workflow to a person, about something: as a line, so that lists can be compared. */
export type Message = string;
const message = (workflow: string, person: string, subject = "") =>
  `${person} ${workflow} ${subject}`;

interface Life {
  db: TestDatabase;
  random: Random;
  people: string[];
  expected: Message[];
}

/** Everything that was said to these people must be what this returns, once each. */
export async function liveThrough(db: TestDatabase, random: Random): Promise<Message[]> {
  const life: Life = { db, random, people: [], expected: [] };
  for (let person = random.between(1, 3); person > 0; person--) {
    const { id } = await player(db, 100_000);
    life.people.push(id);
    life.expected.push(message("welcome", id));
  }
  for (let raffles = random.between(1, 2); raffles > 0; raffles--) await playRaffle(life);
  return life.expected;
}

async function playRaffle(life: Life): Promise<void> {
  const { db, random, people, expected } = life;
  const tickets_required = random.between(2, 6);
  const raffle_id = await raffle(db, { tickets_required });
  const holders = new Set<string>();
  const paid: { id: string; person: string }[] = [];
  const pending: { id: string; person: string }[] = [];
  let left = tickets_required;

  for (let step = random.between(1, 8); step > 0 && left > 0; step--) {
    const person = random.pick(...people);
    const act = random.pick("wallet", "wallet", "card", "undone", "limit", "retold");
    if (act === "limit") await limit(life, person);
    else if (act === "undone") await undone(db, person, raffle_id);
    else {
      const key = crypto.randomUUID();
      const order = { raffle_id, payment_method: act === "card" ? "card" : "wallet" } as const;
      const { purchase } = await buy(db, person, order, key);
      if (act === "retold") await buy(db, person, order, key);
      left--;
      if (act === "card") pending.push({ id: purchase.id, person });
      else {
        paid.push({ id: purchase.id, person });
        holders.add(person);
        expected.push(message("purchase-confirmed", person, purchase.id));
      }
    }
    if (pending.length > 0 && random.chance(0.3)) {
      const { id, person } = pending.pop()!;
      await db.sql`select app.refuse_purchase(${id}, 'key', 'refused')`;
      expected.push(message("purchase-failed", person, id));
      left++;
    }
  }
  const tell = (workflow: string) => {
    for (const person of holders) expected.push(message(workflow, person, raffle_id));
  };
  if (left === 0 && pending.length === 0) tell("raffle-full");
  if (random.chance(0.3)) {
    await actAs(
      db,
      await operatorOf(db),
      (sql) => sql`select public.cancel_raffle(${raffle_id}, 'So it goes', false)`,
    );
    tell("raffle-cancelled");
    paid.forEach(({ id, person }) => expected.push(message("purchase-refunded", person, id)));
    pending.forEach(({ id, person }) => expected.push(message("purchase-failed", person, id)));
  } else if (paid.length === 0 || random.chance(0.8)) {
    await close(db, raffle_id);
    if (paid.length === 0) {
      expect(await seal(db, raffle_id)).toBe("CANCELLED");
      pending.forEach(({ id, person }) => expected.push(message("purchase-failed", person, id)));
      return;
    }
    for (let times = random.between(1, 3); times > 0; times--) await seal(db, raffle_id);
    tell("raffle-sealed");
    pending.forEach(({ id, person }) => expected.push(message("purchase-expired", person, id)));
    await draw(db, raffle_id);
    for (let times = random.between(1, 3); times > 0; times--) await settle(db, raffle_id);
    const winners = new Set((await db.sql`select user_id from public.prize_claims
      where raffle_id = ${raffle_id}`).map(({ user_id }) => user_id as string));
    for (const person of holders) {
      expected.push(message(winners.has(person) ? "won" : "not-won", person, raffle_id));
    }
    for (const person of winners) expected.push(message("prize-to-claim", person, raffle_id));
  }
}

async function limit({ db, random, expected }: Life, person: string): Promise<void> {
  const cents = random.between(50_000, 90_000);
  await actAs(
    db,
    { role: "authenticated", id: person },
    (sql) => sql`select public.set_play_limit('deposit', 'week', ${cents}, 'EUR')`,
  );
  expected.push(message("limits-changed", person));
}

async function undone(db: TestDatabase, person: string, raffle_id: string): Promise<void> {
  const broken = new Error("undone");
  await actAs(db, { role: "authenticated", id: person }, async (sql) => {
    await sql`select public.begin_purchase(${crypto.randomUUID()}, ${raffle_id}, 1, null, 'ENTRY', 'wallet', true, null)`;
    throw broken;
  }).catch((error) => {
    if (error !== broken) throw error;
  });
}

/** What Novu received, as a line. */
export function describe(
  { workflow, request }: {
    workflow: string;
    request: { to: { subscriberId: string }; payload: Record<string, string> };
  },
): Message {
  const { purchase_id, raffle_id } = request.payload;
  return message(workflow, request.to.subscriberId, purchase_id ?? raffle_id);
}
