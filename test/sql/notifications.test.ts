// Notifications: told in the transaction of what happened, handed out once, tried again, given up.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { catalogue } from "../../shared/notifications/catalogue.ts";
import { renderNotification } from "../../shared/notifications/render.ts";
import type { TestDatabase } from "../support/database.ts";
import { actAs, codeOf, createUser, testDatabase } from "../support/database.ts";
import { close, draw, seal, settle } from "../support/draws.ts";
import { emptyOutbox, toldOf } from "../support/notifications.ts";
import { buy, operatorOf, player, raffle } from "../support/raffles.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await testDatabase()));

interface Claimed {
  id: string;
  user_id: string;
  event: string;
  person: Record<string, unknown> | null;
  facts: Record<string, unknown> | null;
}

const claim = async (max = 1000): Promise<Claimed[]> =>
  (await db.sql`select app.claim_notifications(${max}) as claimed`)[0].claimed;

const record = (sent: string[], skipped: string[] = [], failed: Record<string, string> = {}) =>
  db.sql`select app.record_notifications(${sent}::uuid[], ${skipped}::uuid[], ${
    db.sql.json(failed)
  })`;

/** Sends all that is due, to nobody: what was said, in words. */
async function hear() {
  await emptyOutbox(db);
  const claimed = await claim();
  await record(claimed.map(({ id }) => id));
  return claimed;
}

const asUser = (id: string, work: Parameters<typeof actAs>[2]) =>
  actAs(db, { role: "authenticated", id }, work);

let ana: string;
let ben: string;
beforeEach(async () => {
  [ana, ben] = [(await player(db, 100_000)).id, (await player(db, 100_000)).id];
  await hear();
});

