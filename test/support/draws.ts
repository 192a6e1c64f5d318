// Draws as they are made: a raffle sold and sealed in the database, a beacon of a key of our own.
import { encodeHex } from "../../shared/hex.ts";
import { sha256 } from "../../shared/sha256.ts";
import type { TestDatabase } from "./database.ts";
import { buy, raffle } from "./raffles.ts";

/** Lets the raffle's time run out. */
export const close = ({ superuser }: TestDatabase, raffleId: string) =>
  superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update public.raffles set closes_at = now() - interval '1 second',
      opens_at = least(opens_at, now() - interval '1 hour') where id = ${raffleId}`;
  });

export const seal = async ({ sql }: TestDatabase, raffleId: string) =>
  (await sql`select app.seal_raffle(${raffleId}) as state`)[0].state;

/** What SQL takes for a beacon: it cannot verify the signature, only that the randomness is its hash. */
export function beacon(signature: string = encodeHex(crypto.getRandomValues(new Uint8Array(48)))) {
  const bytes = Uint8Array.from(signature.match(/../g)!, (pair) => parseInt(pair, 16));
  return { signature, randomness: encodeHex(sha256(bytes)) };
}

/** The round's time has come. */
export const reachRound = ({ superuser }: TestDatabase, raffleId: string) =>
  superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update public.draws set round_at = now() - interval '1 second' where raffle_id = ${raffleId}`;
  });

export async function draw(
  db: TestDatabase,
  raffleId: string,
  { signature, randomness } = beacon(),
) {
  await reachRound(db, raffleId);
  const [{ round }] = await db.sql`select round from public.draws where raffle_id = ${raffleId}`;
  const [{ drawn }] = await db
    .sql`select app.draw_raffle(${raffleId}, ${round}, ${signature}, ${randomness}) as drawn`;
  return drawn;
}

export const settle = async ({ sql }: TestDatabase, raffleId: string) =>
  (await sql`select app.settle_raffle(${raffleId}) as settled`)[0].settled;

export const winnersOf = ({ sql }: TestDatabase, raffleId: string) =>
  sql`select place, ticket_num from public.winners where raffle_id = ${raffleId} order by place`;

/** A raffle that is over, and a ticket of somebody's that did not win it. */
export async function lostTicket(db: TestDatabase, userId: string) {
  const before = await raffle(db, { tickets_required: 2 });
  const { tickets } = await buy(db, userId, { raffle_id: before, quantity: 2 });
  await seal(db, before);
  await draw(db, before);
  await settle(db, before);
  const [{ ticket_num }] = await winnersOf(db, before);
  const lost = tickets.find((ticket: { ticket_num: number }) => ticket.ticket_num !== ticket_num);
  return { before, ticketId: lost.id as number };
}
