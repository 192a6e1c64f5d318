import { badParameter, StripeFailure } from "./errors.ts";

export interface Answer {
  status: number;
  body: string;
  requestId: string;
  /** False when the request never began to be executed, or was limited: nothing to remember. */
  stored: boolean;
}

interface Entry {
  endpoint: string;
  parameters: string;
  at: number;
  answer: Answer | null;
}

const KEPT_MS = 24 * 3600 * 1000;

export class Idempotency {
  #entries = new Map<string, Entry>();

  constructor(private now: () => number) {}

  /** Runs the work once for a key; later calls get the first answer, whether good or bad. */
  async once(
    request: { key: string; account: string; endpoint: string; parameters: string },
    work: () => Promise<Answer>,
  ): Promise<{ answer: Answer; replayed: boolean }> {
    const { key, account, endpoint, parameters } = request;
    if (key.length > 255) {
      throw badParameter("Idempotency keys have at most 255 characters.", "Idempotency-Key");
    }
    const place = `${account}\n${key}`;
    const known = this.#entries.get(place);
    if (known && this.now() - known.at < KEPT_MS) {
      this.#refuseOther(key, known, endpoint, parameters);
      if (!known.answer) throw inUse(key);
      return { answer: known.answer, replayed: true };
    }
    const entry: Entry = { endpoint, parameters, at: this.now(), answer: null };
    this.#entries.set(place, entry);
    const answer = await work();
    if (answer.stored) entry.answer = answer;
    else this.#entries.delete(place);
    return { answer, replayed: false };
  }

  #refuseOther(key: string, known: Entry, endpoint: string, parameters: string): void {
    const ending = `Try using a key other than '${key}' if you meant to execute a different ` +
      "request.";
    if (known.endpoint !== endpoint) {
      const message = "Keys for idempotent requests can only be used for the same endpoint they " +
        `were first used for ('${endpoint}' vs '${known.endpoint}'). ${ending}`;
      throw new StripeFailure(400, { type: "idempotency_error", message }, false);
    }
    if (known.parameters !== parameters) {
      const message = "Keys for idempotent requests can only be used with the same parameters " +
        `they were first used with. ${ending}`;
      throw new StripeFailure(400, { type: "idempotency_error", message }, false);
    }
  }
}

function inUse(key: string): StripeFailure {
  const message = "There is currently another in-progress request using this Idempotent Key " +
    "(that probably means you submitted twice, and the other request is still going through): " +
    `${key}. Please try again later.`;
  const body = { type: "idempotency_error", code: "idempotency_key_in_use", message } as const;
  return new StripeFailure(409, body, false);
}
