// What is published of a draw, as several functions answer it.
import { z } from "zod";

const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const seal = z.object({
  ticket_count: z.int(),
  ticket_root: hash,
  sealed_at: z.iso.datetime({ offset: true }),
  /** Null where a lottery decides; signature and randomness once the round is out. */
  beacon: z.object({
    chain_hash: hash,
    round: z.int(),
    signature: z.string().optional(),
    randomness: hash.optional(),
  }).nullable(),
  /** The official draws it looks to, where a lottery decides; the last one that has a number did. */
  lottery: z.array(z.object({
    lottery_id: z.uuid(),
    draw_date: z.iso.date(),
    winning_number: z.string().nullable(),
  })).optional(),
  winners: z.array(z.object({ place: z.int(), ticket_num: z.int() })),
});

export const ticket = z.object({ ticket_num: z.int(), holder: hash });

export const proof = z.object({
  ticket_num: z.int(),
  holder: hash,
  salt: z.string().optional(),
  leaf: hash,
  index: z.int(),
  ticket_count: z.int(),
  path: z.array(hash),
  root: hash,
});
