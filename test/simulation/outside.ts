// What the world does without us: people pay on Stripe's page, cardholders dispute, banks pay and refuse.
import { keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";
import { stripeClient } from "../support/payments.ts";
import { control } from "../support/stripe.ts";
import type { Random } from "../support/stripe-histories.ts";

/** The controls of Novu and of the beacon. */
export async function fetchControl(url: string, verb: string, body: object = {}): Promise<void> {
  const answer = await fetch(`${url}/_control/${verb}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${verb}: ${text}`);
}

const form = (fields: Record<string, string>) => ({
  method: "POST",
  headers: { authorization: `Bearer ${keys.stripe_secret_key}` },
  body: new URLSearchParams(fields),
  redirect: "manual" as const,
});

/** Whatever comes of it: the person sees a page, we hear of it from Stripe, or do not. */
async function send(url: string, init: RequestInit): Promise<void> {
  try {
    await (await fetch(url, init)).body?.cancel();
  } catch {
    // Stripe broke the connection.
  }
}

export const GOOD_CARDS = ["visa", "visa", "visa", "visa", "mastercard", "pendingRefund"];
const RARE_CARDS = ["refundFail", "createDispute"];

export const chooseCard = (random: Random) =>
  `pm_card_${random.chance(0.04) ? random.pick(...RARE_CARDS) : random.pick(...GOOD_CARDS)}`;

/** On the page of Checkout; some cards are declined, some debits come later. */
export async function payOnPage(random: Random, checkoutUrl: string): Promise<void> {
  const action = random.pick("pay", "pay", "pay", "pay", "decline", "later");
  const payment_method = chooseCard(random);
  await send(checkoutUrl, form({ action, payment_method }));
  if (action === "decline" && random.chance(0.7)) {
    await send(checkoutUrl, form({ action: "pay", payment_method }));
  }
}

/** As Stripe.js does with the client secret. */
export async function payIntent(
  { services }: TestStack,
  random: Random,
  intentId: string,
): Promise<void> {
  const url = `${services.stripeUrl}/v1/payment_intents/${intentId}/confirm`;
  const payment_method = chooseCard(random);
  const return_url = "http://localhost/";
  if (random.chance(0.15)) {
    await send(url, form({ payment_method: "pm_card_chargeDeclined", return_url }));
  }
  await send(url, form({ payment_method, return_url }));
}

type Thing = { id: string; status?: string };

/** The latest payouts to people's banks; only events are told of all accounts at once. */
const payouts = async (stack: TestStack): Promise<Thing[]> =>
  (await control(stack, "GET /events?type=payout.created")).events
    .map(({ data }: { data: { object: Thing } }) => data.object).reverse();

/** The latest of a list of Stripe's; none if Stripe is not in the mood. */
async function latest({ services }: TestStack, list: string): Promise<Thing[]> {
  try {
    const answer = await fetch(`${services.stripeUrl}/v1/${list}?limit=10`, {
      headers: { authorization: `Bearer ${keys.stripe_secret_key}` },
    });
    return (await answer.json()).data ?? [];
  } catch {
    return [];
  }
}

/** Something that happens at Stripe, unless it cannot any more. */
const attempt = (stack: TestStack, verb: string, body: object = {}) =>
  control(stack, verb, body).catch(() => {});

/** Banks and cardholders: one of them does something about one of the latest payments. */
export async function actOutside(stack: TestStack, random: Random): Promise<void> {
  const act = random.pick("payout", "payout", "dispute", "refund", "case");
  const which = random.between(0, 5);
  const verb = random.pick("pay", "pay", "send", "fail", "cancel");
  const end = random.pick("win", "lose");
  const outcome = random.pick("succeed", "fail");
  const isAngry = random.chance(0.3);
  const inquiry = random.chance(0.3);
  const about = async (things: Promise<Thing[]>, verb: (id: string) => string, body = {}) => {
    const thing = (await things)[which];
    if (thing) await attempt(stack, verb(thing.id), body);
  };
  if (act === "payout") await about(payouts(stack), (id) => `POST /payouts/${id}/${verb}`);
  else if (act === "refund") {
    await about(latest(stack, "refunds"), (id) => `POST /refunds/${id}/${outcome}`);
  } else if (act === "case") {
    await about(latest(stack, "disputes"), (id) => `POST /disputes/${id}/${end}`);
  } else if (isAngry) {
    await about(latest(stack, "payment_intents"), (id) => `POST /charges/${id}/dispute`, {
      inquiry,
    });
  }
}

/** Every case is decided, every refund has come. */
export async function settleOutside(stack: TestStack, random: Random): Promise<void> {
  const stripe = stripeClient(stack);
  for await (const dispute of stripe.disputes.list({ limit: 100 })) {
    await attempt(stack, `POST /disputes/${dispute.id}/${random.pick("win", "lose")}`);
  }
  for await (const refund of stripe.refunds.list({ limit: 100 })) {
    if (refund.status === "pending") await attempt(stack, `POST /refunds/${refund.id}/succeed`);
  }
}

/** Webhooks that we answered as nobody should be answered: 503 is for a server that is just not there. */
export async function failedWebhooks(stack: TestStack): Promise<string[]> {
  const { deliveries } = await control(stack, "GET /deliveries");
  return deliveries.filter(({ attempts }: { attempts: { status: number | null }[] }) =>
    attempts.some(({ status }) => status !== null && status >= 400 && status !== 503)
  ).map((delivery: object) => JSON.stringify(delivery));
}
