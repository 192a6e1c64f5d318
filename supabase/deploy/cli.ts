// The supabase CLI, which does all that is done to a project.
import { Stop } from "./stop.ts";
import { root } from "../local/root.ts";

/** Would point it at something else than what this deployment names. */
const KEPT_BACK = ["SUPABASE_PROJECT_ID", "SUPABASE_WORKDIR"];

/** Runs it and returns what it wrote to its standard output; throws its own last words when it fails. */
export async function supabase(...args: string[]): Promise<string> {
  const env = { ...Deno.env.toObject(), DO_NOT_TRACK: "1", NO_COLOR: "1" };
  for (const name of KEPT_BACK) delete (env as Record<string, string>)[name];
  const cli = await new Deno.Command(`${root}node_modules/.bin/supabase`, {
    args: [...args, "--workdir", root],
    cwd: root,
    env,
    clearEnv: true,
    stdin: "null",
  }).output();
  const [out, err] = [cli.stdout, cli.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!cli.success) throw new CliError(`supabase ${commandOf(args)}: ${lastWords(out + err)}`);
  return out;
}

export class CliError extends Error {}

/** The same, for what answers with data. */
export const supabaseJson = async <T>(...args: string[]): Promise<T> =>
  JSON.parse(await supabase(...args, "--output-format", "json"));

const commandOf = (args: string[]) =>
  args.filter((one) => !one.startsWith("-")).slice(0, 2).join(" ");

/** What it says about itself and its progress is no news. */
function lastWords(text: string): string {
  const told = /"_tag":"Error".*?"message":("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (told) return JSON.parse(told);
  const noise =
    /^(Target:|Confirmed by --yes|Uploading asset|Try rerunning|Connecting to|Initialising)/;
  const lines = text.split("\n").map((line) => line.trim()).filter((line) =>
    line && !noise.test(line)
  );
  return lines.slice(-4).join(" / ") || "it said nothing";
}

/** Files with secrets in them are for this user alone, and gone when the work is done. */
export async function withSecretFile<T>(
  content: string,
  work: (file: string) => Promise<T>,
): Promise<T> {
  const file = await Deno.makeTempFile({ prefix: "rafflebase-" });
  try {
    await Deno.writeTextFile(file, content);
    return await work(file);
  } finally {
    await Deno.remove(file);
  }
}

/** Whether the CLI knows who we are, by an environment variable or by an earlier log-in. */
export async function isLoggedIn(): Promise<boolean> {
  if (Deno.env.get("SUPABASE_ACCESS_TOKEN")) return true;
  try {
    await supabase("projects", "list");
    return true;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (/access token/i.test(error.message)) return false;
    throw new Stop(error.message, "Check the connection to Supabase, then run the same again.");
  }
}
