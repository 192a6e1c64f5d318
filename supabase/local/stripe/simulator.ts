import { seedAccounts } from "./resources/accounts.ts";
import { topUp } from "./resources/balance.ts";
import { Faults } from "./control/faults.ts";
import { Idempotency } from "./idempotency.ts";
import { RequestLog } from "./control/request-log.ts";
import { type Endpoint, State } from "./state.ts";
import { type DeliverySettings, Webhooks } from "./delivery/webhooks.ts";
import { configuredEndpoint } from "./resources/webhook-endpoints.ts";

/** The account whose secret key is used; every other account is connected to it. */
export const PLATFORM = "acct_1RafflebasePlatform";

export interface SimulatorOptions {
  /** Gets every event, of the platform and of connected accounts, from the start. */
  webhook?: { url: string; secret: string };
  /** Milliseconds since 1970: the time of objects, expiry and idempotency keys. */
  clock?: () => number;
  /** Sends the webhooks. */
  fetch?: typeof fetch;
  /** Where people's browsers reach the simulator, if not where the API call reached it. */
  publicUrl?: string;
  /** Connected accounts that are there from the start, onboarded; they survive a reset. */
  accounts?: string[];
  /** What the platform owns at the start, by currency. */
  openingBalance?: Record<string, number>;
  /** What Stripe keeps of a charge. Default: nothing. */
  fees?: { basisPoints: number; fixed: number };
  /** What Stripe keeps of a dispute. Default: nothing. */
  disputeFee?: number;
  /** Default 0: a charge can be transferred or paid out at once. */
  fundsAvailableAfterSeconds?: number;
  /** After how long payouts are paid, and other slow things end by themselves; null: never. */
  settleAfterMs?: number | null;
  delivery?: Partial<DeliverySettings>;
}

/** Who acts: the API request that an event will name, or nobody (a page, the clock, /_control). */
export interface Caller {
  sim: Simulator;
  account: string;
  origin: string;
  request: { id: string | null; idempotency_key: string | null };
}

export class Simulator {
  state!: State;
  faults!: Faults;
  idempotency!: Idempotency;
  requests!: RequestLog;
  webhooks!: Webhooks;
  settleAfterMs!: number | null;
  #clockOffset = 0;
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #held = new Set<() => void>();

  constructor(readonly options: SimulatorOptions = {}) {
    this.#begin();
  }

  #begin(): void {
    this.#clockOffset = 0;
    this.settleAfterMs = this.options.settleAfterMs === undefined
      ? 1500
      : this.options.settleAfterMs;
    this.state = new State();
    this.faults = new Faults();
    this.idempotency = new Idempotency(() => this.now());
    this.requests = new RequestLog(() => this.now());
    this.webhooks = new Webhooks(this.state, this.options.fetch ?? fetch, this.options.delivery);
    if (this.options.webhook) this.addEndpoint(configuredEndpoint(this, this.options.webhook));
    seedAccounts(this, this.options.accounts ?? []);
    for (const [currency, amount] of Object.entries(this.options.openingBalance ?? {})) {
      topUp(this.caller(PLATFORM), amount, currency);
    }
  }

  addEndpoint(endpoint: Endpoint): void {
    this.state.endpoints.set(endpoint.value.id, endpoint);
  }

  now(): number {
    return (this.options.clock ?? Date.now)() + this.#clockOffset;
  }

  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  advanceClock(seconds: number): void {
    this.#clockOffset += seconds * 1000;
  }

  caller(account: string, origin = this.options.publicUrl ?? ""): Caller {
    return { sim: this, account, origin, request: { id: null, idempotency_key: null } };
  }

  /** Does something slow by itself, unless the settings leave that to /_control. */
  settleLater(work: () => void): void {
    if (this.settleAfterMs === null) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, this.settleAfterMs);
    this.#timers.add(timer);
  }

  /** Waits for so long, or (null) until what is held is released. */
  wait(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const held = this.#held;
      const timer = ms === null ? undefined : setTimeout(end, ms);
      held.add(end);
      function end() {
        clearTimeout(timer);
        held.delete(end);
        resolve();
      }
    });
  }

  release(): void {
    for (const end of [...this.#held]) end();
  }

  reset(): void {
    this.close();
    this.#begin();
  }

  close(): void {
    this.release();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.webhooks.close();
  }
}
