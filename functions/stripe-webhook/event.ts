// An event is believed if one of our endpoint's secrets signed exactly these bytes, lately.
import type Stripe from "stripe";
import { z } from "zod";
import { env } from "../../shared/env.ts";
import { ApiError } from "../../shared/errors.ts";
import { invalid } from "../../shared/request.ts";
import { stripe } from "../../shared/stripe.ts";

const TOLERANCE_SECONDS = 300;

const shape = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  created: z.int(),
  account: z.string().nullish(),
  data: z.object({ object: z.record(z.string(), z.unknown()) }),
});

const storableText = (text: string) => text.toWellFormed().replaceAll("\0", "");

/** A payment is none the less a payment if some text in it, or a name, cannot be stored by Postgres. */
function storable(_: string, value: unknown): unknown {
  if (typeof value === "string") return storableText(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [storableText(name), inner]),
  );
}

export async function readEvent(body: Uint8Array, signature?: string): Promise<Stripe.Event> {
  const { webhooks } = await stripe();
  for (const secret of signature ? env().STRIPE_WEBHOOK_SECRETS : []) {
    try {
      await webhooks.constructEventAsync(body, signature!, secret, TOLERANCE_SECONDS);
      const event = JSON.parse(new TextDecoder().decode(body), storable);
      if (!shape.safeParse(event).success) throw invalid({ path: "", message: "is not an event" });
      return event;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      if (error instanceof SyntaxError) throw invalid({ path: "", message: "is not an event" });
    }
  }
  throw new ApiError("signature_invalid");
}
