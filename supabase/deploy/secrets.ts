// Gives the functions their settings. Supabase tells of each only the SHA-256: enough to see what differs.
import { createHash } from "node:crypto";
import { supabase, supabaseJson, withSecretFile } from "./cli.ts";
import { names } from "./settings.ts";
import type { Step } from "./step.ts";
import { changed, unchanged } from "./step.ts";
import { Stop } from "./stop.ts";

interface Listed {
  name: string;
  /** The digest of the value. */
  value: string;
}

export const digest = (text: string) => createHash("sha256").update(text).digest("hex");

export async function listSecrets(): Promise<Map<string, string>> {
  const { secrets } = await supabaseJson<{ secrets: Listed[] }>("secrets", "list", "--remote");
  return new Map(secrets.map(({ name, value }) => [name, value]));
}

/** By a file: what stands on a command line, every process of the machine can read. */
export async function setSecrets(values: Record<string, string>): Promise<void> {
  const quote = (value: string) => value.includes("'") ? `"${value}"` : `'${value}'`;
  const lines = Object.entries(values).map(([name, value]) => `${name}=${quote(value)}\n`);
  await withSecretFile(
    lines.join(""),
    (file) => supabase("secrets", "set", "--remote", "--yes", "--env-file", file),
  );
}

export const secrets: Step = {
  name: "secrets",
  plan: ({ settings }) => [
    `supabase secrets set, where they differ: ${Object.keys(settings).join(", ")}`,
    "check that each is there",
  ],
  async run({ settings }) {
    const before = await listSecrets();
    const entries = Object.entries(settings);
    const different = entries.filter(([name, value]) => before.get(name) !== digest(value));
    const kept = names.filter((name) => before.has(name) && !(name in settings));
    const notes = kept.length > 0
      ? [`left as they are, because they were not given: ${kept.join(", ")}`]
      : [];
    if (different.length === 0) return unchanged(`all ${entries.length} are as given`, ...notes);
    await setSecrets(Object.fromEntries(different));
    const after = await listSecrets();
    const wrong = different.filter(([name, value]) => after.get(name) !== digest(value));
    if (wrong.length > 0) {
      throw new Stop(
        `After setting them these are not as given: ${wrong.map(([name]) => name).join(", ")}.`,
        "Set them in the dashboard (Edge Functions, Secrets), then run the same again.",
      );
    }
    return changed(`set: ${different.map(([name]) => name).join(", ")}`, ...notes);
  },
};
