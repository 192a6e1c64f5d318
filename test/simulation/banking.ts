// What a player may do with money and account: top up, withdraw, ask for a card refund, set limits, sign in.
import { clientFor } from "../support/stack.ts";
import { isGood } from "./journal.ts";
import { place } from "./orders.ts";
import { chooseCard, payIntent, payOnPage } from "./outside.ts";
import type { Player, Topup } from "./people.ts";

/** On Stripe's page, by a PaymentIntent, or at once with a card. */
export async function topUp(player: Player): Promise<void> {
  const { random } = player;
  const amount_cents = random.between(500, 15_000);
  const method = random.pick("checkout", "payment_intent", "at once");
  const payment_method = random.chance(0.15) ? "pm_card_chargeDeclined" : chooseCard(random);
  const pays = random.chance(0.8);
  const how = method === "at once" ? { payment_method } : { method };
  const entry = await place(player, "POST /topup", { amount_cents, ...how });
  if (!entry || !isGood(entry)) return;
  const { topup, checkout_url, payment } = entry.answer;
  const intent = method === "payment_intent" ? payment.payment_intent_id : undefined;
  const remembered: Topup = { id: topup.id, checkoutUrl: checkout_url, intent };
  player.topups.push(remembered);
  if (pays) await pay(player, remembered);
}

async function pay({ stack, random }: Player, { checkoutUrl, intent }: Topup): Promise<void> {
  if (checkoutUrl) await payOnPage(random, checkoutUrl);
  if (intent) await payIntent(stack, random, intent);
}

/** Comes back to a page that was left open. */
export async function payTopupLate(player: Player): Promise<void> {
  if (player.topups.length === 0) return;
  await pay(player, player.random.pick(...player.topups));
}

export async function followTopup(player: Player): Promise<void> {
  const { random, journal, topups } = player;
  if (topups.length === 0) return;
  const { id } = random.pick(...topups);
  await journal.send(player, random.pick(`GET /topup/${id}`, `POST /topup/${id}/verify`));
}

export async function withdraw(player: Player): Promise<void> {
  await place(player, "POST /withdraw", { amount_cents: player.random.between(100, 4_000) });
}

/** A cancelled raffle's money, from the wallet on to the card; perhaps asked for twice at once. */
export async function refundToCard(player: Player): Promise<void> {
  const { random, journal } = player;
  const own = await journal.send(player, "GET /purchase?limit=100");
  if (!isGood(own)) return;
  const byCard = (own.answer.items as { id: string; status: string; payment_method: string }[])
    .filter(({ status, payment_method }) => status === "REFUNDED" && payment_method === "card");
  if (byCard.length === 0) return;
  const body = { purchase_id: random.pick(...byCard).id };
  const ask = () => journal.send(player, "POST /rest/v1/rpc/request_card_refund", { body });
  await Promise.all(random.chance(0.3) ? [ask(), ask()] : [ask()]);
}

export async function setLimit({ random, journal, ...player }: Player): Promise<void> {
  const body = {
    kind: random.pick("spend", "deposit"),
    period: random.pick("day", "week", "month"),
    amount_cents: random.between(20_000, 80_000),
    currency: "EUR",
  };
  await journal.send(player, "PUT /account/limits", { body });
}

export async function readOwn({ random, journal, ...player }: Player): Promise<void> {
  const call = random.pick(
    "GET /account",
    "GET /purchase?limit=100",
    "GET /topup?limit=100",
    "GET /withdraw?limit=100",
    "GET /cards",
  );
  await journal.send(player, call);
}

/** For those who have a password; the rest have their tokens from the test. */
export async function signIn(player: Player): Promise<void> {
  const { stack, email, password } = player;
  if (!email || !password) return;
  const { auth } = clientFor(stack);
  const { data, error } = await auth.signInWithPassword({ email, password });
  if (error) throw new Error(`${player.name} cannot sign in: ${error.message}`);
  player.token = data.session.access_token;
}
