// The clock, which comes when it likes, and time, which only the test can make pass.
import { keys } from "../support/database.ts";
import { close, reachRound } from "../support/draws.ts";
import type { TestStack } from "../support/stack.ts";
import type { Random } from "../support/stripe-histories.ts";
import type { Client, Journal } from "./journal.ts";
import { fetchControl } from "./outside.ts";

export interface Clock extends Client {
  stack: TestStack;
  journal: Journal;
  random: Random;
  /** What jobs of the database said went wrong. */
  failures: string[];
}

export const makeClock = (
  name: string,
  stack: TestStack,
  journal: Journal,
  random: Random,
): Clock => ({ name, stack, journal, random, token: keys.scheduler_secret, failures: [] });

const CALLS = ["/reconcile/sweep", "/close-raffle", "/send-notifications"];

/** These watch over a clock that stands still here. */
const LEFT_OUT = ["watch-jobs", "purge"];

/** Some call or some job, once or several times at once. */
export async function tick(clock: Clock): Promise<void> {
  const { random, stack } = clock;
  const times = random.pick(1, 1, 1, 2, 4);
  const calls = random.chance(0.6);
  const path = random.chance(0.04) ? "/reconcile" : random.pick(...CALLS);
  const chosen = random.between(0, 1_000);
  if (calls) await several(times, () => ring(clock, path));
  else {
    const jobs = await jobsOf(stack);
    await several(times, () => runJob(clock, jobs[chosen % jobs.length]));
  }
}

const several = (times: number, work: () => Promise<unknown>) =>
  Promise.all(Array.from({ length: times }, work));

/** /close-raffle is for anyone; the rest is for who knows the secret. */
const ring = (clock: Clock, path: string) =>
  clock.journal.send(path === "/close-raffle" ? { name: clock.name } : clock, `POST ${path}`);

interface Job {
  name: string;
  command: string;
}

const jobsOf = ({ sql }: TestStack) =>
  sql<Job[]>`select name, command from public.jobs where name <> all (${LEFT_OUT}) order by name`;

async function runJob({ stack, failures }: Clock, { name, command }: Job): Promise<void> {
  try {
    await stack.sql.unsafe(command);
  } catch (error) {
    failures.push(`${name}: ${error}`);
  }
}

/** All that the clock does, once. */
export async function runAll(clock: Clock): Promise<void> {
  for (const job of await jobsOf(clock.stack)) await runJob(clock, job);
  for (const path of CALLS) await ring(clock, path);
}

export const reconcile = (clock: Clock) => ring(clock, "/reconcile");
export const closeDue = (clock: Clock) => ring(clock, "/close-raffle");
export const send = (clock: Clock) => ring(clock, "/send-notifications");
export const sweep = (clock: Clock) => ring(clock, "/reconcile/sweep");

/** Something's time comes: of what is older than any request that may still be under way. */
export async function passTime({ stack, random }: Clock): Promise<void> {
  const what = random.pick("payments", "reservations", "rounds", "raffle", "messages");
  const chosen = random.between(0, 1_000);
  if (what === "payments") await letPaymentsBeDue(stack);
  if (what === "messages") await letMessagesBeDue(stack);
  if (what === "rounds") await letRoundsComeOut(stack);
  if (what === "reservations") await letReservationsRunOut(stack, 500, chosen);
  if (what === "raffle" && random.chance(0.5)) {
    const open = await stack.sql`select id from public.raffles where state = 'OPEN' order by id`;
    if (open.length > 0) await close(stack, open[chosen % open.length].id);
  }
}

const OLD = "5 seconds";

export async function letPaymentsBeDue({ sql }: TestStack): Promise<void> {
  const tables = [
    "public.wallet_topups",
    "public.wallet_withdrawals",
    "public.purchases",
    "app.card_refunds",
  ];
  for (const table of tables) {
    await sql`update ${sql(table)} set check_at = now() - interval '1 minute'
      where check_at > now() and created_at < now() - ${OLD}::interval`;
  }
}

export const letMessagesBeDue = ({ sql }: TestStack) =>
  sql`update public.notifications set due_at = now(), attempts = least(attempts, 3)
    where status = 'QUEUED' and due_at > now()`;

/** So many in a thousand of those who have not paid yet have waited too long. */
export const letReservationsRunOut = ({ sql }: TestStack, perMille: number, offset = 0) =>
  sql`update public.purchases set expires_at = now() - interval '1 second'
    where status = 'PENDING' and created_at < now() - ${OLD}::interval
      and (abs(hashtext(id::text)::bigint) + ${offset}) % 1000 < ${perMille}`;

export async function letRoundsComeOut(stack: TestStack): Promise<void> {
  const waiting = await stack
    .sql`select raffle_id from public.draws where randomness is null and round_at > now() order by raffle_id`;
  if (waiting.length === 0) return;
  await fetchControl(stack.services.drandUrl, "clock", { advance_seconds: 90 });
  for (const { raffle_id } of waiting) await reachRound(stack, raffle_id);
}

/** For all that waits but for raffles to close and for buyers to pay. */
export async function letTimePass(stack: TestStack): Promise<void> {
  await letPaymentsBeDue(stack);
  await letRoundsComeOut(stack);
  await letMessagesBeDue(stack);
}

/**
 * Whoever died with a key in hand is given up: what has been under way for ten seconds of its minute is not
 * under way any more. Returns how many keys are too young to say.
 */
export async function letLeasesEnd({ sql }: TestStack): Promise<number> {
  await sql`update app.idempotency_keys set leased_until = now()
    where answer is null and leased_until between now() and now() + interval '50 seconds'`;
  const [{ young }] = await sql`select count(*)::int as young from app.idempotency_keys
    where answer is null and leased_until > now()`;
  return young;
}
