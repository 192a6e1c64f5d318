// The world that every part buys in, and the question whether its books still add up afterwards.
import type postgres from "postgres";
import { readFileSync } from "node:fs";
import { withDatabase } from "../../supabase/local/postgres/database.ts";

export const runSql = (sql: postgres.Sql, name: string) =>
  sql.unsafe(readFileSync(new URL(name, import.meta.url), "utf8"));

/** The address of the same server with another user or another database. */
export const addressOf = (url: string, other: { username?: string; pathname?: string }) =>
  Object.assign(new URL(url), other).href;

export async function requireSound(url: string): Promise<void> {
  await withDatabase(url, async (sql) => {
    await sql`set work_mem = '256MB'`;
    const violations = await sql`select * from app.check_invariants() limit 10`;
    if (violations.length > 0) throw new Error(JSON.stringify(violations));
  });
}
