import { newId } from "../ids.ts";
import { seeded } from "../../random.ts";

/** For the next deliveries of some type: lose, repeat or delay them. */
export interface DeliveryRule {
  id: string;
  kind: "drop" | "duplicate" | "delay";
  /** An event type; absent for all. */
  type?: string;
  /** How many events; null for all. */
  times: number | null;
  hits: number;
  /** duplicate: how many more copies (default 1), under fresh event ids or the same one. */
  copies?: number;
  fresh_ids?: boolean;
  /** delay: for how long. */
  ms?: number;
}

/** The same as probabilities, each drawn from one seeded sequence. */
export interface Chaos {
  seed: number;
  drop: number;
  duplicate: number;
  /** Of duplicates: how many come under a fresh event id. */
  fresh_ids: number;
  delay: number;
  max_delay_ms: number;
}

export const CALM: Chaos = {
  seed: 1,
  drop: 0,
  duplicate: 0,
  fresh_ids: 0,
  delay: 0,
  max_delay_ms: 100,
};

/** One copy of an event for one endpoint: what is to happen to it. */
export interface Copy {
  drop: boolean;
  fresh: boolean;
  delayMs: number;
}

export class DeliveryFaults {
  chaos: Chaos = { ...CALM };
  #rules: DeliveryRule[] = [];
  #random = seeded(CALM.seed);

  setChaos(chaos: Partial<Chaos>): void {
    this.chaos = { ...this.chaos, ...chaos };
    this.#random = seeded(this.chaos.seed);
  }

  add(rule: Omit<DeliveryRule, "id" | "hits" | "times"> & Partial<DeliveryRule>): DeliveryRule {
    const added = { times: 1, ...rule, id: newId("rule", 8), hits: 0 };
    this.#rules.push(added);
    return added;
  }

  list(): DeliveryRule[] {
    return this.#rules;
  }

  clear(): void {
    this.#rules = [];
    this.setChaos(CALM);
  }

  random(): number {
    return this.#random();
  }

  plan(type: string): Copy[] {
    const { chaos } = this;
    const chance = (probability: number) => probability > 0 && this.#random() < probability;
    const first: Copy = { drop: chance(chaos.drop), fresh: false, delayMs: 0 };
    const copies = [first];
    if (chance(chaos.duplicate)) {
      copies.push({ drop: false, fresh: chance(chaos.fresh_ids), delayMs: 0 });
    }
    for (const copy of copies) {
      if (chance(chaos.delay)) copy.delayMs = Math.round(this.#random() * chaos.max_delay_ms);
    }
    for (const rule of this.#hit(type)) {
      if (rule.kind === "drop") first.drop = true;
      if (rule.kind === "delay") first.delayMs += rule.ms ?? 1000;
      if (rule.kind === "duplicate") {
        const copy = { drop: false, fresh: rule.fresh_ids ?? false, delayMs: 0 };
        for (let made = 0; made < (rule.copies ?? 1); made++) copies.push({ ...copy });
      }
    }
    return copies;
  }

  #hit(type: string): DeliveryRule[] {
    const rules = this.#rules.filter((rule) =>
      (!rule.type || rule.type === type) && (rule.times === null || rule.hits < rule.times)
    );
    for (const rule of rules) rule.hits += 1;
    return rules;
  }
}
