// What Supabase Realtime would see: the database's own change stream, through the publication that it reads.
import type postgres from "postgres";
import { beforeAll, expect, test } from "vitest";
import { cleanUpLater } from "../support/cleanup.ts";
import type { TestDatabase } from "../support/database.ts";
import { actAs, testDatabase } from "../support/database.ts";
import { close, draw, seal, settle } from "../support/draws.ts";
import { race } from "../support/races.ts";
import { buy, draft, player, raffle } from "../support/raffles.ts";

let db: TestDatabase;
let ana: string;
const slot = `realtime_${crypto.randomUUID().slice(0, 8)}`;
beforeAll(async () => {
  db = await testDatabase();
  ana = (await player(db, 100_000)).id;
  await db.superuser`select pg_create_logical_replication_slot(${slot}, 'pgoutput')`;
  cleanUpLater(async () => void await db.superuser`select pg_drop_replication_slot(${slot})`);
});

const publish = async () =>
  Number((await db.sql`select app.publish_progress() as changed`)[0].changed);

/** The texts of each row that was streamed since the last time. */
async function streamed(): Promise<string[][]> {
  const messages = await db.superuser<{ data: Uint8Array }[]>`
    select data from pg_logical_slot_get_binary_changes(${slot}, null, null,
      'proto_version', '1', 'publication_names', 'supabase_realtime')`;
  return messages.map(({ data }) => new Uint8Array(data)).filter(([kind]) =>
    "IU".includes(String.fromCharCode(kind))
  )
    .map(readRow);
}

/** One 'I' or 'U' message of pgoutput: kind, relation, 'N', and each column as 't', its length, its text. */
function readRow(data: Uint8Array): string[] {
  const view = new DataView(data.buffer, data.byteOffset);
  const columns: string[] = [];
  let at = 8; // kind, relation, 'N', number of columns
  for (let left = view.getUint16(6); left > 0; left--) {
    if (String.fromCharCode(data[at++]) !== "t") continue;
    const length = view.getUint32(at);
    columns.push(new TextDecoder().decode(data.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return columns;
}

test("sold counts and states move as the raffle does, to the end", async () => {
  const raffle_id = await raffle(db, { tickets_required: 3 });
  const seen: string[] = [];
  const look = async () => {
    await publish();
    seen.push(...(await streamed()).map(([id, state, sold]) => {
      expect(id).toBe(raffle_id);
      return `${state} ${sold}`;
    }));
  };
  await look();
  await buy(db, ana, { raffle_id });
  await look();
  await buy(db, ana, { raffle_id, quantity: 2 });
  await look();
  for (const step of [seal, draw, settle]) {
    await step(db, raffle_id);
    await look();
  }
  expect(seen).toEqual(["OPEN 0", "OPEN 1", "FULL 3", "CLOSED 3", "DRAWN 3", "SETTLED 3"]);
});

test("nothing is streamed while nothing changes, nor of drafts, nor of anything else", async () => {
  await raffle(db);
  await publish();
  await streamed();
  await draft(db);
  await actAs(db, { role: "authenticated", id: ana }, (sql) => sql`select public.get_account()`);
  await db.sql`update public.profiles set display_name = 'Ana' where id = ${ana}`;
  expect(await publish()).toBe(0);
  expect(await streamed()).toEqual([]);
});

test("of twenty at once one publishes", async () => {
  const raffle_id = await raffle(db);
  await buy(db, ana, { raffle_id });
  const counts = await Promise.all(Array.from({ length: 20 }, publish));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
  await buy(db, ana, { raffle_id });
  const once = (sql: postgres.ISql) => sql`select app.publish_progress()`;
  expect(await race(db, once, once))
    .toEqual({ first: "fulfilled", second: "done", waited: false });
});

test("a cancelled raffle says so", async () => {
  const raffle_id = await raffle(db, { min_tickets: 2 });
  await buy(db, ana, { raffle_id });
  await publish();
  await close(db, raffle_id);
  await seal(db, raffle_id);
  await publish();
  const [{ state }] = await actAs(
    db,
    { role: "anon" },
    (sql) => sql`select state from public.raffle_progress where raffle_id = ${raffle_id}`,
  );
  expect(state).toBe("CANCELLED");
});
