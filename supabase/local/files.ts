// Small JSON files that a kill at any moment must not leave half written, or unreadable for ever.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

export function writeJson(file: string, value: unknown): void {
  const whole = `${file}.${crypto.randomUUID()}`;
  writeFileSync(whole, JSON.stringify(value, null, 2) + "\n", { mode: 0o600 });
  renameSync(whole, file);
}

/** Null where there is no such file, or none that can be read. */
export function readJson<T>(file: string): T | null {
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}
