// What a step is: it looks first, changes only what is not as it should be, and checks what it did.
import type { Arguments } from "./arguments.ts";

export interface Deployment extends Arguments {
  /** What the functions are told; never printed. */
  settings: Record<string, string>;
}

export interface Outcome {
  changed: boolean;
  /** Lines that say what was found or done. */
  said: string[];
}

export interface Step {
  name: string;
  /** What it would do, for --dry-run. */
  plan(deployment: Deployment): string[];
  run(deployment: Deployment): Promise<Outcome>;
}

export const unchanged = (...said: string[]): Outcome => ({ changed: false, said });
export const changed = (...said: string[]): Outcome => ({ changed: true, said });
