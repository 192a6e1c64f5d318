import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { seal } from "../../shared/draw-shape.ts";
import { listOf, page } from "../../shared/paging.ts";

const time = z.iso.datetime({ offset: true });
const cents = z.int();
const state = z.enum(["OPEN", "FULL", "CLOSED", "DRAWN", "SETTLED", "CANCELLED"]);

const raffle = z.object({
  id: z.uuid(),
  title: z.string(),
  description: z.string(),
  state,
  prize: z.object({
    id: z.uuid(),
    title: z.string(),
    value_cents: cents,
    currency: z.string(),
    image_urls: z.array(z.string()),
  }),
  category: z.object({ id: z.uuid(), name: z.string(), color: z.string() }).optional(),
  ticket_price_cents: cents,
  currency: z.string(),
  tickets_required: z.int(),
  tickets_sold: z.int(),
  tickets_remaining: z.int(),
  max_per_user: z.int().nullable(),
  numbering: z.enum(["SEQUENTIAL", "PICK", "RANDOM"]),
  winners_count: z.int(),
  draw_method: z.enum(["BEACON", "LOTTERY"]),
  opens_at: time,
  closes_at: time,
});

const terms = z.object({
  min_tickets: z.int(),
  prize_tiers: z.array(z.record(z.string(), z.int())),
  rake_cents: cents,
  prize_fund_cents: cents,
  prize_per_winner_cents: cents.nullable(),
  boost_price_cents: cents.nullable(),
  boost_limit: z.int().nullable(),
  retry_of: z.uuid().nullable(),
  retry_price_cents: cents.nullable(),
  lottery_id: z.uuid().nullable(),
  lottery_draw_date: z.iso.date().nullable(),
  unsold_rule: z.enum(["NEXT_DRAW", "REFUND", "HOUSE"]).nullable(),
});

export const contract = defineContract("raffles", {
  listRaffles: {
    method: "get",
    path: "/",
    summary: "Published raffles: filtered, searched, sorted",
    caller: "anyone",
    cached: true,
    query: page.extend({
      state: state.optional(),
      category: z.uuid().optional(),
      search: z.string().trim().min(1).max(100).optional(),
      sort: z.enum(["new", "ending", "popular"]).default("new"),
    }),
    response: listOf(raffle),
  },
  readRaffle: {
    method: "get",
    path: "/:id",
    summary: "One published raffle, with its terms",
    caller: "anyone",
    cached: true,
    params: z.strictObject({ id: z.uuid() }),
    response: raffle.extend({
      terms,
      cancel_reason: z.string().nullable(),
      draw: seal.optional(),
    }),
    errors: ["raffle_not_found"],
  },
});
