// Remembers which processes a stack started, so that the next start can end what a kill -9 left.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { readJson, writeJson } from "./files.ts";

type Remembered = Record<string, { pid: number; born: string | null }>;

export function rememberProcess(directory: string, name: string, pid: number): void {
  const file = `${directory}/processes.json`;
  const all = readRemembered(file);
  all[name] = { pid, born: birthOf(pid) };
  writeJson(file, all);
}

/** Ends every remembered process that still lives; a pid that now belongs to another is left alone. */
export async function endOrphans(directory: string): Promise<number> {
  const file = `${directory}/processes.json`;
  const remembered = readRemembered(file);
  const orphans = Object.values(remembered).filter(isSameProcess);
  // SIGQUIT ends Postgres with all its children, and it recovers from its log at the next start.
  for (const one of orphans) signal(one.pid, one === remembered.postgres ? "SIGQUIT" : "SIGKILL");
  const deadline = Date.now() + 10_000;
  while (orphans.some(isSameProcess)) {
    if (Date.now() > deadline) orphans.forEach(({ pid }) => signal(pid, "SIGKILL"));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  rmSync(file, { force: true });
  return orphans.length;
}

export function isSameProcess({ pid, born }: { pid: number; born: string | null }): boolean {
  return born !== null && birthOf(pid) === born;
}

/** When the process was born (pid and birth name a process for ever), or null when it is gone. */
export function birthOf(pid: number): string | null {
  if (existsSync("/proc/self/stat")) {
    try {
      // pid (name) state ppid ...: the name may hold anything, so count from its closing bracket.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
      return fields[0] === "Z" ? null : fields[19];
    } catch {
      return null;
    }
  }
  const ps = new Deno.Command("ps", { args: ["-o", "lstart=", "-p", String(pid)] }).outputSync();
  return ps.success ? new TextDecoder().decode(ps.stdout).trim() : null;
}

function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function readRemembered(file: string): Remembered {
  return readJson<Remembered>(file) ?? {};
}
