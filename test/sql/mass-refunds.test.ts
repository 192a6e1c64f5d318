// The refund of a raffle with many tickets, on a server of its own, because that is killed.
import postgres from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { canConnect } from "../../supabase/local/postgres/server.ts";
import * as the from "../support/crowd.ts";
import { codeOf } from "../support/database.ts";
import { largeRaffle } from "../support/large-raffle.ts";
import { operatorOf, stateOf } from "../support/raffles.ts";
import { isLong, scaled } from "../support/scale.ts";
import type { OwnServer } from "../support/server.ts";
import { ownServer } from "../support/server.ts";
import { violations } from "../support/wallets.ts";

let db: OwnServer;
beforeAll(async () => void (db = await ownServer()));
afterEach(async () => expect(await violations(db)).toEqual([]));

describe("the refund of a large raffle", () => {
  const isRefunding = async () =>
    (await db.superuser`select exists (select from pg_stat_activity where datname = ${db.name}
      and application_name = 'interrupted' and wait_event = 'PgSleep') as yes`)[0].yes;

  /** Begins this and kills the process of Postgres that does it, with signal 9, while it is at it. */
  async function killWithin(milliseconds: number, work: (sql: postgres.Sql) => Promise<unknown>) {
    // Not of the pool, which would not survive it.
    const connection = { application_name: "interrupted" };
    const sql = postgres(db.url("postgres"), { max: 1, connection });
    const [{ pid }] = await sql`select pg_backend_pid() as pid`;
    const working = codeOf(work(sql));
    await expect.poll(isRefunding, { interval: 5, timeout: 60_000 }).toBe(true);
    await the.sleep(milliseconds);
    Deno.kill(pid, "SIGKILL");
    expect(await working).not.toBe("none");
    await sql.end({ timeout: 1 });
    // Postgres ends all others too, and recovers from its log.
    const isBack = () => canConnect(db.url("postgres"));
    await expect.poll(isBack, { timeout: 60_000 }).toBe(true);
    expect(await violations(db)).toEqual([]);
  }

  async function expectEverybodyPaidOnce(raffleId: string, people: string[]): Promise<void> {
    expect(
      await db.sql`select balance_cents::integer, count(*)::integer from public.wallet_accounts
      where user_id = any(${people}::uuid[]) group by balance_cents`,
    )
      .toEqual([{ balance_cents: 5_000, count: people.length }]);
    expect(
      await db.sql`select purchase_id from public.wallet_ledger where raffle_id = ${raffleId}
      and reason = 'REFUND' and user_id is not null group by purchase_id having count(*) > 1`,
    )
      .toEqual([]);
    expect(
      await db.sql`select from public.purchases where raffle_id = ${raffleId}
      and status <> 'REFUNDED'`,
    ).toHaveLength(0);
  }

  test("gives everybody their money once", async () => {
    const { raffle_id, people } = await largeRaffle(db, scaled(5_000, 100_000));
    const begun = performance.now();
    expect(await the.cancel(db, raffle_id)).toMatchObject({ people: people.length });
    const seconds = (performance.now() - begun) / 1000;
    // vitest keeps what passing tests say to itself.
    const said = `refunding 100,000 tickets took ${seconds.toFixed(1)} s\n`;
    if (isLong) Deno.stderr.writeSync(new TextEncoder().encode(said));
    await expectEverybodyPaidOnce(raffle_id, people);
  });

  test(
    "is undone as a whole when the cancellation is killed, and goes on where it was when a batch is",
    async () => {
      const { raffle_id, people } = await largeRaffle(db, scaled(2_000, 100_000));
      const purchases = people.length * 5;
      const batch = Math.ceil(purchases / 10);
      const refund = async (most: number, sql: postgres.Sql = db.sql) =>
        Number((await sql`select app.refund_purchases(${raffle_id}, ${most}) as count`)[0].count);
      const { id } = await operatorOf(db) as { id: string };
      await the.withPause(db, "public.wallet_ledger", "insert", 1, async () => {
        // In one message: a client that has to send the next one to a dead server is not what is tried.
        const claims = JSON.stringify({ role: "authenticated", sub: id, aud: "authenticated" });
        const cancelling = `begin; set local role authenticated;
        select set_config('request.jwt.claims', '${claims}', true);
        select public.cancel_raffle('${raffle_id}', 'A test', false); commit`;
        await killWithin(20, (sql) => sql.unsafe(cancelling));
        expect(await stateOf(db, raffle_id)).toBe("FULL");
        await db.sql`select app.stop_raffle(${raffle_id}, 'A test')`;
        for (let kill = 0; kill < scaled(2, 4); kill++) {
          expect(await refund(5)).toBe(5);
          await killWithin(10 + kill * 10, (sql) => refund(batch, sql));
        }
      });
      // Two at once, too: the clock may be early.
      expect(await refund(batch)).toBe(batch);
      const rest = await Promise.all(
        [1, 2].map(() => db.sql`select app.refund_cancelled() as count`),
      );
      expect(rest.reduce((sum, [{ count }]) => sum + Number(count), 0)).toBe(
        purchases - batch - 5 * scaled(2, 4),
      );
      expect(await db.sql`select app.refund_cancelled()::integer as count`).toEqual([{ count: 0 }]);
      await expectEverybodyPaidOnce(raffle_id, people);
    },
    600_000,
  );
});
