// Debian's pgbench, as a function.
import { existsSync, readdirSync, writeFileSync } from "node:fs";

export interface Run {
  tps: number;
  p95: number;
}

export function findPgbench(): string {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const places = [
    ...versions.map((one) => `/usr/lib/postgresql/${one}/bin/pgbench`),
    "/usr/bin/pgbench",
    "/usr/local/bin/pgbench",
    "/opt/homebrew/bin/pgbench",
  ];
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new Error("The benchmark needs pgbench. On Debian: apt-get install postgresql-contrib");
}

export async function pgbench(url: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(findPgbench(), { args: [...args, url] })
    .output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(text);
  return text;
}

/** Runs a script (or, without one, what pgbench calls tpcb-like) for so long, with 16 clients. */
export async function measure(
  url: string,
  folder: string,
  script: string | null,
  seconds: number,
): Promise<Run> {
  const file = `${folder}/script.sql`;
  if (script) writeFileSync(file, script);
  const log = `${folder}/log`;
  const args = ["-n", "-M", "prepared", "-c", "16", "-j", "2", "-T", String(seconds)];
  const logging = ["-l", `--log-prefix=${log}`, "--sampling-rate=0.2"];
  const text = await pgbench(url, [...args, ...logging, ...(script ? ["-f", file] : [])]);
  if (/number of failed transactions: [1-9]/.test(text)) throw new Error(text);
  return { tps: Number(/tps = ([\d.]+)/.exec(text)![1]), p95: readP95(folder) };
}

/** The third field of each line of pgbench's log is the time in microseconds. */
function readP95(folder: string): number {
  const times: number[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.startsWith("log")) continue;
    for (const line of Deno.readTextFileSync(`${folder}/${name}`).split("\n")) {
      const time = Number(line.split(" ")[2]);
      if (time > 0) times.push(time);
    }
    Deno.removeSync(`${folder}/${name}`);
  }
  times.sort((one, other) => one - other);
  return (times[Math.floor(times.length * 0.95)] ?? 0) / 1000;
}
