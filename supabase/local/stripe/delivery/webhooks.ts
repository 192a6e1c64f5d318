import type Stripe from "stripe";
import { newId } from "../ids.ts";
import { sign } from "./signing.ts";
import { type Endpoint, type State } from "../state.ts";
import { DeliveryFaults } from "./webhook-faults.ts";

export interface DeliverySettings {
  /** How many are under way at once; 1 keeps them in order. */
  concurrency: number;
  /** Takes the deliveries that are due in a random (seeded) order. */
  shuffle: boolean;
  timeoutMs: number;
  /** The first retry comes after `firstMs`, each next one `factor` times later, `maxMs` at most. */
  retry: { firstMs: number; factor: number; maxMs: number; attempts: number };
}

const DEFAULTS: DeliverySettings = {
  concurrency: 4,
  shuffle: false,
  timeoutMs: 10_000,
  retry: { firstMs: 1000, factor: 2, maxMs: 60_000, attempts: 16 },
};

/** What becomes of one copy of an event on its way to one endpoint. */
export interface Delivery {
  id: string;
  event: string;
  type: string;
  endpoint: string;
  state: "queued" | "sending" | "delivered" | "dropped" | "gave_up";
  attempts: { at: number; status: number | null; error: string | null }[];
}

interface Job {
  delivery: Delivery;
  event: Stripe.Event;
  endpoint: Endpoint;
  dueAt: number;
}

export class Webhooks {
  readonly faults = new DeliveryFaults();
  settings: DeliverySettings;
  paused = false;
  #waiting: Job[] = [];
  #sending = 0;
  #deliveries = new Map<string, Delivery[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = new AbortController();
  #idle = new Set<() => void>();

  constructor(private state: State, private send: typeof fetch, given?: Partial<DeliverySettings>) {
    this.settings = { ...DEFAULTS, ...given };
  }

  enqueue(event: Stripe.Event): void {
    for (const endpoint of this.state.endpoints.values()) {
      if (!listens(endpoint, event)) continue;
      for (const copy of this.faults.plan(event.type)) {
        const sent = copy.fresh ? this.#copyOf(event) : event;
        this.#add(sent, endpoint, copy.delayMs, copy.drop);
      }
    }
    this.#pump();
  }

  /** Once more, whatever became of it before. */
  resend(event: Stripe.Event, times: number, fresh: boolean): Stripe.Event[] {
    const sent: Stripe.Event[] = [];
    for (let time = 0; time < times; time++) {
      const again = fresh ? this.#copyOf(event) : event;
      sent.push(again);
      for (const endpoint of this.state.endpoints.values()) {
        if (listens(endpoint, event)) this.#add(again, endpoint, 0, false);
      }
    }
    this.#pump();
    return sent;
  }