describe("what happened is told", () => {
  /** The facts of the only notification of that event to the person; that they can be put into words is shown here. */
  async function heard(userId: string, event: string) {
    const all = await hear();
    for (const one of all) {
      if (one.event === "subscriber_changed" || !one.facts) continue;
      for (const locale of ["en", "es-CO", "it"]) renderNotification(one.event, one.facts, locale);
    }
    const mine = all.filter((one) => one.person?.id === userId && one.event === event);
    expect(mine.length, `${event} among ${all.map((one) => one.event)}`).toBe(1);
    return mine[0].facts!;
  }
  const told = new Set<string>();
  const expectFacts = async (userId: string, event: string, facts: Record<string, unknown>) => {
    told.add(event);
    const found = await heard(userId, event);
    expect(found).toMatchObject(facts);
    return found;
  };

  test("a confirmed address: welcome", async () => {
    const { id } = await createUser(db, { confirmed: false });
    expect((await hear()).map(({ event }) => event)).not.toContain("welcome");
    await db.sql`update public.profiles set display_name = 'Eva' where id = ${id}`;
    await db.sql`update auth.users set email_confirmed_at = now() where id = ${id}`;
    await expectFacts(id, "welcome", { name: "Eva" });
    await db.sql`update auth.users set email_confirmed_at = now() where id = ${id}`;
    expect(await hear()).toEqual([]);
  });

  test("a purchase, with its numbers and what was paid; once sealed with the root", async () => {
    const raffle_id = await raffle(db, { tickets_required: 2, title: "The bicycle" });
    const { purchase } = await buy(db, ana, { raffle_id, quantity: 2 });
    await expectFacts(ana, "purchase_confirmed", {
      purchase_id: purchase.id,
      raffle_id,
      raffle_title: "The bicycle",
      quantity: 2,
      numbers: [1, 2],
      amount_cents: 1000,
      amount: "10.00",
      currency: "EUR",
      payment_method: "wallet",
      ticket_root: null,
    });
    const other = await raffle(db, { tickets_required: 1 });
    await buy(db, ana, { raffle_id: other });
    await seal(db, other);
    const [{ ticket_root }] = await db
      .sql`select ticket_root from public.draws where raffle_id = ${other}`;
    await expectFacts(ana, "purchase_confirmed", { ticket_root, numbers: [1] });
  });

  test("seats that were not paid: failed, or expired", async () => {
    const raffle_id = await raffle(db);
    const card = async () =>
      (await buy(db, ana, { raffle_id, payment_method: "card" })).purchase.id;
    const [refused, late] = [await card(), await card()];
    await db.sql`select app.refuse_purchase(${refused}, 'key', 'refused')`;
    await expectFacts(ana, "purchase_failed", { purchase_id: refused, amount: "5.00" });
    await db
      .sql`update public.purchases set expires_at = now() - interval '1 second' where id = ${late}`;
    await db.sql`select app.expire_purchases()`;
    await expectFacts(ana, "purchase_expired", { purchase_id: late });
  });

  test("a cancelled raffle: to each once, with all of their money, and each refund", async () => {
    const raffle_id = await raffle(db);
    for (const quantity of [1, 3]) await buy(db, ana, { raffle_id, quantity });
    await buy(db, ben, { raffle_id });
    await hear();
    await actAs(
      db,
      await operatorOf(db),
      (sql) => sql`select public.cancel_raffle(${raffle_id}, 'No bicycle', false)`,
    );
    const all = await hear();
    const to = (id: string, event: string) =>
      all.filter((one) => one.person?.id === id && one.event === event).map(({ facts }) => facts);
    expect(to(ana, "raffle_cancelled")).toMatchObject([{ reason: "No bicycle", amount: "20.00" }]);
    expect(to(ben, "raffle_cancelled")).toMatchObject([{ amount: "5.00" }]);
    const refunds = to(ana, "purchase_refunded").sort((a, b) =>
      Number(a!.amount_cents) - Number(b!.amount_cents)
    );
    expect(refunds).toMatchObject([
      { amount: "5.00", to: "wallet", numbers: [1] },
      { amount: "15.00", to: "wallet", numbers: [2, 3, 4] },
    ]);
    told.add("raffle_cancelled").add("purchase_refunded");
  });

  test("a card that does not take a refund", async () => {
    const raffle_id = await raffle(db);
    const { purchase } = await buy(db, ana, { raffle_id });
    await db.sql`select app.tell('refund_to_wallet', ${ana}, ${purchase.id})`;
    await expectFacts(ana, "refund_to_wallet", { purchase_id: purchase.id, amount: "5.00" });
  });

  test("a top-up that is there", async () => {
    const [topup] = await db.sql`
      insert into public.wallet_topups (user_id, account_id, amount_cents, currency, method, status, provider_txn_id, livemode)
      values (${ana}, app.account_of('USER', 'EUR', ${ana}), 2550, 'EUR', 'checkout', 'PROCESSING', 'cs_told', false)
      returning id`;
    await db
      .sql`select app.complete_topup(t, 'pi_told') from public.wallet_topups t where id = ${topup.id}`;
    await expectFacts(ana, "topup_completed", { topup_id: topup.id, amount: "25.50" });
  });

  test("a withdrawal: paid, or back in the wallet", async () => {
    await db
      .sql`update public.profiles set kyc_status = 'VERIFIED', payout_account = 'acct_told' where id = ${ana}`;
    const withdraw = async () => {
      await asUser(
        ana,
        (sql) => sql`select public.begin_withdrawal(${crypto.randomUUID()}, 1000, 'EUR')`,
      );
      const [{ id }] = await db
        .sql`select id from public.wallet_withdrawals where user_id = ${ana} and status = 'CREATED'`;
      return id;
    };
    const paid = await withdraw();
    await db.sql`select app.claim_transfer(${paid})`;
    await db
      .sql`select app.complete_withdrawal(w) from public.wallet_withdrawals w where id = ${paid}`;
    await expectFacts(ana, "withdrawal_paid", { withdrawal_id: paid, amount: "10.00" });
    const failed = await withdraw();
    await db.sql`select app.claim_transfer(${failed})`;
    await db.sql`select app.refuse_withdrawal(${failed}, 'account_closed')`;
    await expectFacts(ana, "withdrawal_failed", { withdrawal_id: failed, code: "account_closed" });
    const cancelled = await withdraw();
    await db.sql`select app.cancel_withdrawal(${cancelled})`;
    await expectFacts(ana, "withdrawal_failed", { withdrawal_id: cancelled });
  });

  test("a raffle that is full, sealed, won and not won: to each once, however many tickets", async () => {
    const raffle_id = await raffle(db, { tickets_required: 10 });
    await buy(db, ben, { raffle_id });
    await buy(db, ben, { raffle_id });
    await hear();
    await buy(db, ana, { raffle_id, quantity: 8 });
    const full = await hear();
    const fullFor = full.filter(({ event }) => event === "raffle_full");
    expect(fullFor.map(({ person }) => person!.id).sort()).toEqual([ana, ben].sort());
    expect(fullFor[0].facts).toMatchObject({ raffle_id, tickets_required: 10 });
    told.add("raffle_full");

    await seal(db, raffle_id);
    const [sealed] = await db.sql`select * from public.draws where raffle_id = ${raffle_id}`;
    await expectFacts(ben, "raffle_sealed", {
      ticket_root: sealed.ticket_root,
      ticket_count: 10,
      round: Number(sealed.round),
      chain_hash: sealed.chain_hash,
      numbers: [1, 2],
      lottery: null,
    });

    await draw(db, raffle_id);
    await settle(db, raffle_id);
    const [{ user_id: winner, ticket_num }] = await db
      .sql`select t.user_id, ticket_num from public.winners join public.tickets t using (raffle_id, ticket_num)
        where raffle_id = ${raffle_id}`;
    const all = await hear();
    const eventsOf = (id: string) =>
      all.filter((one) => one.person?.id === id).map(({ event }) => event).sort();
    const loser = winner === ana ? ben : ana;
    expect([eventsOf(winner), eventsOf(loser)]).toEqual([["prize_to_claim", "won"], ["not_won"]]);
    const order = all.map(({ event }) => event);
    expect(order.indexOf("won")).toBeLessThan(order.indexOf("prize_to_claim"));
    const facts = Object.fromEntries(all.map(({ event, facts }) => [event, facts]));
    expect(facts.won).toMatchObject({ prize_title: "A bicycle", wins: [{ place: 1, ticket_num }] });
    expect(facts.not_won).toMatchObject({ winning_numbers: [ticket_num] });
    expect(facts.prize_to_claim).toMatchObject({ place: 1, ticket_num });
    ["won", "not_won", "prize_to_claim"].forEach((event) => told.add(event));
  });

  test("a prize that waits: reminded a week before and a day before, then sent", async () => {
    const raffle_id = await raffle(db, { tickets_required: 1 });
    await buy(db, ana, { raffle_id });
    await seal(db, raffle_id);
    await draw(db, raffle_id);
    await settle(db, raffle_id);
    await hear();
    const remind = async (left: string) => {
      await db
        .sql`update public.prize_claims set claim_until = now() + ${left}::interval where raffle_id = ${raffle_id}`;
      await Promise.all(Array.from({ length: 20 }, () => db.sql`select app.remind_prizes()`));
      return (await toldOf(db, { user_id: ana })).filter(({ event }) => event === "prize_reminder")
        .length;
    };
    expect(await remind("8 days")).toBe(0);
    expect(await remind("6 days")).toBe(1);
    expect(await remind("2 days")).toBe(1);
    expect(await remind("23 hours")).toBe(2);
    expect(await remind("1 hour")).toBe(2);
    const reminders = (await hear()).filter(({ event }) => event === "prize_reminder");
    expect(reminders.map(({ facts }) => facts)).toMatchObject([{ raffle_id, place: 1 }, {}]);
    expect(reminders.map(({ facts }) => renderNotification("prize_reminder", facts, "en")).length)
      .toBe(2);
    told.add("prize_reminder");

    await asUser(
      ana,
      (sql) => sql`select public.claim_prize(${raffle_id}, 1, '{"to": "here"}'::jsonb)`,
    );
    await actAs(
      db,
      await operatorOf(db),
      (sql) => sql`select public.send_prize(${raffle_id}, 1, 'SHIPPED', 'track-1')`,
    );
    // However late it is told, each step is told as it was.
    await actAs(
      db,
      await operatorOf(db),
      (sql) => sql`select public.send_prize(${raffle_id}, 1, 'DELIVERED', null)`,
    );
    const sent = (await hear()).filter(({ event }) => event === "prize_sent");
    expect(sent.map(({ facts }) => facts)).toMatchObject([
      { status: "SHIPPED", tracking: "track-1" },
      { status: "DELIVERED", tracking: "track-1" },
    ]);
    sent.forEach(({ facts }) => renderNotification("prize_sent", facts, "it"));
    told.add("prize_sent");
  });

  test("whoever has claimed a prize meanwhile is not asked to", async () => {
    const raffle_id = await raffle(db, { tickets_required: 1 });
    await buy(db, ana, { raffle_id });
    for (const step of [seal, draw, settle]) await step(db, raffle_id);
    await asUser(
      ana,
      (sql) => sql`select public.claim_prize(${raffle_id}, 1, '{"to": "here"}'::jsonb)`,
    );
    expect((await hear()).find(({ event }) => event === "prize_to_claim")!.facts).toBeNull();
  });

  test("limits, and excluding oneself", async () => {
    const limit = (cents: number) =>
      asUser(ana, (sql) => sql`select public.set_play_limit('spend', 'week', ${cents}, 'EUR')`);
    await limit(5000);
    await expectFacts(ana, "limits_changed", {
      kind: "spend",
      period: "week",
      amount: "50.00",
      pending_amount: null,
    });
    await limit(5000);
    expect(await hear()).toEqual([]); // nothing has changed
    await limit(9000);
    await expectFacts(ana, "limits_changed", {
      amount: "50.00",
      pending_amount: "90.00",
      pending_from: expect.any(String),
    });
    await asUser(ana, (sql) => sql`select public.exclude_self(now() + interval '30 days')`);
    await expectFacts(ana, "self_excluded", { until: expect.any(String) });
  });

  test("an alert: to everyone who works here, once, while it is open", async () => {
    const staff = await createUser(db, { roles: ["operator", "admin"] });
    const gone = await createUser(db, { roles: ["operator"] });
    await db.sql`update public.profiles set status = 'SUSPENDED' where id = ${gone.id}`;
    await hear();
    for (const _ of [1, 2]) await db.sql`select app.alert_operators('told', 'of something')`;
    await expectFacts(staff.id, "operator_alert", { kind: "told", subject: "of something" });
    expect(
      await db.sql`select from public.notifications
      where user_id = ${gone.id} and event = 'operator_alert'`,
    ).toEqual([]);
    await db.sql`select app.alert_operators('resolved', 'at once')`;
    await db
      .sql`update public.operator_alerts set resolved_at = now() where kind in ('told', 'resolved')`;
    const late = (await hear()).filter(({ event }) => event === "operator_alert");
    expect(late.every(({ facts }) => facts === null)).toBe(true);
  });

  test("nothing of the catalogue is left untold by these tests", () => {
    expect([...told].sort()).toEqual(Object.keys(catalogue).sort());
  });
});

