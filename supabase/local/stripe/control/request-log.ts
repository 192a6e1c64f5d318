import type { Form } from "../forms.ts";

/** A request that reached /v1, for tests to assert on. It holds no key and no header beside these. */
export interface RequestEntry {
  id: string;
  at: number;
  method: string;
  path: string;
  params: Form;
  account: string | null;
  idempotency_key: string | null;
  api_version: string | null;
  /** Null until it is answered. */
  status: number | null;
  replayed: boolean;
  faults: string[];
}

const KEPT = 10_000;

export class RequestLog {
  #entries: RequestEntry[] = [];

  constructor(private now: () => number) {}

  begin(entry: Pick<RequestEntry, "id" | "method" | "path">): RequestEntry {
    const added: RequestEntry = {
      ...entry,
      at: this.now(),
      params: {},
      account: null,
      idempotency_key: null,
      api_version: null,
      status: null,
      replayed: false,
      faults: [],
    };
    this.#entries.push(added);
    if (this.#entries.length > KEPT) this.#entries.shift();
    return added;
  }

  list(filter: { method?: string; path?: string }): RequestEntry[] {
    return this.#entries.filter((entry) =>
      (!filter.method || entry.method === filter.method) &&
      (!filter.path || entry.path === filter.path)
    );
  }

  clear(): void {
    this.#entries = [];
  }
}
