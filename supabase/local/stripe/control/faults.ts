import type { ErrorBody } from "../errors.ts";
import { newId } from "../ids.ts";
import { seeded } from "../../random.ts";

/**
 * decline: the next charge is refused by the bank (`code`: a decline code).
 * error: an answer with `status`, `when` "before" or "after" the work; like Stripe, the answer is
 *   kept for the idempotency key unless `stored` is false.
 * delay: waits `ms` (null: until released) before the work, while the idempotency key is in use.
 * hang: does the work and holds the answer for `ms`, or until it is released.
 * disconnect: does the work and breaks the connection.
 */
export type FaultKind = "decline" | "error" | "delay" | "hang" | "disconnect";
export const FAULT_KINDS: readonly FaultKind[] = [
  "decline",
  "error",
  "delay",
  "hang",
  "disconnect",
];

export interface FaultRule {
  id: string;
  kind: FaultKind;
  method?: string;
  /** A path, in which `*` stands for anything. */
  path?: string;
  /** How often; null for always. */
  times: number | null;
  probability: number;
  hits: number;
  code?: string;
  ms?: number | null;
  status?: number;
  when?: "before" | "after";
  stored?: boolean;
  error?: Partial<ErrorBody>;
}

export class Faults {
  #rules: FaultRule[] = [];
  #random = seeded(1);

  seed(seed: number): void {
    this.#random = seeded(seed);
  }

  add(rule: Omit<FaultRule, "id" | "hits" | "times" | "probability"> & Partial<FaultRule>) {
    const added = { times: 1, probability: 1, ...rule, id: newId("fault", 8), hits: 0 };
    this.#rules.push(added);
    return added;
  }

  list(): FaultRule[] {
    return this.#rules;
  }

  clear(): void {
    this.#rules = [];
  }

  /** Uses up one hit of the first rule that fits. */
  take(
    kind: FaultKind,
    request: { method: string; path: string } | null,
    fits: (rule: FaultRule) => boolean = () => true,
  ): FaultRule | undefined {
    const rule = this.#rules.find((candidate) =>
      candidate.kind === kind &&
      (candidate.times === null || candidate.hits < candidate.times) &&
      matches(candidate, request) && fits(candidate)
    );
    if (!rule || (rule.probability < 1 && this.#random() >= rule.probability)) return undefined;
    rule.hits += 1;
    return rule;
  }
}

function matches(rule: FaultRule, request: { method: string; path: string } | null): boolean {
  if (!request) return true;
  if (rule.method && rule.method.toUpperCase() !== request.method) return false;
  return !rule.path || pattern(rule.path).test(request.path);
}

function pattern(path: string): RegExp {
  const parts = path.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
