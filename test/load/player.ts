// One client: what it does next is decided by its dice alone, and what it is answered is held against what
// it knows of its own money, tickets and requests.
import { seeded } from "../../supabase/local/random.ts";
import type { Keys } from "../../supabase/local/keys.ts";
import { signToken } from "../../supabase/local/keys.ts";
import type { Answer, Request } from "./connection.ts";

export const PRICE = 100;
const CAPPED = 26;
const SEALED = 27;

const id = (kind: string, n: number) =>
  `00000000-0000-4000-8000-${kind}${String(n).padStart(12 - kind.length, "0")}`;
export const personId = (n: number) => id("", n);
export const raffleId = (n: number) => id("1", n);

/** What a signed-in client sends with each request. */
export function sessionOf(userId: string, keys: Keys): Record<string, string> {
  const exp = Math.floor(Date.now() / 1000) + 7200;
  const claims = { sub: userId, role: "authenticated", aud: "authenticated", exp };
  return {
    apikey: keys.publishable_key,
    authorization: `Bearer ${signToken(claims, keys.jwt_secret)}`,
  };
}

export interface Step {
  endpoint: string;
  request: Request;
  /** Takes in a final answer. Returns what is wrong with it, if something is. */
  take(answer: Answer): string | undefined;
  /** Nobody knows what became of it. */
  lose(): void;
}

export interface Bought {
  id: string;
  user_id: string;
  key: string;
  quantity: number;
  tickets: number[];
}

/** A purchase without an answer, or with one that says to try again. */
export interface Open {
  user_id: string;
  key: string;
  body: string;
  /** Its client did not wait for the answer. */
  left?: true;
}

interface Order {
  raffle: number;
  quantity: number;
  redeem: boolean;
  payment_method: "wallet" | "card";
}

export const isRefusal = ({ status }: Answer) => status === 429 || status === 503;

export class Player {
  readonly userId: string;
  readonly bought: Bought[] = [];
  readonly open: Open[] = [];
  /** Raffles that were said to be closed. */
  readonly closed = new Set<number>();
  #roll: () => number;
  #headers: Record<string, string>;
  #etags = new Map<string, string>();
  #tickets = new Map<number, number>();
  #kept: string[] = [];
  #balance: number;
  /** What purchases of unknown outcome may have cost. */
  #doubt = 0;
  #paid = 0;

  constructor(n: number, keys: Keys, seed: number, private moneyBurst: number) {
    this.userId = personId(n);
    this.#roll = seeded(seed + n);
    this.#balance = n % 10 === 0 ? 500 : 1_000_000;
    this.#headers = sessionOf(this.userId, keys);
  }

