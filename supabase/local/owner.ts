// One stack owns a data folder at a time: from before its first process until it has stopped.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readJson } from "./files.ts";
import { birthOf, isSameProcess } from "./orphans.ts";

interface Owner {
  pid: number;
  born: string | null;
}

const fileOf = (directory: string) => `${directory}/owner.json`;

export function isOwned(directory: string): boolean {
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
