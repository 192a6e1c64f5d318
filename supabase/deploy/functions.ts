// Deploys every function. Supabase bundles them on its side and takes them over together, so that none is
// new while another is old. What was deployed is noted as a secret, by which a second run knows it again.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { root } from "../local/root.ts";
import { supabase, supabaseJson } from "./cli.ts";
import { digest, listSecrets, setSecrets } from "./secrets.ts";
import type { Step } from "./step.ts";
import { changed, unchanged } from "./step.ts";
import { Stop } from "./stop.ts";

const NOTE = "DEPLOYED_FUNCTIONS";

interface Deployed {
  slug: string;
  status: string;
  version: number;
}

export const folders = () =>
  readdirSync(`${root}functions`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();

const list = async () =>
  (await supabaseJson<{ functions: Deployed[] }>("functions", "list", "--remote")).functions;

export const functions: Step = {
  name: "functions",
  plan: () => [
    `supabase functions deploy --use-api, unless this very code is there: ${folders().join(", ")}`,
    "check that each is listed and active",
  ],
  async run() {
    const ours = folders();
    const before = await list();
    const others = before.map(({ slug }) => slug).filter((slug) => !ours.includes(slug));
    const notes = others.length > 0 ? [`note: not of this checkout: ${others.join(", ")}`] : [];
    if ((await listSecrets()).get(NOTE) === digest(describe(before))) {
      return unchanged(`all ${ours.length} are of this code`, ...notes);
    }
    await supabase("functions", "deploy", ...ours, "--remote", "--yes", "--use-api");
    const after = await list();
    const isActive = (name: string) =>
      after.some(({ slug, status }) => slug === name && status === "ACTIVE");
    const missing = ours.filter((name) => !isActive(name));
    if (missing.length > 0) {
      throw new Stop(`These are not active: ${missing.join(", ")}.`, "Run the same again.");
    }
    await setSecrets({ [NOTE]: describe(after) });
    return changed(`${ours.length} deployed`, ...notes);
  },
};

/** This code, and the versions that it became: a deployment by hand has other versions. */
const describe = (deployed: Deployed[]) =>
  `${digestSources()} ${
    deployed.map(({ slug, version }) => `${slug}@${version}`).sort().join(" ")
  }`;

/** Of everything that decides what a function is. */
function digestSources(): string {
  const files = [
    "deno.json",
    "supabase/config.toml",
    ...filesBelow("functions"),
    ...filesBelow("shared"),
  ];
  return digest(
    files.map((file) => `${file} ${digest(readFileSync(`${root}${file}`, "utf8"))}`).join("\n"),
  );
}

const filesBelow = (folder: string): string[] =>
  readdirSync(`${root}${folder}`).sort().map((name) => `${folder}/${name}`).flatMap((path) =>
    statSync(`${root}${path}`).isDirectory() ? filesBelow(path) : [path]
  );
