// Every event, and facts of every kind that it may have: words in them can neither be mistaken for a fault of the
// texts nor for another fact.
import fc from "fast-check";
import { catalogue, type Event, type Facts } from "../../shared/notifications/catalogue.ts";
import { renderNotification } from "../../shared/notifications/render.ts";

export const events = Object.keys(catalogue) as Event[];
export const locales = ["en", "es", "it", "es-CO"];

const word = fc.stringMatching(/^[A-M][a-m]{2,8}( [a-m]{2,8}){0,3}$/);
const count = fc.oneof(
  fc.constantFrom(0, 1, 2, 1_000_000),
  fc.integer({ min: 0, max: 2_147_483_647 }),
);
const quantity = fc.oneof(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 100 }));
const ticket = fc.integer({ min: 0, max: 2_147_483_647 });
const place = fc.integer({ min: 1, max: 1000 });
const numbers = fc.uniqueArray(ticket, { maxLength: 100 });
const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const decimal = fc.stringMatching(/^(0|[1-9][0-9]{0,12})(\.[0-9]{1,4})?$/);
const currency = fc.constantFrom("EUR", "USD", "GBP", "CHF", "COP", "TZS", "JPY");
const time = fc.date({
  min: new Date("2020-01-01T00:00:00Z"),
  max: new Date("2130-01-01T00:00:00Z"),
  noInvalidDate: true,
}).chain((date) =>
  fc.constantFrom(
    date.toISOString(),
    date.toISOString().replace("Z", "+02:00"),
    date.toISOString().replace("Z", "123-05:00"),
  )
);
const day = time.map((iso) => iso.slice(0, 10));
const orNull = <T>(facts: fc.Arbitrary<T>) => fc.option(facts, { nil: null });

const money = { amount_cents: fc.nat(), amount: decimal, currency };
const raffle = { raffle_id: fc.uuid(), raffle_title: word };
const purchase = { purchase_id: fc.uuid(), ...raffle, quantity, ...money };
const code = orNull(fc.constantFrom(
  "card_declined",
  "raffle_not_open",
  "raffle_cancelled",
  "paid_too_late",
  "expired",
  "insufficient_funds",
));
const ended = { ...purchase, code };
const withdrawal = { withdrawal_id: fc.uuid(), ...money };
const offer = fc.record({
  ...raffle,
  prize_title: word,
  place,
  ticket_num: ticket,
  claim_until: time,
});

export const anyFacts: { [E in Event]: fc.Arbitrary<Facts<E>> } = {
  welcome: fc.record({ name: orNull(word) }),
  purchase_confirmed: fc.record({
    ...purchase,
    type: fc.constantFrom("ENTRY", "BOOST", "RETRY"),
    numbers,
    payment_method: fc.constantFrom("wallet", "card"),
    confirmed_at: time,
    ticket_root: orNull(hash),
  }),
  purchase_failed: fc.record(ended),
  purchase_expired: fc.record(ended),
  purchase_refunded: fc.record({ ...ended, to: fc.constantFrom("wallet", "card"), numbers }),
  refund_to_wallet: fc.record(ended),
  topup_completed: fc.record({ topup_id: fc.uuid(), ...money }),
  withdrawal_paid: fc.record(withdrawal),
  withdrawal_failed: fc.record({ ...withdrawal, code }),
  raffle_full: fc.record({ ...raffle, tickets_required: count }),
  raffle_sealed: fc.record({
    ...raffle,
    ticket_count: count,
    ticket_root: hash,
    numbers,
    chain_hash: orNull(hash),
    round: orNull(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    round_at: orNull(time),
    lottery: orNull(word),
    lottery_draw_date: orNull(day),
  }),
  won: fc.record({
    ...raffle,
    prize_title: word,
    wins: fc.array(
      fc.record({
        place,
        ticket_num: ticket,
        amount_cents: orNull(fc.nat()),
        amount: orNull(decimal),
      }),
      { minLength: 1, maxLength: 10 },
    ),
    currency,
  }),
  not_won: fc.record({ ...raffle, winning_numbers: fc.uniqueArray(ticket, { maxLength: 10 }) }),
  prize_to_claim: offer,
  prize_reminder: offer,
  prize_sent: fc.record({
    ...raffle,
    prize_title: word,
    place,
    status: fc.constantFrom("SHIPPED", "DELIVERED"),
    tracking: orNull(word),
  }),
  raffle_cancelled: fc.record({ ...raffle, reason: word, code: fc.constant(null), ...money }),
  limits_changed: fc.record({
    kind: fc.constantFrom("spend", "deposit"),
    period: fc.constantFrom("day", "week", "month"),
    ...money,
    pending_amount: orNull(decimal),
    pending_from: orNull(time),
  }),
  self_excluded: fc.record({ until: time }),
  operator_alert: fc.record({ alert_id: fc.nat(), kind: word, subject: word }),
};

export const id = "0190a6f0-0000-7000-8000-000000000001";
/** A purchase that was confirmed: one ticket, from the wallet. */
export const receipt = {
  purchase_id: id,
  raffle_id: id,
  raffle_title: "Vespa",
  type: "ENTRY",
  quantity: 1,
  numbers: [12],
  amount_cents: 250,
  amount: "2.50",
  currency: "EUR",
  payment_method: "wallet",
  confirmed_at: "2026-11-21T18:05:00+00:00",
  ticket_root: null,
};

/** Renders and hands back all of the text. */
export function textOf(event: Event, facts: unknown, locale: string): string {
  const { title, body } = renderNotification(event, facts, locale).payload;
  return `${title}\n${body}`;
}
