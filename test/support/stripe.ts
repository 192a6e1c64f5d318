// Stripe as the tests play it: the simulator's control, and deliveries signed by the tests themselves.
import { createHmac } from "node:crypto";
import { keys } from "./database.ts";
import type { Answer, TestStack } from "./stack.ts";
import { call } from "./stack.ts";

// deno-lint-ignore no-explicit-any -- the control API speaks plain JSON
export async function control(stack: TestStack, verb: string, body?: object): Promise<any> {
  const [method, path] = verb.split(" ");
  const answer = await fetch(`${stack.services.stripeUrl}/_control${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(`${verb}: ${JSON.stringify(json)}`);
  return json;
}

/** Lets every webhook that is under way arrive. */
export const flushWebhooks = (stack: TestStack) =>
  control(stack, "POST /webhooks/flush", { hurry: true });

const now = () => Math.floor(Date.now() / 1000);

export function sign(body: string, { secret = keys.stripe_webhook_secret, at = now() } = {}) {
  return `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`;
}

/** An event with the fields of Stripe's that matter, as JSON. */
export function eventBody(type: string, object: object, parts: Record<string, unknown> = {}) {
  return JSON.stringify({
    id: `evt_${crypto.randomUUID().replaceAll("-", "")}`,
    object: "event",
    api_version: "2026-10-28.endive",
    created: now(),
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object },
    ...parts,
  });
}

export function deliver(
  stack: TestStack,
  raw: string,
  signature: string | null = sign(raw),
): Promise<Answer> {
  return call(stack, "POST", "/stripe-webhook", {
    raw,
    headers: signature === null ? {} : { "stripe-signature": signature },
  });
}
