// Clients as they should be written: each request is sent, under the same key, until it has an answer.
import type { Random } from "../support/stripe-histories.ts";
import { sleep } from "../support/crowd.ts";
import { keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";

export interface Ask {
  /** Of a function, or /rest/v1/... */
  path: string;
  token?: string;
  body?: object;
  key?: string;
  /** Of a raffle that is sold out or over meanwhile, say: refusals that are an answer too. */
  refusals?: string[];
}

export interface Answer {
  status: number;
  replayed: boolean;
  // deno-lint-ignore no-explicit-any
  body: any;
}

export interface Told extends Ask {
  answer: Answer;
  began: number;
  ended: number;
  /** How often it was sent of which nobody knows what became of it: cut off, or answered by a 5xx. */
  doubts: number;
}

/** For all that is killed meanwhile, on a machine that others use too. */
export const PATIENCE_MS = 180_000;

export class Traffic {
  sent = 0;
  told: Told[] = [];
  /** What failed tries were answered, and how often. */
  failures: Record<string, number> = {};
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor(readonly stack: TestStack) {}

  /** Once so many more requests have been sent. */
  afterMore(requests: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ count: this.sent + requests, resolve });
    return promise;
  }

  /** With a random one, the connection is cut the first time, now and then, at a moment of its choice. */
  async insist(ask: Ask, cutting?: Random): Promise<Told> {
    const began = performance.now();
    for (let doubts = 0;; doubts++) {
      this.sent++;
      for (const { count, resolve } of this.#waiting) if (this.sent >= count) resolve();
      const cut = doubts === 0 && cutting?.chance(0.6) ? cutting : undefined;
      const answer = await (cut ? this.#cutOff(ask, cut) : this.#try(ask));
      if (typeof answer !== "string") {
        const told: Told = { ...ask, answer, began, ended: performance.now(), doubts };
        this.told.push(told);
        return told;
      }
      this.failures[answer] = (this.failures[answer] ?? 0) + 1;
      if (performance.now() - began > PATIENCE_MS) {
        throw new Error(`${ask.path} under ${ask.key} had no answer in the end: ${answer}`);
      }
      await sleep(Math.min(30 * 1.5 ** doubts, 300) * (0.5 + Math.random()));
    }
  }

  /** The answer, or why there is none that a client could rely on. */
  async #try(ask: Ask): Promise<Answer | string> {
    const { url, headers, body } = this.#write(ask);
    let answer: Answer;
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS / 6);
      const response = await fetch(url, { method: "POST", headers, body, signal });
      const replayed = response.headers.has("idempotent-replayed");
      answer = { status: response.status, replayed, body: await response.json() };
    } catch (error) {
      return (error as Error).name;
    }
    const { status, body: said } = answer;
    const code = said?.error?.code ?? said?.message;
    if (status >= 500 || code === "request_in_progress") return `${status} ${code}`;
    // PostgREST itself, asked directly, has only this to say of a connection that it has lost.
    if (status === 400 && said?.code === "") return "400 without a code";
    if (status >= 400 && !ask.refusals?.includes(code)) {
      throw new Error(`${ask.path}: ${status} ${JSON.stringify(said)}`);
    }
    return answer;
  }

  #write({ path, token, body, key }: Ask) {
    const url = `${this.stack.apiUrl}${path.startsWith("/rest/") ? "" : "/functions/v1"}${path}`;
    const headers: Record<string, string> = {
      apikey: keys.publishable_key,
      "content-type": "application/json",
    };
    if (token) headers.authorization = `Bearer ${token}`;
    if (key) headers["idempotency-key"] = key;
    return { url, headers, body: JSON.stringify(body ?? {}) };
  }

  /** Sends all of a request, or the half, and hangs up. */
  async #cutOff(ask: Ask, random: Random): Promise<string> {
    const { url, headers, body } = this.#write(ask);
    const { hostname, port, host, pathname } = new URL(url);
    const lines = Object.entries({ host, "content-length": body.length, ...headers })
      .map(([name, value]) => `${name}: ${value}`);
    const request = [`POST ${pathname} HTTP/1.1`, ...lines, "", body].join("\r\n");
    const isHalf = random.chance(0.2);
    const wait = random.between(0, 30);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const written = isHalf ? request.slice(0, -body.length / 2) : request;
    await connection.write(new TextEncoder().encode(written));
    await sleep(wait);
    connection.close();
    return isHalf ? "cut off before it was sent" : "cut off before it was answered";
  }
}
