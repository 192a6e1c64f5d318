// Every 2xx that a client saw is there: each purchase, ticket, top-up and withdrawal, as it was told or as it
// may have become since; and under each key there is one of it.
import { isDeepStrictEqual } from "node:util";
import type { Entry } from "./journal.ts";
import { describe, isFinal, isGood } from "./journal.ts";
import type { Order } from "./orders.ts";
import type { World } from "./people.ts";

type Row = Record<string, unknown> & { id: string };
type Kind = "purchase" | "topup" | "withdrawal";

/** What a status may have become. */
const LATER: Record<Kind, Record<string, string[]>> = {
  purchase: {
    PENDING: ["CONFIRMED", "FAILED", "EXPIRED", "REFUNDED"],
    CONFIRMED: ["REFUNDED"],
    FAILED: ["CONFIRMED", "REFUNDED"],
    EXPIRED: ["CONFIRMED", "REFUNDED"],
  },
  topup: {
    CREATED: ["PROCESSING", "COMPLETED", "FAILED", "CANCELLED"],
    PROCESSING: ["COMPLETED", "FAILED", "CANCELLED"],
    FAILED: ["CANCELLED", "COMPLETED"],
    CANCELLED: ["COMPLETED"],
  },
  withdrawal: {
    CREATED: ["PROCESSING", "COMPLETED", "FAILED", "CANCELLED"],
    PROCESSING: ["COMPLETED", "FAILED"],
    COMPLETED: ["FAILED"],
  },
};

/** What never changes once it was told. */
const LASTING: Record<Kind, string[]> = {
  purchase: ["raffle_id", "type", "quantity", "amount_cents", "currency", "payment_method"],
  topup: ["amount_cents", "currency", "method"],
  withdrawal: ["amount_cents", "currency"],
};

interface Told {
  row: Row;
  userId: string;
  entry: Entry;
}

export class Promises {
  #read = 0;
  #told: Record<Kind, Told[]> = { purchase: [], topup: [], withdrawal: [] };
  #tickets = new Map<number, { num: number; purchase: Row; userId: string; entry: Entry }>();
  #ids: Map<string, string>;

  constructor(private world: World) {
    const { players, operators, admin } = world;
    this.#ids = new Map([...players, ...operators, admin].map(({ name, id }) => [name, id]));
  }

  /** What was broken, with the last requests about it. */
  async check(): Promise<string[]> {
    const { entries } = this.world.journal;
    for (; this.#read < entries.length; this.#read++) this.#note(entries[this.#read]);
    return [
      ...await this.#checkRows("purchase", "purchases"),
      ...await this.#checkRows("topup", "wallet_topups"),
      ...await this.#checkRows("withdrawal", "wallet_withdrawals"),
      ...await this.#checkTickets(),
      ...await this.#checkKeys(),
      ...await this.#checkStrays(),
      ...await this.#checkTerms(),
    ];
  }

  get counts() {
    const { purchase, topup, withdrawal } = this.#told;
    const count = (told: Told[]) => new Set(told.map(({ row }) => row.id)).size;
    return {
      purchases: count(purchase),
      tickets: this.#tickets.size,
      topups: count(topup),
      withdrawals: count(withdrawal),
    };
  }

  #note(entry: Entry): void {
    const userId = this.#ids.get(entry.who);
    if (!isGood(entry) || !userId || typeof entry.answer !== "object" || !entry.answer) return;
    const { answer, call } = entry;
    for (const kind of ["purchase", "topup", "withdrawal"] as const) {
      const isList = call.startsWith(`GET /${kind.replace("withdrawal", "withdraw")}?`);
      const rows: Row[] = isList ? answer.items : answer[kind] ? [answer[kind]] : [];
      for (const row of rows) this.#told[kind].push({ row, userId, entry });
    }
    for (const { id, ticket_num } of answer.purchase ? answer.tickets ?? [] : []) {
      this.#tickets.set(id, { num: ticket_num, purchase: answer.purchase, userId, entry });
    }
  }

  async #checkRows(kind: Kind, table: string): Promise<string[]> {
    const { sql } = this.world.stack;
    const told = this.#told[kind];
    const ids = [...new Set(told.map(({ row }) => row.id))];
    const rows = await sql<Row[]>`select * from ${sql(table)} where id = any(${ids}::uuid[])`;
    const found = new Map(rows.map((row) => [row.id, row]));
    return told.flatMap(({ row, userId, entry }) => {
      const now = found.get(row.id);
      const fault = !now
        ? "is not there"
        : now.user_id !== userId
        ? "is somebody else's"
        : !isReachable(kind, String(row.status), String(now.status))
        ? `was ${row.status} and is ${now.status}`
        : row.redeemed && !now.redeemed
        ? "is not redeemed any more"
        : LASTING[kind].filter((field) => String(row[field]) !== String(now[field]))
          .map((field) => `has another ${field}: ${now[field]}`).join(", ");
      return fault ? [this.#complain(`${kind} ${row.id} ${fault}`, row.id, entry)] : [];
    });
  }

