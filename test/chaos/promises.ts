// What must be true after a round, whatever was killed in it.
import { expect } from "vitest";
import { drawPositions, uuidToBytes } from "../../shared/draw.ts";
import { decodeHex } from "../../shared/hex.ts";
import { flushWebhooks } from "../support/stripe.ts";
import { violations, walletOf } from "../support/wallets.ts";
import type { Round } from "./round.ts";
import type { CrashStack } from "./stack.ts";
import { expectNothingStuck } from "./stack.ts";
import type { Told } from "./traffic.ts";

export async function expectPromisesKept(stack: CrashStack, round: Round): Promise<void> {
  const { traffic, raffles } = round;
  // Who was told nothing certain was told so: to try again, or nothing at all.
  expect(Object.keys(traffic.failures).filter((failure) => !HONEST.test(failure))).toEqual([]);
  // What Stripe could not deliver while somebody was dead it delivers again.
  expect(await flushWebhooks(stack)).toMatchObject({ done: true });
  await expectRepeatedAnswers(round);
  await expectNothingElse(stack, round);
  await expectMoney(stack, round);
  for (const { raffle_id, people } of [raffles.unwanted, raffles.cancelled]) {
    await expectRefunds(stack, raffle_id, people);
  }
  for (const id of [raffles.over, raffles.sealed, raffles.onSale]) {
    const last = await traffic.insist({ path: `/close-raffle/${id}` });
    expectOneHistory(traffic.told.filter(({ answer }) => answer.body.raffle?.id === id));
    if (id !== raffles.onSale) expect(last.answer.body.raffle.state).not.toBe("OPEN");
    if (id === raffles.sealed) await expectRightWinner(stack, last);
  }
  expect(await violations(stack)).toEqual([]);
  await expectNothingStuck(stack);
}

const HONEST = /^(503 |409 request_in_progress$|400 without a code$|cut off|TypeError$)/;

/** Whatever was answered is answered again, word for word: so its effect is there, and there once. */
async function expectRepeatedAnswers({ traffic }: Round): Promise<void> {
  const keyed = traffic.told.filter(({ key, answer }) => key && answer.status === 201);
  for (const { path, token, body, key, answer } of keyed) {
    const { answer: again } = await traffic.insist({ path, token, body, key });
    expect(again).toEqual({ ...answer, replayed: true });
  }
}

/** Nobody has a purchase, a ticket, a top-up or a withdrawal that they were not told of, or not as told. */
async function expectNothingElse({ sql }: CrashStack, { lives }: Round): Promise<void> {
  for (const { person, bought, topups, withdrawals } of lives) {
    const ids = (rows: { id: string }[]) => rows.map(({ id }) => id).sort();
    // A reservation that nobody was told of, because the raffle was over when they asked again, has ended.
    const purchases =
      await sql`select id, raffle_id, amount_cents::integer, payment_method from public.purchases
      where user_id = ${person.id} and status not in ('EXPIRED', 'FAILED') order by id::text`;
    const told = bought.map(({ id, raffle_id, amount_cents, payment_method }) => ({
      id,
      raffle_id,
      amount_cents,
      payment_method,
    }));
    expect([...purchases]).toEqual(told.sort((a, b) => a.id < b.id ? -1 : 1));
    const tickets = await sql`select id::integer, ticket_num, purchase_id from public.tickets
      where user_id = ${person.id}`;
    for (const { id, tickets: shown } of bought) {
      const held = tickets.filter(({ purchase_id }) => purchase_id === id)
        .map(({ id, ticket_num }) => ({ id, ticket_num }));
      expect(held).toEqual(expect.arrayContaining(shown));
    }
    const made =
      await sql`select id, status from public.wallet_topups where user_id = ${person.id}`;
    expect(ids(made as never)).toEqual(ids(topups));
    // All have been paid.
    expect(made.filter(({ status }) => status !== "COMPLETED")).toEqual([]);
    const sent = await sql`select id from public.wallet_withdrawals where user_id = ${person.id}`;
    expect(ids(sent as never)).toEqual(ids(withdrawals));
  }
  const keys = await sql`select endpoint, subject_id from app.idempotency_keys
    where answer is null and leased_until > clock_timestamp()`;
  expect(keys).toHaveLength(0);
}