test("nothing is told in SQL that has no words", async () => {
  const known = [...Object.keys(catalogue), "raffle_drawn"]
    .concat("subscriber_changed", "subscriber_deleted", "purchase_"); // the last is put together
  const bodies = await db.sql`select p.oid::regprocedure as name, prosrc from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace where nspname in ('app', 'public')`;
  const events = bodies.flatMap(({ prosrc }) =>
    [
      ...prosrc.matchAll(/app\.tell\('(\w+)'/g),
      ...prosrc.matchAll(/insert into app\.outbox[^;]*?(?:select|values \()\s*'(\w+)'/g),
    ].map(([, event]) => event as string)
  );
  expect(new Set(events).size).toBeGreaterThan(20);
  expect(events.filter((event) => !known.includes(event))).toEqual([]);
});

test("what is rolled back tells nobody", async () => {
  const raffle_id = await raffle(db);
  await hear();
  const undone = new Error("undone");
  await asUser(ana, async (sql) => {
    await sql`select public.begin_purchase('undone', ${raffle_id}, 1, null, 'ENTRY', 'wallet', true, null)`;
    throw undone;
  }).catch((error) => expect(error).toBe(undone));
  expect(await toldOf(db, { user_id: ana })).not.toContainEqual(
    expect.objectContaining({ event: "purchase_confirmed" }),
  );
});

test("what Novu knows of people follows their profile and their address", async () => {
  const changes: [string, string][] = [
    ["display_name", "Anna"],
    ["locale", "it"],
    ["phone", "+34600111222"],
  ];
  for (const [column, value] of changes) {
    await db.sql`update public.profiles set ${db.sql({ [column]: value })} where id = ${ana}`;
  }
  await db.sql`update auth.users set email = 'anna@example.test' where id = ${ana}`;
  // What Novu does not know, and what is the same, is no news.
  await db.sql`update public.profiles set country = 'IT', locale = 'it',
    preferences = '{"channels": {"email": false}}' where id = ${ana}`;
  const claimed = await hear();
  expect(claimed.map(({ event }) => event)).toEqual(Array(4).fill("subscriber_changed"));
  expect(claimed[0].person).toEqual({
    id: ana,
    email: "anna@example.test",
    name: "Anna",
    phone: "+34600111222",
    locale: "it",
    channels: { email: false },
  });
});

test("a message to many is queued in parts, each person once, whatever breaks off", async () => {
  const raffle_id = await raffle(db);
  const people: string[] = [];
  for (let at = 0; at < 7; at++) {
    const { id } = await player(db, 1000);
    people.push(id);
    await buy(db, id, { raffle_id });
    await buy(db, id, { raffle_id });
  }
  await hear();
  await db.sql`select app.tell('raffle_full', null, ${raffle_id})`;
  const queued: number[] = [];
  for (let part = 0; part < 5; part++) {
    await db.sql.begin(async (sql) => {
      await sql`select app.spread_notifications(3)`;
      throw new Error("broken off");
    }).catch(() => {});
    const [{ count }] = await db.sql`select app.spread_notifications(3) as count`;
    queued.push(Number(count));
  }
  expect(queued).toEqual([3, 3, 1, 0, 0]);
  const told = (await toldOf(db, { subject_id: raffle_id })).filter(({ event }) =>
    event === "raffle_full"
  );
  expect(told.map(({ user_id }) => user_id).sort()).toEqual(people.sort());
  expect(told.every(({ details }) => !details || !("told_to" in details))).toBe(true);
});

describe("sending", () => {
  beforeEach(async () => {
    await excluded(ana);
  });
  const excluded = (id: string) =>
    db.sql`select app.tell('self_excluded', ${id}, null, '{"until": "2027-01-01T00:00:00Z"}')`;
  const mine = async () =>
    (await db
      .sql`select * from public.notifications where user_id = ${ana} and event = 'self_excluded'
      order by happened_at desc limit 1`)[0];
  const waitOver = () =>
    db.sql`update public.notifications set due_at = now() where status = 'QUEUED'`;

  test("each is handed to one of twenty that ask at once", async () => {
    for (let more = 0; more < 99; more++) await excluded(ben);
    await emptyOutbox(db);
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim(5)));
    claims.push(await claim(100)); // what the others took from under each other's hands
    const ids = claims.flat().map(({ id }) => id);
    expect([ids.length, new Set(ids).size]).toEqual([100, 100]);
    await record(ids);
  });

  test("one that fails is tried again after 1, 5 and 30 minutes, 2 and 12 hours, then given up, and told", async () => {
    const staff = await createUser(db, { roles: ["operator"] });
    await hear();
    await excluded(ana);
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 6; attempt++) {
      const [{ id }] = await claim();
      await record([], [], { [id]: `failed ${attempt}` });
      const { status, due_at, attempts, failure } = await mine();
      expect([attempts, failure]).toEqual([attempt, `failed ${attempt}`]);
      if (status === "QUEUED") waits.push(Math.round((due_at.getTime() - Date.now()) / 60_000));
      if (attempt === 6) break;
      expect(await claim()).toEqual([]);
      await waitOver();
    }
    expect(waits).toEqual([1, 5, 30, 120, 720]);
    const dead = await mine();
    expect([dead.status, dead.due_at]).toEqual(["DEAD", null]);
    const alerts = (await hear()).filter(({ person }) => person?.id === staff.id);
    expect(alerts.map(({ facts }) => facts))
      .toMatchObject([{ kind: "notifications_given_up", subject: "self_excluded" }]);
  });

  test("one whose sender never came back is due again, and given up after the sixth", async () => {
    for (let attempt = 1; attempt <= 6; attempt++) {
      expect((await claim()).length).toBe(1);
      expect(await claim()).toEqual([]);
      await waitOver();
    }
    expect(await claim()).toEqual([]);
    expect((await mine()).status).toBe("DEAD");
  });

  test("what was sent is not sent again, whoever says what afterwards", async () => {
    const [{ id }] = await claim();
    await record([id]);
    await record([], [], { [id]: "a sender that was late" });
    await record([], [id]);
    expect(await mine()).toMatchObject({ status: "SENT", failure: null, due_at: null });
    await waitOver();
    expect(await claim()).toEqual([]);
  });

  test("operators queue again what was given up, and nobody else does", async () => {
    const [{ id }] = await claim();
    await db.sql`select app.end_notifications(array[${id}]::uuid[], 'DEAD')`;
    const requeue = (sql: Parameters<Parameters<typeof actAs>[2]>[0]) =>
      sql`select public.requeue_notifications(array[${id}]::uuid[]) as count`;
    expect(await codeOf(asUser(ana, requeue))).toBe("not_permitted");
    const [requeued] = await actAs(db, await operatorOf(db), requeue);
    expect(Number(requeued.count)).toBe(1);
    expect(await mine()).toMatchObject({ status: "QUEUED", attempts: 0 });
    const [audited] = await db.sql`select after from public.audit_log where subject_id = ${id}`;
    expect(audited.after).toMatchObject({ status: "QUEUED" });
    expect(await codeOf(actAs(db, await operatorOf(db), requeue))).toBe("notification_not_found");
    expect((await claim()).map((one) => one.id)).toContain(id);
  });

  test("what was sent is kept as long as the setting says, what was given up for longer", async () => {
    const [{ id }] = await claim();
    await record([id]);
    await db
      .sql`update public.notifications set ended_at = now() - interval '89 days' where id = ${id}`;
    await db.sql`select app.purge()`;
    expect(await mine()).toBeDefined();
    await db
      .sql`update public.notifications set ended_at = now() - interval '91 days' where id = ${id}`;
    await db.sql`select app.purge()`;
    expect(await mine()).toBeUndefined();
  });

  test("somebody who has been deleted is told nothing", async () => {
    const { id } = await createUser(db);
    await db.sql`delete from auth.users where id = ${id}`;
    const claimed = await hear();
    expect(claimed.filter(({ person }) => person?.id === id)).toEqual([]);
    expect(claimed.filter(({ user_id }) => user_id === id).map(({ event }) => event).sort())
      .toEqual(["subscriber_changed", "subscriber_deleted", "welcome"]);
  });
});

test("an amount is told with the digits of its currency", async () => {
  const decimals = await db
    .sql`select app.decimal_of(1250, 'EUR') as eur, app.decimal_of(1250, 'JPY') as jpy,
    app.decimal_of(9007199254740993, 'COP') as cop, app.decimal_of(5, 'EUR') as little`;
  expect(decimals[0]).toEqual({
    eur: "12.50",
    jpy: "1250",
    cop: "90071992547409.93",
    little: "0.05",
  });
});

test("a raffle below its minimum is told as cancelled", async () => {
  const raffle_id = await raffle(db, { min_tickets: 10 });
  await buy(db, ana, { raffle_id });
  await hear();
  await close(db, raffle_id);
  expect(await seal(db, raffle_id)).toBe("CANCELLED");
  const told = await hear();
  expect(told.map(({ event }) => event).sort()).toEqual(["purchase_refunded", "raffle_cancelled"]);
  const { facts } = told.find(({ event }) => event === "raffle_cancelled")!;
  expect(facts).toMatchObject({ code: "minimum_not_reached" });
  expect(renderNotification("raffle_cancelled", facts, "es").payload.body)
    .toContain("Se vendieron menos boletos que el mínimo.");
});
