// Brings the project's database to the last of our migrations.
import { readdirSync } from "node:fs";
import { root } from "../local/root.ts";
import { supabase, supabaseJson } from "./cli.ts";
import type { Step } from "./step.ts";
import { changed, unchanged } from "./step.ts";
import { Stop } from "./stop.ts";

interface Listed {
  local: string;
  remote: string;
}

/** The versions of our own migrations, in order. */
export const versions = () =>
  readdirSync(`${root}migrations`).filter((file) => file.endsWith(".sql"))
    .map((file) => file.split("_")[0]).sort();

const list = async () => {
  const { migrations } = await supabaseJson<{ migrations: Listed[] }>(
    "migration",
    "list",
    "--remote",
  );
  return migrations;
};
const missing = (listed: Listed[]) =>
  listed.filter(({ remote }) => !remote).map((one) => one.local);
const foreign = (listed: Listed[]) => listed.filter(({ local }) => !local).map((one) => one.remote);

export const migrations: Step = {
  name: "migrations",
  plan: () => [
    `supabase db push: those of ${versions().length} that the project does not have`,
    `check that both sides end with ${versions().at(-1)}`,
  ],
  async run() {
    const before = await list();
    if (foreign(before).length > 0) {
      throw new Stop(
        `The project has migrations that this checkout does not: ${foreign(before).join(", ")}.`,
        "Deploy the newest commit; an older one does not know the database as it is now.",
      );
    }
    const head = `the head is ${versions().at(-1)} on both sides`;
    const pending = missing(before);
    if (pending.length === 0) return unchanged(`nothing to push; ${head}`);
    await supabase("db", "push", "--remote", "--yes");
    const left = missing(await list());
    if (left.length > 0) {
      throw new Stop(
        `After the push these are still missing: ${left.join(", ")}.`,
        "Run the same again.",
      );
    }
    return changed(`${pending.length} pushed; ${head}`);
  },
};