/** Each wallet has what its owner was told: one credit for each top-up, one debit for each purchase. */
async function expectMoney(stack: CrashStack, { lives }: Round): Promise<void> {
  const sum = (rows: { amount_cents: number }[]) =>
    rows.reduce((total, { amount_cents }) => total + amount_cents, 0);
  for (const { person, opening, bought, topups } of lives) {
    const [{ prizes, withdrawn, held }] = await stack.sql`select
      (select coalesce(sum(w.amount_cents), 0)::integer from public.winners w
        join public.tickets t using (raffle_id, ticket_num) join public.raffles r on r.id = w.raffle_id
        where t.user_id = ${person.id} and r.state = 'SETTLED') as prizes,
      (select coalesce(sum(amount_cents) filter (where status = 'COMPLETED'), 0)::integer
        from public.wallet_withdrawals where user_id = ${person.id}) as withdrawn,
      (select coalesce(sum(amount_cents) filter (where status in ('CREATED', 'PROCESSING')), 0)::integer
        from public.wallet_withdrawals where user_id = ${person.id}) as held`;
    const spent = sum(bought.filter(({ payment_method }) => payment_method === "wallet"));
    expect(await walletOf(stack, person.id)).toMatchObject({
      balance: opening + sum(topups) - spent + prizes - withdrawn,
      held,
    });
  }
}

async function expectRefunds({ sql }: CrashStack, raffle_id: string, people: string[]) {
  expect(await sql`select state from public.raffles where id = ${raffle_id}`)
    .toEqual([{ state: "CANCELLED" }]);
  const purchases = await sql`select status, count(*)::integer from public.purchases
    where raffle_id = ${raffle_id} group by status`;
  expect(purchases).toEqual([{ status: "REFUNDED", count: people.length * 5 }]);
  const balances = await sql`select distinct balance_cents::integer from public.wallet_accounts
    where user_id = any(${people}::uuid[])`;
  expect(balances).toEqual([{ balance_cents: 5_000 }]);
}

const STATES = ["OPEN", "FULL", "CLOSED", "DRAWN", "SETTLED"];

/** A raffle only goes on, and whatever was published of it stays: its tickets, its round, its winners. */
function expectOneHistory(told: Told[]): void {
  const { draw: last } = told.at(-1)!.answer.body;
  for (const { answer: { body: { raffle, draw } }, began } of told) {
    for (const earlier of told.filter(({ ended }) => ended < began)) {
      const before = STATES.indexOf(earlier.answer.body.raffle.state);
      expect(STATES.indexOf(raffle.state)).toBeGreaterThanOrEqual(before);
    }
    if (!draw) continue;
    const { ticket_count, ticket_root, sealed_at, beacon: { chain_hash, round } } = draw;
    expect(last).toMatchObject({
      ticket_count,
      ticket_root,
      sealed_at,
      beacon: { chain_hash, round },
    });
    if (draw.winners.length > 0) expect(last.winners).toEqual(draw.winners);
  }
}

/** The ticket that the published round and root give, and no other. */
async function expectRightWinner({ sql }: CrashStack, { answer: { body } }: Told): Promise<void> {
  const { raffle, draw: { ticket_root, ticket_count, beacon, winners } } = body;
  expect(raffle.state).toBe("SETTLED");
  const numbers = await sql`select ticket_num from public.tickets
    where raffle_id = ${raffle.id} order by ticket_num`;
  const [position] = drawPositions({
    raffleId: uuidToBytes(raffle.id),
    ticketRoot: decodeHex(ticket_root),
    round: beacon.round,
    randomness: decodeHex(beacon.randomness),
  }, ticket_count);
  expect(winners).toEqual([{ place: 1, ticket_num: numbers[position].ticket_num }]);
}
