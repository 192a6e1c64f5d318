// What is done to a stack: how much it carries is found out, a crowd that it can carry lives on it, and ten
// times too much comes.
import type postgres from "postgres";
import { readFileSync } from "node:fs";
import type { Keys } from "../../supabase/local/keys.ts";
import { denoCommand } from "../../supabase/local/process.ts";
import type { Load, Outcome } from "./clients.ts";
import { quantile } from "./measure.ts";
import type { Memory } from "./memory.ts";
import { watchMemory } from "./memory.ts";
import { personId, raffleId } from "./player.ts";
import { order } from "./orders.ts";

export interface Site {
  apiUrl: string;
  keys: Keys;
  /** Where the stack keeps its files. */
  directory: string;
  sql: postgres.Sql;
  seed: number;
}

export interface Carried {
  /** Requests a second. */
  rate: number;
  /** Half of the purchases took less, in milliseconds. */
  purchaseMs: number;
}

// People that no other part of the scenario uses.
const WARM = 0;
const CALIBRATION = 100;
const RUSH = 1000;
const FLOOD = 3000;
const LATECOMER = 5000;

const MONEY_BURST = 10;
const UNLIMITED = 1_000_000;

export const buildWorld = (sql: postgres.Sql) =>
  sql.begin((transaction) =>
    transaction.unsafe(readFileSync(new URL("world.sql", import.meta.url), "utf8"))
  );

/** How much it answers when there is always somebody who asks, and never many. */
export async function calibrate(site: Site, seconds: number): Promise<Carried> {
  await limitMoney(site, UNLIMITED);
  await runClients(site, { first: WARM, clients: 16, seconds: 1, moneyBurst: UNLIMITED });
  const { answered, seconds: took } = await runClients(site, {
    first: CALIBRATION,
    clients: 16,
    seconds,
    moneyBurst: UNLIMITED,
  });
  return {
    rate: Object.values(answered).flat().length / took,
    purchaseMs: quantile(answered["POST purchase (wallet)"], 0.5),
  };
}

/** Clients who together ask for two fifths of what it carries. */
export async function rush(
  site: Site,
  { rate }: Carried,
  { clients, seconds }: { clients: number; seconds: number },
): Promise<{ outcome: Outcome; memory: Memory }> {
  await limitMoney(site, MONEY_BURST);
  const thinkMs = clients / (0.4 * rate) * 1000;
  const load = { first: RUSH, clients, seconds, moneyBurst: MONEY_BURST, thinkMs };
  const { result, memory } = await watchMemory(site, seconds, () => runClients(site, load));
  return { outcome: result, memory };
}

/** Ten times what it carries, whether or not it answers. */
export async function flood(
  site: Site,
  { rate }: Carried,
  { clients, seconds }: { clients: number; seconds: number },
): Promise<Outcome> {
  await limitMoney(site, UNLIMITED);
  const load = { first: FLOOD, clients, seconds, moneyBurst: UNLIMITED, rate: 10 * rate };
  return await runClients(site, load);
}

/** What is never told to try again, asked for until the work is done. Returns what it was answered, if not that. */
export async function watchReserved<T>({ apiUrl }: Site, work: () => Promise<T>) {
  const refused: string[] = [];
  let done = false;
  const ask = async (method: string, path: string) => {
    while (!done) {
      const answer = await fetch(`${apiUrl}/functions/v1/${path}`, { method });
      const body = await answer.json();
      if (body.error?.code === "try_again") refused.push(`${path}: ${JSON.stringify(body)}`);
      await pause(250);
    }
  };
  const asking = Promise.all([ask("GET", "health"), ask("POST", "stripe-webhook")]);
  try {
    return { result: await work(), refused };
  } finally {
    done = true;
    await asking;
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The seconds until an ordinary purchase is again as quick as it was, or nearly. */
export async function recover(site: Site, { purchaseMs }: Carried): Promise<number> {
  const began = performance.now();
  const body = JSON.stringify({ raffle_id: raffleId(1), quantity: 1, payment_method: "wallet" });
  while (performance.now() - began < 60_000) {
    const sent = performance.now();
    const one = { user_id: personId(LATECOMER), key: crypto.randomUUID(), body };
    const { status } = await order(site, one);
    if (status === 201 && performance.now() - sent < 5 * purchaseMs) {
      return (performance.now() - began) / 1000;
    }
    await pause(50);
  }
  throw new Error("it has not recovered within a minute");
}

const limitMoney = ({ sql }: Site, burst: number) =>
  sql`update app.rate_limits set burst = ${burst} where class = 'money'`;

async function runClients(
  { apiUrl, keys, seed }: Site,
  load: Omit<Load, "apiUrl" | "keys" | "seed">,
): Promise<Outcome> {
  const [command, ...args] = denoCommand(new URL("clients.ts", import.meta.url));
  const env = { LOAD: JSON.stringify({ apiUrl, keys, seed, ...load }) };
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
