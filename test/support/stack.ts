// The services on a test file's own database: the real Auth, PostgREST, functions and simulators.
import { createClient } from "@supabase/supabase-js";
import { inject } from "vitest";
import type { Database } from "../../shared/database.types.ts";
import { signToken } from "../../supabase/local/keys.ts";
import type { Services } from "../../supabase/local/services.ts";
import { startServices } from "../../supabase/local/services.ts";
import { cleanUpLater } from "./cleanup.ts";
import type { TestDatabase } from "./database.ts";
import { createUser, keys, testDatabase, urlOf } from "./database.ts";

export interface TestStack extends TestDatabase {
  services: Services;
  apiUrl: string;
}

/** Nothing happens there but what the test does: the clock's jobs are off, unless it asks for them. */
export async function testStack(
  environment: Record<string, string> = {},
  { clock = false } = {},
): Promise<TestStack> {
  const database = await testDatabase();
  if (!clock) {
    await database.sql`select cron.unschedule(jobname) from cron.job`;
    await database.sql`update public.jobs set next_run_at = 'infinity'`; // nor are they missed
  }
  const directory = `${inject("directory")}/${database.name}`;
  const services = await startServices({
    directory,
    port: 0,
    server: { port: inject("postgresPort"), url: urlOf },
    database: database.name,
    keys,
    environment,
  });
  cleanUpLater(() => services.stop());
  return { ...database, services, apiUrl: services.apiUrl };
}

/** A token as Auth would have signed it for the user; claims can be bent. */
export function tokenFor(
  userId: string,
  claims: Record<string, unknown> = {},
  secret = keys.jwt_secret,
) {
  const now = Math.floor(Date.now() / 1000);
  return signToken({
    sub: userId,
    role: "authenticated",
    aud: "authenticated",
    iat: now,
    exp: now + 3600,
    ...claims,
  }, secret);
}

export interface Person {
  id: string;
  email: string;
  token: string;
}

/** A confirmed user with a session. */
export async function signUp(
  database: TestDatabase,
  options: Parameters<typeof createUser>[1] = {},
): Promise<Person> {
  const user = await createUser(database, options);
  return { ...user, token: tokenFor(user.id) };
}

/** supabase-js as a frontend has it: the publishable key, and a session or none. */
export function clientFor(stack: TestStack, token?: string) {
  return createClient<Database>(stack.apiUrl, keys.publishable_key, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: token ? { headers: { authorization: `Bearer ${token}` } } : {},
  });
}

export function secretClient(stack: TestStack) {
  return createClient<Database>(stack.apiUrl, keys.secret_key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
}

export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any
  body: any;
}

/** Calls a function as a frontend does. */
export async function call(
  stack: TestStack,
  method: string,
  path: string,
  options: { token?: string; body?: unknown; raw?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers: Record<string, string> = { apikey: keys.publishable_key, ...options.headers };
  if (options.token) headers.authorization ??= `Bearer ${options.token}`;
  const body = options.raw ??
    (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (body !== undefined) headers["content-type"] ??= "application/json";
  const response = await fetch(`${stack.apiUrl}/functions/v1${path}`, { method, headers, body });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  };
}