  #copyOf(event: Stripe.Event): Stripe.Event {
    const copy = { ...structuredClone(event), id: newId("evt"), pending_webhooks: 0 };
    return this.state.events.add(this.state.events.owner(event.id) ?? "", copy);
  }

  #add(event: Stripe.Event, endpoint: Endpoint, delayMs: number, dropped: boolean): void {
    const delivery: Delivery = {
      id: newId("del", 10),
      event: event.id,
      type: event.type,
      endpoint: endpoint.value.id,
      state: dropped ? "dropped" : "queued",
      attempts: [],
    };
    this.#deliveries.set(event.id, [...this.deliveries(event.id), delivery]);
    if (!dropped) this.#waiting.push({ delivery, event, endpoint, dueAt: Date.now() + delayMs });
    this.#count(event);
  }

  /** As Stripe counts: endpoints that have not yet answered this event with success. */
  #count(event: Stripe.Event): void {
    const mine = this.deliveries(event.id);
    const all = new Set(mine.map((delivery) => delivery.endpoint));
    const done = mine.filter((delivery) => delivery.state === "delivered");
    for (const delivery of done) all.delete(delivery.endpoint);
    event.pending_webhooks = all.size;
  }

  deliveries(event?: string): Delivery[] {
    if (event === undefined) return [...this.#deliveries.values()].flat();
    return this.#deliveries.get(event) ?? [];
  }

  configure(settings: Partial<DeliverySettings>): void {
    const retry = { ...this.settings.retry, ...settings.retry };
    this.settings = { ...this.settings, ...settings, retry };
    this.#pump();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#pump();
  }

  get pending(): number {
    return this.#waiting.length + this.#sending;
  }

  /** Until everything is delivered, dropped or given up. `hurry` forgoes delays and backoff. */
  async flush(timeoutMs: number, hurry: boolean): Promise<{ done: boolean; pending: number }> {
    const end = Date.now() + timeoutMs;
    while (this.pending > 0 && !this.paused && Date.now() < end) {
      if (hurry) this.#waiting.forEach((job) => job.dueAt = 0);
      this.#pump();
      await this.#progress(end - Date.now());
    }
    return { done: this.pending === 0, pending: this.pending };
  }

  #progress(atMost: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(wake, atMost);
      const { promise, resolve: woken } = Promise.withResolvers<void>();
      this.#idle.add(woken);
      promise.then(wake);
      function wake() {
        clearTimeout(timer);
        resolve();
      }
    });
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.paused || this.#closed.signal.aborted) return;
    while (this.#sending < this.settings.concurrency) {
      const job = this.#next();
      if (!job) break;
      this.#sending += 1;
      this.#attempt(job).finally(() => {
        this.#sending -= 1;
        this.#pump();
        for (const wake of this.#idle) wake();
        this.#idle.clear();
      });
    }
    if (this.#waiting.length === 0 || this.#sending >= this.settings.concurrency) return;
    const due = Math.min(...this.#waiting.map((job) => job.dueAt));
    this.#timer = setTimeout(() => this.#pump(), Math.max(0, due - Date.now()));
  }

  #next(): Job | undefined {
    const now = Date.now();
    const due = this.#waiting.filter((job) => job.dueAt <= now);
    // Drawn only where there is a choice: else the sequence would depend on how often we look.
    const choice = this.settings.shuffle && due.length > 1;
    const index = choice ? Math.floor(this.faults.random() * due.length) : 0;
    const job = due[index];
    if (job) this.#waiting.splice(this.#waiting.indexOf(job), 1);
    return job;
  }

  async #attempt(job: Job): Promise<void> {
    const { delivery, event, endpoint } = job;
    delivery.state = "sending";
    const attempt: Delivery["attempts"][number] = { at: Date.now(), status: null, error: null };
    delivery.attempts.push(attempt);
    try {
      attempt.status = await this.#post(event, endpoint);
    } catch (error) {
      attempt.error = error instanceof Error ? error.message : String(error);
    }
    if (attempt.status !== null && attempt.status >= 200 && attempt.status < 300) {
      delivery.state = "delivered";
      this.#count(event);
      return;
    }
    const { firstMs, factor, maxMs, attempts } = this.settings.retry;
    if (delivery.attempts.length >= attempts || !this.state.endpoints.has(delivery.endpoint)) {
      delivery.state = "gave_up";
      return;
    }
    delivery.state = "queued";
    job.dueAt = Date.now() + Math.min(maxMs, firstMs * factor ** (delivery.attempts.length - 1));
    this.#waiting.push(job);
  }

  async #post(event: Stripe.Event, endpoint: Endpoint): Promise<number> {
    const body = JSON.stringify(event, null, 2);
    const response = await this.send(endpoint.value.url, {
      method: "POST",
      headers: {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": await sign(body, endpoint.secret),
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
      },
      body,
      redirect: "manual",
      signal: AbortSignal.any([
        this.#closed.signal,
        AbortSignal.timeout(this.settings.timeoutMs),
      ]),
    });
    await response.body?.cancel();
    return response.status;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closed.abort();
    this.#waiting = [];
    for (const wake of this.#idle) wake();
  }
}

function listens(endpoint: Endpoint, event: Stripe.Event): boolean {
  const { enabled_events, status } = endpoint.value;
  if (status !== "enabled") return false;
  if (!enabled_events.includes("*") && !enabled_events.includes(event.type)) return false;
  if (endpoint.scope === "all") return true;
  return (endpoint.scope === "connect") === (event.account !== undefined);
}
