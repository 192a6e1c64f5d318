// What `npm run deploy` was asked to do.
import { Stop } from "./stop.ts";

export interface Arguments {
  projectRef: string;
  /** Where people reach the project; its own domain if it has one. */
  apiUrl: string;
  settingsFile?: string;
  dryRun: boolean;
}

export const USAGE = `npm run deploy -- --project-ref <ref> [options]

  --project-ref <ref>   the project, as its dashboard's address names it
  --settings <file>     settings, one NAME=value a line; what the shell sets wins
  --api-url <url>       the project's address, if it has a domain of its own
  --dry-run             prints what would be done, asks nobody and changes nothing

The log-in is the CLI's: supabase login, or SUPABASE_ACCESS_TOKEN. SUPABASE_DB_PASSWORD is used if it is set.`;

/** Not --env-file: Node, which starts this, takes an option of that name for its own wherever it stands. */
const NAMES = ["--project-ref", "--settings", "--api-url"];

export function readArguments(args: string[]): Arguments {
  const given: Record<string, string> = {};
  let dryRun = false;
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].split(/=(.*)/s);
    if (name === "--dry-run") dryRun = true;
    else if (NAMES.includes(name)) given[name] = inline ?? args[++i] ?? "";
    else throw new Stop(`npm run deploy does not know "${args[i]}".`, USAGE);
  }
  const projectRef = given["--project-ref"] ?? "";
  if (!/^[a-z]{20}$/.test(projectRef)) {
    throw new Stop("--project-ref must be the twenty small letters of a project.", USAGE);
  }
  const apiUrl = given["--api-url"] ?? `https://${projectRef}.supabase.co`;
  if (!URL.canParse(apiUrl)) throw new Stop(`--api-url is no address: "${apiUrl}".`, USAGE);
  const { origin } = new URL(apiUrl);
  return { projectRef, apiUrl: origin, settingsFile: given["--settings"], dryRun };
}