  /** The same number of rolls for each step, so that answers do not change what comes after. */
  next(): Step {
    const [what, which, many, how] = Array.from(
      { length: 4 },
      () => Math.floor(this.#roll() * 100),
    );
    const raffle = which < 40 ? 0 : which % 27;
    if (what < 35) {
      return this.#look("GET raffles", `/raffles?sort=${["new", "popular"][which % 2]}`);
    }
    if (what < 55) return this.#look("GET raffles/:id", `/raffles/${raffleId(raffle)}`);
    if (what < 63) return this.#read("GET account", "/functions/v1/account");
    if (what < 71) return this.#read("GET wallet (PostgREST)", "/rest/v1/wallet_balances?select=*");
    if (what < 75) return this.#read("GET purchase", "/functions/v1/purchase");
    if (what < 78) {
      return this.#read("GET verify-draw", `/functions/v1/verify-draw/${raffleId(SEALED)}`);
    }
    if (what < 82 && this.#kept.length > 0) return this.#redeem();
    const payment_method = what < 97 ? "wallet" : "card";
    const redeem = payment_method === "card" || how < 75;
    return this.#buy({ raffle, quantity: 1 + many % 5, redeem, payment_method });
  }

  #look(endpoint: string, path: string): Step {
    const etag = this.#etags.get(path);
    const headers = { ...this.#headers, ...(etag && { "if-none-match": etag }) };
    return {
      endpoint,
      request: { method: "GET", path: `/functions/v1${path}`, headers },
      take: (answer) => {
        this.#etags.set(path, answer.header("etag") ?? "");
        if (answer.status === 304 ? etag : answer.status === 200) return;
        return describe(answer);
      },
      lose() {},
    };
  }

  #read(endpoint: string, path: string): Step {
    return {
      endpoint,
      request: { method: "GET", path, headers: this.#headers },
      take: (answer) => answer.status === 200 ? undefined : describe(answer),
      lose() {},
    };
  }

  #buy({ raffle, ...order }: Order): Step {
    const body = JSON.stringify({ raffle_id: raffleId(raffle), ...order });
    const request = this.#post("/purchase", body);
    const key = request.headers["idempotency-key"];
    const cost = order.payment_method === "wallet" ? order.quantity * PRICE : 0;
    return {
      endpoint: `POST purchase (${order.payment_method})`,
      request,
      take: (answer) => {
        if (answer.status !== 201) return this.#judge(answer, raffle, order.quantity);
        const { purchase, tickets } = JSON.parse(answer.text);
        this.#balance -= cost;
        this.#paid++;
        this.#tickets.set(raffle, (this.#tickets.get(raffle) ?? 0) + order.quantity);
        if (purchase.status === "CONFIRMED" && !order.redeem) this.#kept.push(purchase.id);
        this.bought.push({
          id: purchase.id,
          user_id: this.userId,
          key,
          quantity: order.quantity,
          tickets: (tickets as { ticket_num: number }[]).map(({ ticket_num }) => ticket_num),
        });
      },
      lose: () => {
        this.#doubt += cost;
        this.#tickets.set(raffle, (this.#tickets.get(raffle) ?? 0) + order.quantity);
        this.open.push({ user_id: this.userId, key, body });
      },
    };
  }

  #redeem(): Step {
    const purchase_id = this.#kept.shift()!;
    return {
      endpoint: "POST redeem-ticket",
      request: this.#post("/redeem-ticket", JSON.stringify({ purchase_id })),
      take: (answer) => {
        if (answer.status !== 201) {
          // Sealing a raffle issues what was not redeemed.
          if (codeOf(answer) === "purchase_already_redeemed") return;
          return this.#judge(answer);
        }
        this.#paid++;
        const tickets: { ticket_num: number }[] = JSON.parse(answer.text).tickets;
        this.bought.find(({ id }) => id === purchase_id)!.tickets.push(
          ...tickets.map(({ ticket_num }) => ticket_num),
        );
      },
      lose() {},
    };
  }

  #post(path: string, body: string): Request {
    const headers = {
      ...this.#headers,
      "content-type": "application/json",
      "idempotency-key": crypto.randomUUID(),
    };
    return { method: "POST", path: `/functions/v1${path}`, headers, body };
  }

  /** A refusal is right if what this client knows justifies it. */
  #judge(answer: Answer, raffle = 0, quantity = 0): string | undefined {
    const code = codeOf(answer);
    const details = () => JSON.parse(answer.text).error.details;
    const justified = {
      rate_limited: () => this.#paid >= this.moneyBurst && Number(answer.header("retry-after")) > 0,
      balance_insufficient: () => this.#balance - this.#doubt < quantity * PRICE,
      raffle_sold_out: () => details().remaining < quantity,
      ticket_limit_reached: () =>
        raffle === CAPPED && (this.#tickets.get(raffle) ?? 0) + quantity > 3,
      raffle_not_open: () => this.closed.add(raffle) !== undefined,
    }[code];
    return justified?.() ? undefined : describe(answer);
  }
}

export function codeOf({ text }: Answer): string {
  return /"code":"(\w+)"/.exec(text)?.[1] ?? "";
}

export const describe = ({ status, text }: Answer) => `${status} ${text.slice(0, 300)}`;
