// What the functions are told: the same names as on hosted Supabase, with this stack's values.
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { variables } from "../../shared/env.ts";
import type { Keys } from "./keys.ts";
import { root } from "./root.ts";

export interface Addresses {
  api: string;
  stripe: string;
  drand: string;
  novu: string;
}

export function functionsEnvironment(keys: Keys, at: Addresses): Record<string, string> {
  return {
    SUPABASE_URL: at.api,
    SUPABASE_ANON_KEY: keys.publishable_key,
    SUPABASE_SERVICE_ROLE_KEY: keys.secret_key,
    ADMIN_SECRET: keys.admin_secret,
    SCHEDULER_SECRET: keys.scheduler_secret,
    CORS_ORIGINS: "*",
    SITE_URL: at.api,
    RETURN_URL_ORIGINS: "http://localhost:*,http://127.0.0.1:*",
    STRIPE_SECRET_KEY: keys.stripe_secret_key,
    STRIPE_WEBHOOK_SECRETS: keys.stripe_webhook_secret,
    STRIPE_API_URL: at.stripe,
    NOVU_SECRET_KEY: keys.novu_secret_key,
    NOVU_API_URL: at.novu,
    DRAND_URLS: at.drand,
  };
}

/** What a developer set in the shell or in .env (git-ignored) wins over the stack's own values. */
export function chosenEnvironment(): Record<string, string> {
  const file = `${root}.env`;
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
  const given = { ...fromFile, ...Deno.env.toObject() } as Record<string, string>;
  const names = Object.keys(variables).filter((name) =>
    !name.startsWith("SUPABASE_") && name in given
  );
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}