  async #checkTickets(): Promise<string[]> {
    const rows = await this.world.stack.sql`select t.id, t.ticket_num, t.user_id, t.purchase_id
      from public.tickets t where id = any(${[...this.#tickets.keys()]}::bigint[])`;
    const found = new Map(rows.map((row) => [Number(row.id), row]));
    return [...this.#tickets].flatMap(([id, { num, purchase, userId, entry }]) => {
      const now = found.get(id);
      if (now?.ticket_num === num && now.user_id === userId && now.purchase_id === purchase.id) {
        return [];
      }
      return [this.#complain(`ticket ${id} is ${JSON.stringify(now)}`, purchase.id, entry)];
    });
  }

  async #checkKeys(): Promise<string[]> {
    const rows = await this.world.stack.sql`select key, endpoint, subject_id, coalesce(
        (select status::text from public.purchases where id = subject_id),
        (select status::text from public.wallet_topups where id = subject_id),
        (select status::text from public.wallet_withdrawals where id = subject_id)) as status
      from app.idempotency_keys`;
    const known = new Map(rows.map((row) => [`POST /${row.endpoint} ${row.key}`, row]));
    return this.world.players.flatMap((player) =>
      player.orders.flatMap((order) => {
        const row = known.get(`${order.call} ${order.key}`);
        const fault = faultOf(order, row?.subject_id, row?.status);
        return fault
          ? [this.#complain(`key ${order.key} ${fault}`, order.key, order.tries[0])]
          : [];
      })
    );
  }

  /** What has an effect has it under one key of one client. */
  async #checkStrays(): Promise<string[]> {
    const rows = await this.world.stack.sql`
      with effects as (
        select id, user_id, 'purchase' as endpoint, amount_cents, status::text from public.purchases
          where status not in ('FAILED', 'EXPIRED')
        union all select id, user_id, 'topup', amount_cents, status::text from public.wallet_topups
          where status not in ('FAILED', 'CANCELLED')
        union all select id, user_id, 'withdraw', amount_cents, status::text from public.wallet_withdrawals
          where status not in ('FAILED', 'CANCELLED')
      )
      select e.* from effects e left join app.idempotency_keys k
        on k.user_id = e.user_id and k.endpoint = e.endpoint and k.subject_id = e.id
      group by e.id, e.user_id, e.endpoint, e.amount_cents, e.status having count(k.key) <> 1`;
    return rows.map(({ user_id, ...row }) => {
      const player = this.world.players.find(({ id }) => id === user_id);
      const orders = (player?.orders ?? []).filter(({ call, body }) =>
        call === `POST /${row.endpoint}` &&
        (!body.amount_cents || body.amount_cents === Number(row.amount_cents))
      );
      const said = orders.flatMap(({ tries }) => tries.map((entry) => `    ${describe(entry)}`));
      const what = `${JSON.stringify(row)} of ${player?.name} is not the one effect of a key`;
      return this.#complain([what, ...said].join("\n"), row.id);
    });
  }

  /** Nobody has more than the terms of a raffle allow. */
  async #checkTerms(): Promise<string[]> {
    const rows = await this.world.stack.sql`
      select p.raffle_id || ' of ' || p.user_id || ': ' || sum(quantity) || ' tickets' as excess, p.user_id as id
      from public.purchases p join public.raffles r on r.id = p.raffle_id
      where p.type <> 'BOOST' and p.status in ('PENDING', 'CONFIRMED')
      group by p.raffle_id, p.user_id, r.max_per_user having sum(quantity) > r.max_per_user
      union all
      select p.ticket_id || ': ' || sum(quantity) || ' boosts', min(p.user_id::text)::uuid
      from public.purchases p join public.raffles r on r.id = p.raffle_id
      where p.type = 'BOOST' and p.status in ('PENDING', 'CONFIRMED')
      group by p.ticket_id, r.boost_limit having sum(quantity) > r.boost_limit`;
    return rows.map(({ excess, id }) => this.#complain(`more than allowed: ${excess}`, id));
  }

  #complain(fault: string, id: string, entry?: Entry): string {
    const told = entry ? `\n  told: ${describe(entry)}` : "";
    return `${fault}${told}\n  the last requests:\n${this.world.journal.about([id])}`;
  }
}

const isReachable = (kind: Kind, from: string, to: string) =>
  from === to || (LATER[kind][from] ?? []).includes(to);

/** What does not fit together in the answers to one key, and in what was done under it. */
function faultOf({ call, tries }: Order, subject?: string, status?: string): string {
  const good = tries.filter(isGood);
  const [first] = good;
  if (!first) {
    const isRefused = tries.length > 0 && tries.every((entry) => isFinal(entry));
    const isDone = status && !["FAILED", "EXPIRED", "CANCELLED"].includes(status);
    return isRefused && isDone ? `was refused, and ${subject} is ${status}` : "";
  }
  const other = good.find(({ answer }) => !isDeepStrictEqual(answer, first.answer));
  if (other) return `got two answers: ${describe(first)} and ${describe(other)}`;
  const since = tries.find((entry) =>
    entry.number >= first.ended && isFinal(entry) && !isGood(entry)
  );
  if (since) return `was answered well, and then ${describe(since)}`;
  const { purchase, topup, withdrawal } = first.answer;
  const told = (purchase ?? topup ?? withdrawal).id;
  if (call !== "POST /redeem-ticket" && told !== subject) {
    return `stands for ${subject}, not ${told}`;
  }
  return "";
}
