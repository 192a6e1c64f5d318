// One stack owns a data folder at a time: from before its first process until it has stopped.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readJson } from "./files.ts";
import { birthOf, endOrphans, isSameProcess } from "./orphans.ts";

interface Owner {
  pid: number;
  born: string | null;
}

const fileOf = (directory: string) => `${directory}/owner.json`;

function isOwned(directory: string): boolean {
  const owner = readJson<Owner>(fileOf(directory));
  return owner !== null && isSameProcess(owner);
}

/** Takes the folder unless a living process has it. Of two that try at once one succeeds. */
export function takeFolder(directory: string): boolean {
  mkdirSync(directory, { recursive: true });
  if (isOwned(directory)) return false;
  rmSync(fileOf(directory), { force: true });
  const self = JSON.stringify({ pid: Deno.pid, born: birthOf(Deno.pid) });
  try {
    writeFileSync(fileOf(directory), self, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

export const leaveFolder = (directory: string) => rmSync(fileOf(directory), { force: true });

/** Ends what runs in the folders whose owner was killed, and removes them. */
export async function sweepFolders(home: string, prefix: string): Promise<void> {
  const names = existsSync(home) ? readdirSync(home).filter((name) => name.startsWith(prefix)) : [];
  for (const directory of names.map((name) => `${home}/${name}`)) {
    if (isOwned(directory)) continue;
    await endOrphansBelow(directory);
    await endOrphans(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A test run keeps a folder for each of its files within its own. Returns how many were ended. */
export async function endOrphansBelow(directory: string): Promise<number> {
  let ended = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) ended += await endOrphans(`${directory}/${entry.name}`);
  }
  return ended;
}
