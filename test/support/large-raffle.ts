// A raffle of very many tickets, all sold.
import { crowd } from "./crowd.ts";
import type { TestDatabase } from "./database.ts";
import { raffle } from "./raffles.ts";

/** So many tickets sold, ten in each purchase, written as buying would leave it. */
export async function largeRaffle(db: TestDatabase, tickets: number) {
  const raffle_id = await raffle(db, { tickets_required: tickets, ticket_price_cents: 100 });
  const people = await crowd(db, tickets / 50, 5_000);
  await db.superuser.begin(async (sql) => {
    await sql`with seats as (
        select n, gen_random_uuid() as id, (${people}::uuid[])[n % ${people.length}::integer + 1] as user_id
        from generate_series(0, ${tickets / 10 - 1}::integer) as n
      ), bought as (
        insert into public.purchases (id, user_id, raffle_id, type, status, quantity, amount_cents, currency,
          payment_method, redeem, redeemed, confirmed_at)
        select id, user_id, ${raffle_id}, 'ENTRY', 'CONFIRMED', 10, 1000, 'EUR', 'wallet', true, true, now() from seats
      ), issued as (
        insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
        select ${raffle_id}, n * 10 + seat, user_id, id from seats, generate_series(1, 10) as seat
      )
      select app.post_transaction('TICKET_PURCHASE', array[
        (app.account_of('USER', 'EUR', user_id), -1000),
        (app.account_of('RAFFLE_ESCROW', 'EUR', null, ${raffle_id}), 1000)]::app.posting[],
        p_purchase_id => id, p_raffle_id => ${raffle_id}) from seats`;
    await sql`update app.raffle_lanes set fresh = 0 where raffle_id = ${raffle_id}`;
    await sql`update public.raffles set state = 'FULL' where id = ${raffle_id}`;
  });
  return { raffle_id, people };
}
