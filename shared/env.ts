// What a deployment sets, read once. A missing or senseless value stops the start, by name.
import { z } from "zod";

const list = z.string().transform((text) =>
  text.split(",").map((one) => one.trim()).filter(Boolean)
);
const secret = z.string().min(8, "must have at least 8 characters");

/** Every variable the functions read. Those that begin with SUPABASE_ are given by the platform. */
export const variables = {
  SUPABASE_URL: z.url(),
  SUPABASE_ANON_KEY: z.string().min(1),
  SUPABASE_SERVICE_ROLE_KEY: z.string().min(1),
  /** Origins whose pages may call the functions, separated by commas; * for all. */
  CORS_ORIGINS: list,
  /** Where people come back to after paying, unless the request names another page. */
  SITE_URL: z.url(),
  /** Origins that people may be sent to after paying, separated by commas; http://localhost:* is any port. */
  RETURN_URL_ORIGINS: list.default([]),
  /** Whoever knows it can become the first admin. */
  ADMIN_SECRET: secret,
  /** Whoever knows it can make the functions do what is due: pg_cron, by Vault. */
  SCHEDULER_SECRET: secret,
  /** How many requests a process works on at once; more are answered 503 try_again. */
  REQUESTS_AT_ONCE: z.coerce.number().int().min(1).max(10_000).default(250),
  STRIPE_SECRET_KEY: secret,
  /** Signing secrets of the webhook endpoint; several while one is being rotated. */
  STRIPE_WEBHOOK_SECRETS: list,
  STRIPE_API_URL: z.url().default("https://api.stripe.com"),
  /** How long one call may take, in milliseconds. */
  STRIPE_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(7_000),
  NOVU_SECRET_KEY: secret,
  NOVU_API_URL: z.url().default("https://api.novu.co"),
  /** How long one call may take, in milliseconds. */
  NOVU_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(10_000),
  /** Where official lottery results are asked for; without it operators enter them alone. */
  LOTTERY_FEED_URL: z.url().optional(),
  /** Relays of the drand network, the first that answers well is believed. */
  DRAND_URLS: list.default([
    "https://api.drand.sh",
    "https://api2.drand.sh",
    "https://drand.cloudflare.com",
  ]),
};

export type Environment = z.infer<z.ZodObject<typeof variables>>;

export function parseEnvironment(get: (name: string) => string | undefined): Environment {
  const given = Object.keys(variables).map((name) => [name, get(name) || undefined]);
  const parsed = z.object(variables).safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  const name = String(path[0]);
  throw new Error(get(name) ? `The setting ${name} ${message}` : `The setting ${name} is missing`);
}

let environment: Environment | undefined;

export function env(): Environment {
  return environment ??= parseEnvironment((name) => Deno.env.get(name));
}
