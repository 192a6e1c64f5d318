// The stack's keys and secrets: made once for each data directory, so that sessions survive a restart.
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { readJson, writeJson } from "./files.ts";

export interface Keys {
  publishable_key: string;
  secret_key: string;
  jwt_secret: string;
  database_password: string;
  stripe_secret_key: string;
  stripe_webhook_secret: string;
  novu_secret_key: string;
  admin_secret: string;
  scheduler_secret: string;
}

export function readKeys(directory: string): Keys {
  const file = `${directory}/keys.json`;
  const kept = readJson<Keys>(file);
  const secret = (bytes = 24) => randomBytes(bytes).toString("hex");
  const keys: Keys = {
    publishable_key: `sb_publishable_${secret()}`,
    secret_key: `sb_secret_${secret()}`,
    jwt_secret: secret(32),
    database_password: secret(),
    stripe_secret_key: `sk_test_${secret()}`,
    stripe_webhook_secret: `whsec_${secret()}`,
    novu_secret_key: secret(),
    admin_secret: secret(),
    scheduler_secret: secret(),
    // Those of before win; a version that knows more keys adds the new ones.
    ...kept,
  };
  writeJson(file, keys);
  return keys;
}

/** A token as Supabase Auth signs them: HS256. */
export function signToken(claims: Record<string, unknown>, secret: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

export const serviceToken = (secret: string) =>
  signToken({ role: "service_role", iss: "rafflebase-gateway" }, secret);
