// A whole stack on a Postgres of its own, of which every part can be killed.
import postgres from "postgres";
import { platform } from "node:os";
import { expect } from "vitest";
import { SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { startServices } from "../../supabase/local/services.ts";
import { cleanUpLater } from "../support/cleanup.ts";
import { keys } from "../support/database.ts";
import type { OwnServer } from "../support/server.ts";
import { ownServer } from "../support/server.ts";
import type { TestStack } from "../support/stack.ts";
import { call } from "../support/stack.ts";
import { control } from "../support/stripe.ts";

export interface CrashStack extends TestStack, OwnServer {
  /** For what is asked while Postgres is killed: the other pools learn types first, and may die of it. */
  hardy: postgres.Sql;
}
export type Victim = "Postgres" | "the functions process" | "PostgREST";

const LONG_JOB = "select pg_sleep(0.95) as long_job";

/** The clock runs, as it always does; people who ask again need not wait for long. */
export async function crashStack(): Promise<CrashStack> {
  // After a crash Postgres syncs what there is, here by one call instead of one for each of a thousand files.
  const settings = platform() === "linux" ? ["recovery_init_sync_method=syncfs"] : [];
  const database = await ownServer({ settings });
  const { directory, server, name } = database;
  const services = await startServices({ directory, port: 0, server, database: name, keys });
  cleanUpLater(() => services.stop());
  const options = { max: 3, fetch_types: false, onnotice: () => {}, idle_timeout: 20 };
  const hardy = postgres(database.url(SUPERUSER), options);
  cleanUpLater(() => hardy.end({ timeout: 5 }));
  const stack = { ...database, hardy, services, apiUrl: services.apiUrl };
  await stack.sql`update app.rate_limits set burst = 1000000`;
  await stack
    .sql`update app.settings set minimum = 1, value = 1 where name = 'idempotency_lease_seconds'`;
  await stack.sql`update app.beacon_chains set in_use = false`;
  await stack.sql`update app.beacon_chains set in_use = true where name = 'rafflebase-local'`;
  // One that nearly always runs, so that a kill finds one running.
  await stack.sql`select cron.schedule('long', '1 second', ${LONG_JOB})`;
  const retry = { firstMs: 100, factor: 1.5, maxMs: 500, attempts: 1_000 };
  await control(stack, "POST /webhooks", { retry });
  await control(stack, "POST /settings", { settle_after_ms: 50 });
  return stack;
}

/** Kills the part with signal 9; comes back when Postgres, if it is that, is up again. */
export async function kill(stack: CrashStack, victim: Victim): Promise<void> {
  if (victim === "Postgres") await stack.crash();
  else if (victim === "PostgREST") stack.services.postgrest.kill();
  else stack.services.functions.kill();
}

export const drand = async ({ services }: TestStack, verb: string, body: object = {}) => {
  const answer = await fetch(`${services.drandUrl}/_control/${verb}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  await answer.body?.cancel();
  expect(answer.status).toBe(200);
};

/** Every pool has found its way back, and nobody had to help. Jobs may be late, while they could not run. */
export async function untilHealthy(stack: CrashStack): Promise<void> {
  const degraded = () =>
    degradedParts(stack).then((parts) => parts.filter((one) => one !== "jobs"));
  await expect.poll(degraded, { interval: 50, timeout: 30_000 }).toEqual([]);
}

/** In the end they have all caught up. */
export async function expectHealth(stack: CrashStack): Promise<void> {
  await expect.poll(() => degradedParts(stack), { interval: 500, timeout: 180_000 }).toEqual([]);
}

async function degradedParts(stack: CrashStack): Promise<string[]> {
  const { body } = await call(stack, "GET", "/health");
  if (!body.checks) return ["health"];
  const checks = Object.entries(body.checks as Record<string, { status: string }>);
  return checks.filter(([, { status }]) => status !== "ok").map(([name]) => name);
}

/** What a query hears of a Postgres that is away. The pool may say it once more when it has come back. */
export const isAway = (error: unknown): boolean =>
  /^(CONNECT|ECONN|EPIPE|57P|08)/.test((error as { code?: string }).code ?? "");

/** Whether a pause of withPause's is being made just now. */
export async function someonePauses({ hardy, name }: CrashStack): Promise<boolean> {
  try {
    const [{ yes }] = await hardy`select exists (select from pg_stat_activity
      where datname = ${name} and wait_event = 'PgSleep' and query <> ${LONG_JOB}) as yes`;
    return yes;
  } catch (error) {
    if (isAway(error)) return false;
    throw error;
  }
}

/** No transaction is left over, none waits for another, and no lock outlives its owner. */
export async function expectNothingStuck({ hardy, name }: CrashStack): Promise<void> {
  const stuck = () =>
    hardy`
    select state, wait_event_type, left(query, 200) as query from pg_stat_activity
      where datname = ${name} and pid <> pg_backend_pid() and (state like 'idle in transaction%' or wait_event_type = 'Lock')
    union all select 'prepared', null, gid from pg_prepared_xacts
    union all select 'advisory lock', null, l.pid::text from pg_locks l where locktype = 'advisory'`;
  await expect.poll(stuck, { interval: 50, timeout: 30_000 }).toEqual([]);
}

/** Auth has found its way back too. */
export async function expectLogIn({ apiUrl }: CrashStack): Promise<void> {
  const answer = await fetch(`${apiUrl}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: keys.publishable_key, "content-type": "application/json" },
    body: JSON.stringify({ email: "survivor@example.test", password: "rafflebase-demo" }),
  });
  expect(`${answer.status} ${await answer.text()}`).toMatch(/^200 .*survivor@example\.test/);
}
