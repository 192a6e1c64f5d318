// The end of a round, when all that Stripe did is heard of; and that of the run: everything is well again, time
// passes until nothing is open, every raffle is drawn.
import { expect } from "vitest";
import { sleep } from "../support/crowd.ts";
import { close } from "../support/draws.ts";
import type { TestStack } from "../support/stack.ts";
import type { Random } from "../support/stripe-histories.ts";
import { control } from "../support/stripe.ts";
import { compareBooks, readStripe } from "./books.ts";
import { payAllLate } from "./buying.ts";
import type { Clock } from "./clock.ts";
import {
  closeDue,
  letLeasesEnd,
  letPaymentsBeDue,
  letReservationsRunOut,
  letTimePass,
  reconcile,
  runAll,
  send,
  sweep,
} from "./clock.ts";
import { isGood } from "./journal.ts";
import { insist } from "./orders.ts";
import { settleOutside } from "./outside.ts";
import type { World } from "./people.ts";
import { clearUp } from "./weather.ts";

/** As often as anything can need: a withdrawal is asked after, given up, fetched back. */
const AT_MOST = 30;

/** All is well for a moment, until the books are Stripe's; what still differs in the end. */
export async function settleBooks(world: World, clock: Clock, opening: number): Promise<string[]> {
  let faults: string[] = [];
  for (let time = 0; time < AT_MOST; time++) {
    await clearUp(world.stack);
    await letLeasesEnd(world.stack);
    await letTimePass(world.stack);
    await sweep(clock);
    await reconcile(clock);
    faults = await compareBooks(world, await readStripe(world), opening);
    if (faults.length === 0) break;
    await sleep(500);
  }
  return faults;
}

/**
 * The last evening: every raffle closes, whoever has not paid does so now, which is too late, and Stripe
 * loses half of its answers about what it sends back.
 */
export async function spendLastEvening({ stack, players }: World, clock: Clock): Promise<void> {
  await closeAll(stack);
  await closeDue(clock);
  for (const player of players) await payAllLate(player);
  const refund = { method: "POST", path: "/v1/refunds", times: null };
  await control(stack, "DELETE /faults");
  await control(stack, "POST /faults", {
    kind: "error",
    when: "after",
    probability: 0.3,
    ...refund,
  });
  await control(stack, "POST /faults", { kind: "disconnect", probability: 0.3, ...refund });
  for (let time = 0; time < 3; time++) {
    await letPaymentsBeDue(stack);
    await Promise.all([sweep(clock), sweep(clock)]);
  }
}

export async function finish(world: World, clock: Clock, random: Random): Promise<void> {
  const { stack, players } = world;
  await clearUp(stack);
  await expect.poll(() => letLeasesEnd(stack), { timeout: 30_000 }).toBe(0);
  for (const player of players) await insist(player);
  await settleOutside(stack, random);
  await letDaysPass(stack);
  let isReconciled = false;
  for (let time = 0; time < AT_MOST; time++) {
    await closeAll(stack);
    await letReservationsRunOut(stack, 1_000);
    await letTimePass(stack);
    await runAll(clock);
    await tellEverybody(stack, clock);
    if (time % 3 === 0) isReconciled = isGood(await reconcile(clock));
    await clearUp(stack);
    if (isReconciled && Object.values(await whatIsOpen(stack)).every((count) => count === 0)) {
      return;
    }
    await sleep(300);
  }
}

/** A call sends so many messages and no more; hundreds of people hold tickets of dozens of raffles. */
async function tellEverybody({ sql }: TestStack, clock: Clock): Promise<void> {
  const isWaiting = async () => {
    const [{ yes }] = await sql`select exists (select from app.outbox) or exists (
      select from public.notifications where status = 'QUEUED' and due_at <= now()) as yes`;
    return yes;
  };
  for (let calls = 0; calls < AT_MOST && await isWaiting(); calls++) await send(clock);
}

async function closeAll(stack: TestStack): Promise<void> {
  const open = await stack
    .sql`select id from public.raffles where state = 'OPEN' and closes_at > now()`;
  for (const { id } of open) await close(stack, id);
}

/** Nobody pays any more, and what Stripe does not know of by now it will never know of. */
async function letDaysPass({ sql }: TestStack): Promise<void> {
  await sql`update public.wallet_topups set created_at = created_at - interval '2 hours'
    where status in ('CREATED', 'PROCESSING')`;
  await sql`update public.wallet_withdrawals set created_at = created_at - interval '2 hours',
    payout_claimed_at = payout_claimed_at - interval '2 hours' where status = 'PROCESSING'`;
}

/** How much of each kind has not come to its end; nothing, in the end. */
export async function whatIsOpen({ sql }: TestStack): Promise<Record<string, number>> {
  const [counts] = await sql`select
    (select count(*) from public.purchases where status = 'PENDING')::int as purchases,
    (select count(*) from public.purchases where check_at is not null)::int as purchases_to_check,
    (select count(*) from public.wallet_topups where status in ('CREATED', 'PROCESSING'))::int as topups,
    (select count(*) from public.wallet_withdrawals where status in ('CREATED', 'PROCESSING')
      or status = 'FAILED' and transfer_id is not null and transfer_reversed_at is null)::int as withdrawals,
    (select count(*) from app.card_refunds r join app.card_payments p using (intent_id)
      where check_at is not null and not exists (
        select from app.card_reversals d where d.intent_id = p.intent_id and d.kind = 'DISPUTE'))::int as refunds,
    (select count(*) from public.raffles r where state not in ('DRAFT', 'SETTLED', 'CANCELLED') or state = 'CANCELLED'
      and exists (select from public.purchases p where p.raffle_id = r.id and p.status = 'CONFIRMED'))::int as raffles,
    (select count(*) from public.wallet_holds where status = 'ACTIVE')::int as holds,
    (select count(*) from app.outbox)::int as outbox,
    (select count(*) from public.notifications where status in ('QUEUED', 'DEAD'))::int as messages`;
  return counts;
}
