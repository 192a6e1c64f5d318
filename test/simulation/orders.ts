// Requests under an idempotency key, as clients send them: once, twice at once, hanging up, and again.
import type { Random } from "../support/stripe-histories.ts";
import type { Client, Entry, Journal } from "./journal.ts";
import { isFinal, isGood } from "./journal.ts";

export interface Order {
  call: string;
  key: string;
  body: Record<string, unknown>;
  tries: Entry[];
}

export interface Orderer extends Client {
  id: string;
  random: Random;
  journal: Journal;
  orders: Order[];
}

export const verdictOf = ({ tries }: Order): Entry | undefined =>
  tries.find(isGood) ?? tries.find(isFinal);

/** Sends something new, in some manner; the answer that counts, or undefined if none came in the end. */
export async function place(
  person: Orderer,
  call: string,
  body: Record<string, unknown>,
): Promise<Entry | undefined> {
  const { random, orders } = person;
  const key = `${person.name}-${orders.length}`;
  const order: Order = { call, key, body, tries: [] };
  orders.push(order);
  const manner = random.pick("calm", "calm", "calm", "calm", "calm", "twice", "impatient");
  const hangUpAfter = random.between(0, 120);
  const patience = random.between(0, 3);

  if (manner === "twice") await Promise.all([attempt(person, order), attempt(person, order)]);
  else await attempt(person, order, manner === "impatient" ? hangUpAfter : undefined);
  for (let more = patience; more > 0 && !verdictOf(order); more--) await attempt(person, order);
  return verdictOf(order);
}

export async function attempt(person: Orderer, order: Order, hangUpAfter?: number): Promise<void> {
  const { call, key, body } = order;
  order.tries.push(await person.journal.send(person, call, { body, key, hangUpAfter }));
}

/** Asks again for what has been answered long ago, or never. */
export async function repeat(person: Orderer): Promise<void> {
  if (person.orders.length === 0) return;
  await attempt(person, person.random.pick(...person.orders));
}

/** Takes a key that is used up for something else. */
export async function misuse(person: Orderer): Promise<void> {
  const used = person.orders.filter(({ tries }) => tries.some(isGood));
  if (used.length === 0) return;
  const { call, key, body } = person.random.pick(...used);
  const other = "amount_cents" in body
    ? { ...body, amount_cents: Number(body.amount_cents) + 1 }
    : "redeem" in body
    ? { ...body, redeem: !body.redeem }
    : { ...body, purchase_id: person.id };
  const entry = await person.journal.send(person, call, { body: other, key });
  if (isGood(entry)) throw new Error(`${key} was taken for something else: ${call}`);
}

/** Whoever has no answer yet asks until there is one. */
export async function insist(person: Orderer, tries = 10): Promise<void> {
  for (const order of person.orders) {
    for (let more = tries; more > 0 && !verdictOf(order); more--) await attempt(person, order);
  }
}
