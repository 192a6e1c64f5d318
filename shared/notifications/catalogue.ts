// THE catalogue of what people are told: for each event the workflow that Novu sends it by, whether it is
// sent whatever somebody's preferences say, and the facts that its texts are written from. What tells of
// somebody's own money, tickets, prizes or limits is essential; what only keeps them company is not.
import { z } from "zod";
import type { Say } from "./say.ts";

const count = z.int().min(0);
const ticketNumber = z.int().min(0);
const place = z.int().min(1);
const time = z.iso.datetime({ offset: true });
const hash = z.string().regex(/^[0-9a-f]{64}$/);
/** Major units, as people write them; the ledger's minor units are beside it. */
const decimal = z.string().regex(/^[0-9]+(\.[0-9]+)?$/);
const currency = z.string().regex(/^[A-Z]{3}$/);

const money = { amount_cents: count, amount: decimal, currency };
const raffle = { raffle_id: z.uuid(), raffle_title: z.string() };
const purchase = { purchase_id: z.uuid(), ...raffle, quantity: count, ...money };
const ended = { ...purchase, code: z.string().nullable() };
const withdrawal = { withdrawal_id: z.uuid(), ...money };
const offer = z.strictObject({
  ...raffle,
  prize_title: z.string(),
  place,
  ticket_num: ticketNumber,
  claim_until: time,
});

export const catalogue = {
  welcome: {
    workflow: "welcome",
    essential: false,
    facts: z.strictObject({ name: z.string().nullable() }),
  },
  purchase_confirmed: {
    workflow: "purchase-confirmed",
    essential: true,
    facts: z.strictObject({
      ...purchase,
      type: z.enum(["ENTRY", "BOOST", "RETRY"]),
      /** Empty while the tickets are still to be redeemed. */
      numbers: z.array(ticketNumber),
      payment_method: z.enum(["wallet", "card"]),
      confirmed_at: time,
      /** There once the raffle is sealed. */
      ticket_root: hash.nullable(),
    }),
  },
  purchase_failed: {
    workflow: "purchase-failed",
    essential: true,
    facts: z.strictObject(ended),
  },
  purchase_expired: {
    workflow: "purchase-expired",
    essential: true,
    facts: z.strictObject(ended),
  },
  purchase_refunded: {
    workflow: "purchase-refunded",
    essential: true,
    facts: z.strictObject({
      ...ended,
      to: z.enum(["wallet", "card"]),
      numbers: z.array(ticketNumber),
    }),
  },
  refund_to_wallet: {
    workflow: "refund-to-wallet",
    essential: true,
    facts: z.strictObject(ended),
  },
  topup_completed: {
    workflow: "topup-completed",
    essential: true,
    facts: z.strictObject({ topup_id: z.uuid(), ...money }),
  },
  withdrawal_paid: {
    workflow: "withdrawal-paid",
    essential: true,
    facts: z.strictObject(withdrawal),
  },
  withdrawal_failed: {
    workflow: "withdrawal-failed",
    essential: true,
    facts: z.strictObject({ ...withdrawal, code: z.string().nullable() }),
  },
  raffle_full: {
    workflow: "raffle-full",
    essential: false,
    facts: z.strictObject({ ...raffle, tickets_required: count }),
  },
  raffle_sealed: {
    workflow: "raffle-sealed",
    essential: true,
    facts: z.strictObject({
      ...raffle,
      ticket_count: count,
      ticket_root: hash,
      /** The person's own, unless they are more than a hundred. */
      numbers: z.array(ticketNumber),
      /** These three where a beacon decides, the two below them where a lottery does. */
      chain_hash: hash.nullable(),
      round: z.int().min(1).nullable(),
      round_at: time.nullable(),
      lottery: z.string().nullable(),
      lottery_draw_date: z.iso.date().nullable(),
    }),
  },
  won: {
    workflow: "won",
    essential: true,
    facts: z.strictObject({
      ...raffle,
      prize_title: z.string(),
      /** Without an amount it is the prize itself; an amount is in the wallet already. */
      wins: z.array(z.strictObject({
        place,
        ticket_num: ticketNumber,
        amount_cents: count.nullable(),
        amount: decimal.nullable(),
      })).min(1),
      currency,
    }),
  },
  not_won: {
    workflow: "not-won",
    essential: false,
    /** Of the first places, in their order. */
    facts: z.strictObject({ ...raffle, winning_numbers: z.array(ticketNumber).max(10) }),
  },
  prize_to_claim: { workflow: "prize-to-claim", essential: true, facts: offer },
  prize_reminder: { workflow: "prize-reminder", essential: true, facts: offer },
  prize_sent: {
    workflow: "prize-sent",
    essential: true,
    facts: z.strictObject({
      ...raffle,
      prize_title: z.string(),
      place,
      status: z.enum(["SHIPPED", "DELIVERED"]),
      tracking: z.string().nullable(),
    }),
  },
  raffle_cancelled: {
    workflow: "raffle-cancelled",
    essential: true,
    facts: z.strictObject({
      ...raffle,
      reason: z.string(),
      /** Why, where it was nobody's decision. */
      code: z.enum(["minimum_not_reached", "number_not_sold"]).nullable(),
      ...money,
    }),
  },
  limits_changed: {
    workflow: "limits-changed",
    essential: true,
    facts: z.strictObject({
      kind: z.enum(["spend", "deposit"]),
      period: z.enum(["day", "week", "month"]),
      ...money,
      pending_amount: decimal.nullable(),
      pending_from: time.nullable(),
    }),
  },
  self_excluded: {
    workflow: "self-excluded",
    essential: true,
    facts: z.strictObject({ until: time }),
  },
  operator_alert: {
    workflow: "operator-alert",
    essential: true,
    facts: z.strictObject({ alert_id: z.int(), kind: z.string(), subject: z.string() }),
  },
} as const satisfies Record<string, { workflow: string; essential: boolean; facts: z.ZodType }>;

export type Event = keyof typeof catalogue;
export type Facts<E extends Event> = z.infer<(typeof catalogue)[E]["facts"]>;

/** One language: what a person reads of each event. Plain text. */
export type Texts = {
  [E in Event]: (facts: Facts<E>, say: Say) => { title: string; body: string };
};
