// What clients were told, held against what the database has.
import type postgres from "postgres";
import type { Outcome } from "./clients.ts";
import { raffleId } from "./player.ts";

interface Row {
  id: string;
  user_id: string;
  key: string;
  quantity: number;
  tickets: number[];
}

/** Everything that differs: an acknowledged purchase that is not there as told, one that nobody asked for. */
export async function compareBooks(sql: postgres.Sql, outcome: Outcome): Promise<string[]> {
  const users = [...new Set([...outcome.bought, ...outcome.open].map(({ user_id }) => user_id))];
  const rows = await sql<Row[]>`
    select p.id, p.user_id, k.key, p.quantity,
      array(select ticket_num from public.tickets where purchase_id = p.id) as tickets
    from public.purchases p
    left join app.idempotency_keys k on k.subject_id = p.id and k.endpoint = 'purchase'
    where p.user_id = any(${users})`;
  const there = new Map(rows.map((row) => [row.id, row]));
  const lost = outcome.bought.filter((told) => {
    const row = there.get(told.id);
    return !row || row.user_id !== told.user_id || row.key !== told.key ||
      row.quantity !== told.quantity || told.tickets.some((number) =>
        !row.tickets.includes(number)
      );
  });
  const known = new Set([...outcome.bought, ...outcome.open].map(({ key }) => key));
  const unasked = rows.filter(({ key }) => !known.has(key));
  const stillOpen = await sql`select title from public.raffles
    where state = 'OPEN' and id = any(${outcome.closed.map(raffleId)})`;
  return [
    ...lost.map((told) => `acknowledged, and not there: ${JSON.stringify(told)}`),
    ...unasked.map(({ id }) => `there, and never asked for: ${id}`),
    ...stillOpen.map(({ title }) => `said to be closed, and open: ${title}`),
  ];
}
