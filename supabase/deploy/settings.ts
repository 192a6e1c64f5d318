// What the functions will be told: taken from the shell and a file, and checked before anything is done.
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { z } from "zod";
import { variables } from "../../shared/env.ts";

/** Every variable that a deployment sets; the platform sets those of its own by itself. */
export const names = Object.keys(variables).filter((name) => !name.startsWith("SUPABASE_"));

export interface Settings {
  given: Record<string, string>;
  /** Those that the shell has: they win over the file's. */
  fromShell: string[];
  /** Names in the file that mean nothing. */
  unknown: string[];
  /** Sentences about what is missing or senseless, all of them; none has a value in it. */
  flaws: string[];
}

export function readSettings(file: string | undefined): Settings {
  const flaws: string[] = [];
  if (file !== undefined && !existsSync(file)) flaws.push(`there is no file ${file}`);
  const fromFile = file !== undefined && existsSync(file)
    ? parseEnv(readFileSync(file, "utf8"))
    : {};
  const all = { ...fromFile, ...Deno.env.toObject() } as Record<string, string>;
  // Empty is as good as not given, as in shared/env.ts.
  const given = Object.fromEntries(
    names.filter((name) => all[name]).map((name) => [name, all[name]]),
  );
  const shape = z.object(Object.fromEntries(names.map((name) => [name, shapeOf(name)])));
  for (const { path, message } of shape.safeParse(given).error?.issues ?? []) {
    const name = String(path[0]);
    flaws.push(name in given ? `${name} is not right: ${message}` : `${name} is missing`);
  }
  for (const name of Object.keys(given)) {
    const flaw = findHostedFlaw(name, given[name]);
    if (flaw) flaws.push(`${name} ${flaw}`);
  }
  const fromShell = Object.keys(given).filter((name) => Deno.env.get(name));
  const unknown = Object.keys(fromFile).filter((name) => !names.includes(name));
  return { given, flaws, fromShell, unknown };
}

const shapeOf = (name: string) => variables[name as keyof typeof variables];

/** Of a hosted project each part of the value, of which commas part several. */
const SHAPES: Record<string, { is: RegExp; means: string }> = {
  CORS_ORIGINS: {
    is: /^(\*|https:\/\/[^/]+)$/,
    means: "origins: https://, a host, and nothing after it",
  },
  RETURN_URL_ORIGINS: {
    is: /^https:\/\/[^/]+$/,
    means: "origins: https://, a host, and nothing after it",
  },
  DRAND_URLS: { is: /^https:\/\//, means: "addresses that begin with https://" },
  STRIPE_SECRET_KEY: {
    is: /^[sr]k_(live|test)_\w+$/,
    means: "a key of Stripe: sk_live_ or rk_live_",
  },
  STRIPE_WEBHOOK_SECRETS: { is: /^whsec_\w+$/, means: "signing secrets of Stripe: whsec_" },
};

/** What is well formed and can still not be meant for a project that others use. */
function findHostedFlaw(name: string, value: string): string | undefined {
  const shape = SHAPES[name];
  if (shape && !value.split(",").every((part) => shape.is.test(part.trim()))) {
    return `must be ${shape.means}`;
  }
  if (/_SECRET$/.test(name) && value.length < 16) {
    return "has fewer than 16 characters: openssl rand -hex 24 makes one";
  }
  if (/[\r\n]/.test(value) || (value.includes("'") && value.includes('"'))) {
    return "has a line break, or both kinds of quotation marks";
  }
  if (/_URLS?$/.test(name) && /^http:|localhost|127\.0\.0\.1/m.test(value.replaceAll(",", "\n"))) {
    return "names an address that is not https, or this machine";
  }
}
