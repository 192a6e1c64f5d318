// What each client saw: every request, and its answer or that none came.
import { keys } from "../support/database.ts";

export interface Client {
  name: string;
  token?: string;
}

export interface Entry {
  number: number;
  /** Requests with this number or a higher one began after its answer came. */
  ended: number;
  round: number;
  who: string;
  /** "POST /purchase": a function, or a path of the gateway. */
  call: string;
  key?: string;
  body?: unknown;
  /** 0: no answer came. */
  status: number;
  hungUp: boolean;
  replayed: boolean;
  // deno-lint-ignore no-explicit-any -- JSON as it came
  answer: any;
}

export interface Sending {
  body?: unknown;
  key?: string;
  /** Milliseconds after which the client has lost its patience. */
  hangUpAfter?: number;
}

const UNAVAILABLE = ["payment_provider_unavailable", "try_again"];

/** The failures that a client must be ready for, by endpoint. There are no others. */
const PASSING: Record<string, string[]> = {
  "POST /topup": UNAVAILABLE,
  "POST /topup/:id/verify": UNAVAILABLE,
  "POST /withdraw": UNAVAILABLE,
  "POST /purchase": UNAVAILABLE,
  "POST /purchase/:id/verify": UNAVAILABLE,
  "POST /redeem-ticket": ["try_again"],
  "POST /reconcile": UNAVAILABLE,
  "GET /cards": ["payment_provider_unavailable"],
};

export class Journal {
  readonly entries: Entry[] = [];
  round = 0;
  /** The server is being killed now and then: a gateway with nobody behind it is no fault. */
  serverDies = false;
  #faults: Entry[] = [];

  constructor(private apiUrl: string) {}

  async send(client: Client, call: string, sending: Sending = {}): Promise<Entry> {
    const { body, key, hangUpAfter } = sending;
    const entry: Entry = {
      number: this.entries.length,
      ended: Infinity,
      round: this.round,
      who: client.name,
      call,
      key,
      body,
      status: 0,
      hungUp: false,
      replayed: false,
      answer: null,
    };
    this.entries.push(entry);
    const mayFail = this.serverDies;
    try {
      await this.#exchange(client, entry, hangUpAfter);
    } catch (error) {
      entry.hungUp = (error as Error).name === "TimeoutError";
      entry.answer = String(error);
    }
    entry.ended = this.entries.length;
    if (!isPassable(entry) && !mayFail && !this.serverDies) this.#faults.push(entry);
    return entry;
  }

  async #exchange(client: Client, entry: Entry, hangUpAfter?: number): Promise<void> {
    const [method, path] = entry.call.split(" ");
    const isFunction = !/^\/(rest|auth)\//.test(path);
    const response = await fetch(`${this.apiUrl}${isFunction ? "/functions/v1" : ""}${path}`, {
      method,
      headers: {
        apikey: keys.publishable_key,
        prefer: "return=representation",
        ...(client.token && { authorization: `Bearer ${client.token}` }),
        ...(entry.key && { "idempotency-key": entry.key }),
        ...(entry.body !== undefined && { "content-type": "application/json" }),
      },
      body: entry.body === undefined ? undefined : JSON.stringify(entry.body),
      signal: hangUpAfter === undefined ? undefined : AbortSignal.timeout(hangUpAfter),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    entry.answer = isJson && text !== "" ? JSON.parse(text) : text;
    entry.replayed = response.headers.get("idempotent-replayed") === "true";
    entry.status = response.status;
  }

  /** What no client should have seen since the last time this was asked. */
  takeFaults(): string[] {
    return this.#faults.splice(0).map((entry) => `${describe(entry)}\n${this.about(idsIn(entry))}`);
  }

  /** The last requests whose address, key, body or answer name one of these. */
  about(ids: string[], last = 8): string {
    const found: string[] = [];
    for (let at = this.entries.length - 1; at >= 0 && found.length < last; at--) {
      const text = describe(this.entries[at], Infinity);
      if (ids.some((id) => text.includes(id))) found.unshift(`    ${describe(this.entries[at])}`);
    }
    return found.join("\n");
  }

  /** How often each call ended how. */
  tally(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const entry of this.entries) {
      const order = entry.body as { raffle_id?: string; payment_method?: string } | undefined;
      const means = order?.raffle_id ? order.payment_method ?? "" : "";
      const how = [pattern(entry.call), means, entry.status, codeOf(entry)].filter((word) =>
        word !== ""
      )
        .join(" ");
      counts[how] = (counts[how] ?? 0) + 1;
    }
    return Object.fromEntries(Object.entries(counts).sort());
  }
}

export const isGood = ({ status }: Entry) => status >= 200 && status < 300;

/** The error's code: a function's, or PostgREST's. */
export const codeOf = ({ answer, hungUp }: Entry): string =>
  hungUp ? "hung up" : answer?.error?.code ?? answer?.message ?? "";

/** No more will be said to this key: it is done, or refused for good. */
export const isFinal = (entry: Entry) =>
  isGood(entry) ||
  entry.status >= 400 && entry.status < 500 && entry.status !== 429 &&
    !["request_in_progress", "card_declined"].includes(codeOf(entry));

function isPassable(entry: Entry): boolean {
  if (entry.status === 0) return entry.hungUp;
  if (entry.status < 500) return true;
  return entry.status === 503 && (PASSING[pattern(entry.call)] ?? []).includes(codeOf(entry));
}

const pattern = (call: string) =>
  call.replace(/\?.*/, "").replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, ":id");

const idsIn = ({ who, key }: Entry) => [key ?? who];

export function describe(entry: Entry, length = 600): string {
  const { number, round, who, call, key, body, status, replayed, answer } = entry;
  const said = typeof answer === "string" ? answer : JSON.stringify(answer);
  return `#${number} round ${round} ${who}: ${call} ${key ?? ""} ${JSON.stringify(body) ?? ""} ` +
    `-> ${status}${replayed ? " replayed" : ""} ${said.slice(0, length)}`;
}
