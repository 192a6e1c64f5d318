// What people have been told, or are about to be.
import type { TestDatabase } from "./database.ts";

export interface Told {
  id: string;
  event: string;
  user_id: string;
  subject_id: string | null;
  details: Record<string, unknown> | null;
  status: "QUEUED" | "SENT" | "SKIPPED" | "DEAD";
  attempts: number;
  failure: string | null;
}

/** Notifications of a person or about something, in the order of what happened; the outbox is emptied. */
export async function toldOf(
  { sql }: TestDatabase,
  whose: { user_id: string } | { subject_id: string },
): Promise<Told[]> {
  await emptyOutbox({ sql });
  const [[column, value]] = Object.entries(whose);
  return await sql<Told[]>`select * from public.notifications where ${sql(column)} = ${value}
    order by outbox_id, user_id`;
}

export async function emptyOutbox({ sql }: Pick<TestDatabase, "sql">): Promise<void> {
  for (;;) {
    await sql`select app.queue_notifications(), app.spread_notifications()`;
    const [{ empty }] = await sql`select not exists (select from app.outbox) as empty`;
    if (empty) return;
  }
}
