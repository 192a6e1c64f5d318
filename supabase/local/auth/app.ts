// Supabase Auth, played by @supabase/lite on our Postgres; its mail is kept to be looked at.
import type { EmailMessage } from "@supabase/lite";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { parse } from "smol-toml";
import { readFileSync } from "node:fs";

export interface Mail extends EmailMessage {
  id: number;
  sent_at: string;
}

export interface AuthOptions {
  databaseUrl: string;
  jwtSecret: string;
  /** Where links in mails lead: the gateway, which serves /auth/v1/verify. */
  apiUrl: string;
}

const MAILS_KEPT = 1000;

export function createAuth({ databaseUrl, jwtSecret, apiUrl }: AuthOptions) {
  const mails: Mail[] = [];
  let sent = 0;
  const email = {
    send(message: EmailMessage) {
      mails.unshift({ id: ++sent, sent_at: new Date().toISOString(), ...message });
      mails.length = Math.min(mails.length, MAILS_KEPT);
      return Promise.resolve();
    },
  };
  const settings = projectSettings();
  const app = new App({
    connection: createPostgresConnection({ url: databaseUrl }),
    auth: { ...settings, enabled: true, jwt_secret: jwtSecret, site_url: apiUrl },
    db: { migrations: { enabled: false } },
    options: { drivers: { email } },
  });
  return { app, mails };
}

/** The same [auth] section that a hosted project is configured from. */
function projectSettings() {
  const file = new URL("../../config.toml", import.meta.url);
  const config = parse(readFileSync(file, "utf8")) as { auth: Record<string, unknown> };
  const { email, ...auth } = config.auth;
  return { ...auth, email: email as Record<string, unknown> };
}
