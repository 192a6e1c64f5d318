// Whatever Stripe tells, in whatever order and however often, comes to the same.
// SEED=... replays the run of that name.
import { beforeAll, expect, test } from "vitest";
import { seeded } from "../../supabase/local/random.ts";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { scaled, seed } from "../support/scale.ts";
import type { StripeEvent } from "../support/stripe-events.ts";
import { stripeId } from "../support/stripe-events.ts";
import type { History, Random } from "../support/stripe-histories.ts";
import {
  balanceAtStripe,
  makeHistory,
  randomOf,
  settle,
  spend,
} from "../support/stripe-histories.ts";

const HISTORIES = scaled(500, 20_000);
const AT_ONCE = 6;
const CONNECTIONS = 4;

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
  await db
    .sql`select app.account_of(kind, 'EUR') from unnest(enum_range(null::public.account_kind)) kind
    where kind not in ('USER', 'RECEIVABLE', 'RAFFLE_ESCROW')`;
});

interface Told {
  user: string;
  history: History;
}

/** The same history for another user, whose objects have other ids. */
async function begin(number: number): Promise<Told> {
  const told = { user: crypto.randomUUID(), history: makeHistory(randomOf(seeded(seed + number))) };
  await settle(db.sql, told.user, told.history);
  return told;
}

const receive = (event: StripeEvent) =>
  db.sql`select app.receive_stripe_event(${db.sql.json(event as never)})`;

const eventsOf = ({ parts }: History) => parts.flatMap(({ events }) => events);

async function tellInOrder({ user, history }: Told): Promise<void> {
  for (const { events, spent } of history.parts) {
    await db.sql`select app.receive_stripe_event(event) from jsonb_array_elements(${
      db.sql.json(events as never)
    }) with ordinality as told (event, at)`;
    await spend(db.sql, user, spent);
  }
}

async function tellWildly({ user, history }: Told, random: Random): Promise<void> {
  const again = (event: StripeEvent) =>
    random.chance(0.4) ? { ...event, id: stripeId("evt") } : event;
  const late: StripeEvent[] = [];
  for (const { events, spent } of history.parts) {
    const copies = random.shuffle([
      ...late,
      ...events.flatMap((
        event,
      ) => [event, ...Array.from({ length: random.pick(0, 0, 1, 4) }, () => again(event))]),
    ]);
    late.push(...events.filter(() => random.chance(0.2)).map(again));
    await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
      for (let next = copies.shift(); next; next = copies.shift()) await receive(next);
    }));
    await spend(db.sql, user, spent);
  }
}

/** All that a history came to, without the ids, in which two tellings differ. */
async function outcomes(told: Told[]): Promise<unknown[]> {
  const users = told.map(({ user }) => user);
  const ids = told.flatMap(({ user, history }) =>
    [...history.topups, ...history.withdrawals].map(({ id }, at) => ({ user, id, at }))
  );
  const objects = told.flatMap(({ user, history }) =>
    [...new Set(eventsOf(history).map((event) => event.data.object.id))]
      .map((id, at) => ({ user, id, at }))
  );
  const rows = await db.sql`
    with ours as (select * from jsonb_to_recordset(${
    db.sql.json(ids)
  }) o ("user" uuid, id uuid, at int)),
    theirs as (select * from jsonb_to_recordset(${
    db.sql.json(objects)
  }) o ("user" uuid, id text, at int)),
    owned as materialized (
      select distinct l.transaction_id, a.user_id from public.wallet_ledger l
      join public.wallet_accounts a on a.id = l.account_id where a.user_id = any(${users}::uuid[])
      union
      select l.transaction_id, w.user_id from public.wallet_ledger l
      join public.wallet_withdrawals w on w.id = l.withdrawal_id where w.user_id = any(${users}::uuid[])
    ), sums as materialized (
      select o.user_id, a.kind, sum(case l.direction when 'CREDIT' then l.amount_cents else -l.amount_cents end) as cents
      from owned o join public.wallet_ledger l using (transaction_id)
      join public.wallet_accounts a on a.id = l.account_id group by 1, 2
    )
    select u.id as user, a.balance_cents, a.held_cents, a.debt_cents, a.status,
      (select jsonb_object_agg(kind, cents) from sums where user_id = u.id and cents <> 0) as sums,
      (select jsonb_agg(t.status order by at) from public.wallet_topups t join ours on ours.id = t.id
        where t.user_id = u.id) as topups,
      (select jsonb_agg(jsonb_build_array(w.status, w.transfer_id is not null, w.transfer_reversed_at is not null)
        order by at) from public.wallet_withdrawals w join ours on ours.id = w.id where w.user_id = u.id) as withdrawals,
      (select jsonb_agg(p.taken_cents order by at) from public.wallet_topups t join ours on ours.id = t.id
        join app.card_payments p on p.intent_id = t.intent_id where t.user_id = u.id) as taken,
      (select jsonb_agg(jsonb_build_array(r.kind, r.amount_cents, r.rank, case r.rank when 2 then r.status end)
        order by at) from theirs join app.card_reversals r on r.id = theirs.id where theirs.user = u.id) as reversals
    from unnest(${users}::uuid[]) with ordinality u (id, place)
    join public.wallet_accounts a on a.user_id = u.id and a.kind = 'USER'
    order by place`;
  return rows.map(({ user: _, ...outcome }) => outcome);
}

test(`${HISTORIES} histories come to the same, told once in order or often, shuffled and at once (SEED=${seed})`, async () => {
  const numbers = Array.from({ length: HISTORIES }, (_, number) => number);
  const pairs: { number: number; once: Told; wildly: Told }[] = [];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      const [once, wildly] = [await begin(number), await begin(number)];
      await tellInOrder(once);
      await tellWildly(wildly, randomOf(seeded(seed - number)));
      pairs.push({ number, once, wildly });
    }
  }));

  const seen = new Set<string>();
  for (let at = 0; at < pairs.length; at += 500) {
    const some = pairs.slice(at, at + 500);
    const expected = await outcomes(some.map(({ once }) => once));
    const found = await outcomes(some.map(({ wildly }) => wildly));
    for (const [index, { number, wildly }] of some.entries()) {
      const story = eventsOf(wildly.history).map(({ type, data: { object } }) =>
        `${type} ${object.object} ${object.id} ${object.status}`
      );
      expect(found[index], `history ${number}: ${story.join("\n")}`).toEqual(expected[index]);
      const { sums } = found[index] as { sums?: Record<string, number> };
      const difference = (sums?.STRIPE_CLEARING ?? 0) + balanceAtStripe(wildly.history);
      expect(difference, `history ${number} and Stripe: ${story.join("\n")}`).toBe(0);
      for (const [, word] of JSON.stringify(found[index]).matchAll(/"([A-Za-z_]+)"/g)) {
        seen.add(word);
      }
    }
  }
  expect(await db.sql`select * from app.check_invariants()`).toEqual([]);
  // Every end was reached, or the test would say nothing.
  expect([...seen]).toEqual(expect.arrayContaining(
    [
      "COMPLETED",
      "FAILED",
      "CANCELLED",
      "PROCESSING",
      "SUSPENDED",
      "RECEIVABLE",
      "DISPUTE",
      "won",
      "lost",
    ],
  ));
});
