// Everything that stands on one database: Auth, data API, simulators, functions, cron, gateway.
import postgres from "postgres";
import { variables } from "../../shared/env.ts";
import { startTicker } from "./cron.ts";
import { functionsEnvironment } from "./environment.ts";
import type { Functions } from "./functions/process.ts";
import { startFunctions } from "./functions/process.ts";
import { createGateway } from "./gateway.ts";
import type { Keys } from "./keys.ts";
import { freePort } from "./ports.ts";
import type { PostgresAddress } from "./postgres/server.ts";
import { startSender } from "./net.ts";
import { startPostgrest } from "./postgrest.ts";
import type { Part } from "./process.ts";
import { answersReady, denoCommand, startPart } from "./process.ts";

export interface ServicesOptions {
  directory: string;
  /** The gateway's port; 0 picks a free one. */
  port: number;
  server: PostgresAddress;
  database: string;
  keys: Keys;
  /** Settings for the functions that win over the stack's own. */
  environment?: Record<string, string>;
  watch?: boolean;
}

export interface Services {
  apiUrl: string;
  stripeUrl: string;
  drandUrl: string;
  novuUrl: string;
  auth: Part;
  postgrest: Part;
  simulators: Part;
  functions: Functions;
  stop(): Promise<void>;
}

type Stoppable = { stop(): Promise<unknown> };

export async function startServices(options: ServicesOptions): Promise<Services> {
  const started: Stoppable[] = [];
  const keep = <T extends Stoppable>(part: T): T => (started.push(part), part);
  const stop = async () => {
    const failures: unknown[] = [];
    while (started.length > 0) {
      // One part that does not stop well must not keep the others running.
      await started.pop()!.stop().catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    return { ...await start(options, keep), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  options: ServicesOptions,
  keep: <T extends Stoppable>(part: T) => T,
): Promise<Omit<Services, "stop">> {
  const { directory, server, database, keys } = options;
  const ports = Array.from({ length: 5 }, freePort);
  const [authUrl, restUrl, stripeUrl, drandUrl, novuUrl] = ports.map((port) =>
    `http://127.0.0.1:${port}`
  );

  const running: { functions?: Functions } = {};
  const targets = {
    auth: authUrl,
    rest: restUrl,
    novu: novuUrl,
    functions: () => running.functions?.url(),
    // Twice what the functions work on: those who wait for Stripe are not counted there.
    atOnce: 2 * variables.REQUESTS_AT_ONCE.parse(options.environment?.REQUESTS_AT_ONCE),
  };
  const gateway = createGateway(keys, targets);
  const listener = Deno.serve(
    { hostname: "127.0.0.1", port: options.port, onListen() {} },
    gateway.fetch,
  );
  keep({ stop: () => Promise.race([listener.shutdown(), pause(2000)]) });
  const apiUrl = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;

  const child = (name: string, file: string, env: Record<string, string>, url: string) =>
    startPart({
      name,
      directory,
      command: denoCommand(new URL(file, import.meta.url)),
      env,
      ready: answersReady(url),
    }).then(keep);
  const [auth, postgrest, simulators] = await allStarted([
    child("auth", "auth/main.ts", {
      PORT: String(ports[0]),
      DATABASE_URL: server.url("supabase_auth_admin", database),
      JWT_SECRET: keys.jwt_secret,
      API_URL: apiUrl,
    }, authUrl),
    startPostgrest({
      directory,
      port: ports[1],
      databaseUrl: server.url("authenticator", database),
      jwtSecret: keys.jwt_secret,
    }).then(keep),
    child("simulators", "simulators.ts", {
      STRIPE_PORT: String(ports[2]),
      DRAND_PORT: String(ports[3]),
      NOVU_PORT: String(ports[4]),
      STRIPE_WEBHOOK_URL: `${apiUrl}/functions/v1/stripe-webhook`,
      STRIPE_WEBHOOK_SECRET: keys.stripe_webhook_secret,
    }, novuUrl),
  ]);

  const addresses = { api: apiUrl, stripe: stripeUrl, drand: drandUrl, novu: novuUrl };
  const environment = { ...functionsEnvironment(keys, addresses), ...options.environment };
  const functions = running.functions = keep(
    await startFunctions({ directory, environment, watch: options.watch ?? false }),
  );

  // Asking for types, the package fails where nobody can catch it when Postgres ends meanwhile.
  const sql = postgres(server.url("postgres", database), {
    max: 8,
    onnotice: () => {},
    fetch_types: false,
  });
  keep({ stop: () => sql.end({ timeout: 5 }) });
  await startClock(sql, {
    functions_url: `${apiUrl}/functions/v1`,
    scheduler_secret: keys.scheduler_secret,
  }, keep);

  return { apiUrl, stripeUrl, drandUrl, novuUrl, auth, postgrest, simulators, functions };
}

/** What hosted Supabase has as extensions: Vault with our two secrets, pg_net, pg_cron. */
async function startClock(
  sql: postgres.Sql,
  secrets: Record<string, string>,
  keep: (part: Stoppable) => void,
): Promise<void> {
  for (const [name, decrypted_secret] of Object.entries(secrets)) {
    await sql`insert into vault.decrypted_secrets ${sql({ name, decrypted_secret })}
      on conflict (name) do update set decrypted_secret = excluded.decrypted_secret`;
  }
  const log = (line: string) => console.error(line);
  keep(startSender(sql, log));
  await sql`select app.watch_jobs()`; // the clock has stood still since the stack was stopped
  keep(startTicker(sql, log));
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for all before it fails, so that those which did start can be stopped. */
async function allStarted(starting: Promise<Part>[]): Promise<Part[]> {
  const outcomes = await Promise.allSettled(starting);
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}
