import { seeded } from "./random.ts";

/**
 * What a simulator was told to do wrong, and for how long. A fault holds for the next `times`
 * answers, or until `clear`; with `probability` it strikes by a seeded draw, so that the same seed
 * always fails the same requests.
 */
export interface Fault {
  kind: string;
  detail: Record<string, unknown>;
  left: number | null;
  probability: number;
  strikes: () => boolean;
}

export class FaultError extends Error {}

export class FaultPlan {
  #faults: Fault[] = [];
  #waiting = new AbortController();

  add(kind: string, body: Record<string, unknown>): Fault {
    const { times = null, probability = 1, seed = 1, ...detail } = body;
    if (times !== null && !(Number.isInteger(times) && Number(times) > 0)) {
      throw new FaultError('times must be a whole number above 0, or left out for "until reset"');
    }
    if (typeof probability !== "number" || !(probability > 0 && probability <= 1)) {
      throw new FaultError("probability must be above 0 and at most 1");
    }
    if (!Number.isInteger(seed)) throw new FaultError("seed must be a whole number");
    const draw = seeded(Number(seed));
    const fault = {
      kind,
      detail,
      left: times as number | null,
      probability,
      strikes: () => probability === 1 || draw() < probability,
    };
    this.#faults.push(fault);
    return fault;
  }

  /** The oldest fault of this kind that strikes now; taking it spends one of its times. */
  take(kind: string): Fault | undefined {
    const fault = this.#faults.find((candidate) => candidate.kind === kind && candidate.strikes());
    if (fault && fault.left !== null && --fault.left === 0) {
      this.#faults = this.#faults.filter((candidate) => candidate !== fault);
    }
    return fault;
  }

  list(): { kind: string; left: number | null; probability: number }[] {
    return this.#faults.map(({ kind, detail, left, probability }) => ({
      kind,
      ...detail,
      left,
      probability,
    }));
  }

  /** Forgets every fault and lets go of every request that a fault made wait. */
  clear(): void {
    this.#faults = [];
    this.#waiting.abort();
    this.#waiting = new AbortController();
  }

  /** Waits; ends early when the caller goes away or the faults are cleared. */
  wait(milliseconds: number, caller: AbortSignal): Promise<void> {
    const over = AbortSignal.any([caller, this.#waiting.signal]);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        over.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      over.addEventListener("abort", done);
      if (over.aborted) done();
    });
  }
}

/** Anything longer overflows the timer and would fire at once. */
export const LONGEST_WAIT_MS = 2 ** 31 - 1;

export function readDelay(body: Record<string, unknown>, otherwise: number): number {
  const delay = body.delay_ms ?? otherwise;
  if (typeof delay !== "number" || !(delay >= 0 && delay <= LONGEST_WAIT_MS)) {
    throw new FaultError("delay_ms must be milliseconds, 0 or more");
  }
  return delay;
}

/** Control bodies may be left out: `curl -X POST .../_control/down` is enough. */
export async function readControlBody(request: Request): Promise<Record<string, unknown>> {
  const text = await request.text();
  if (text.trim() === "") return {};
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new FaultError("the body must be JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new FaultError("the body must be a JSON object");
  }
  return body as Record<string, unknown>;
}

/** A body that starts, then breaks the connection: the caller sees a response that never ends well. */
export function brokenBody(start: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(start);
  let sent = bytes.length === 0;
  return new ReadableStream({
    pull(controller) {
      if (sent) return controller.error(new Error("broken off on purpose"));
      sent = true;
      controller.enqueue(bytes);
    },
  });
}
