// What a player may do in the shop: look, buy by wallet and by card, boost, retry, redeem, claim a prize.
import type { Entry } from "./journal.ts";
import { isGood } from "./journal.ts";
import { place } from "./orders.ts";
import { payIntent } from "./outside.ts";
import type { Player, Purchase, Raffle } from "./people.ts";

/** What is on sale; seen before everything else. */
export async function look(player: Player): Promise<void> {
  const { journal } = player;
  const seen = await journal.send(player, "GET /raffles?state=OPEN&limit=100");
  if (isGood(seen)) player.window = seen.answer.items;
  const again = await journal.send(
    player,
    "GET /rest/v1/raffles?select=id,retry_of&state=eq.OPEN&retry_of=not.is.null&order=id",
  );
  if (isGood(again)) player.retries = again.answer;
}

function chooseRaffle({ random, window }: Player): Raffle | undefined {
  // Now and then one that is sold out: by the next click something may have come back.
  const likely = window.filter(({ tickets_remaining }) => tickets_remaining > 0);
  const from = likely.length === 0 || random.chance(0.05) ? window : likely;
  return from.length === 0 ? undefined : random.pick(...from);
}

/** So many tickets, or numbers where they can be chosen. */
function chooseTickets({ random }: Player, raffle: Raffle): Record<string, unknown> {
  const quantity = random.pick(1, 1, 1, 2, 2, 3, 5);
  if (raffle.numbering !== "PICK" || random.chance(0.4)) return { quantity };
  const numbers = Array.from(
    { length: quantity },
    () => random.between(1, raffle.tickets_required),
  );
  return { numbers: [...new Set(numbers)] };
}

export async function buyByWallet(player: Player): Promise<void> {
  const raffle = chooseRaffle(player);
  if (!raffle) return;
  const tickets = chooseTickets(player, raffle);
  await buy(player, raffle.id, "wallet", { ...tickets, redeem: player.random.chance(0.7) });
}

export async function buyByCard(player: Player): Promise<void> {
  const raffle = chooseRaffle(player);
  if (!raffle) return;
  const tickets = chooseTickets(player, raffle);
  await buy(player, raffle.id, "card", { ...tickets, redeem: player.random.chance(0.7) });
}

/** More chances for a ticket that one has. */
export async function boost(player: Player): Promise<void> {
  const { random, tickets, window } = player;
  const open = tickets.filter((ticket) => window.some(({ id }) => id === ticket.raffle_id));
  if (open.length === 0) return;
  const ticket = random.pick(...open);
  const method = random.pick("wallet", "wallet", "card");
  const quantity = random.between(1, 2);
  await buy(player, ticket.raffle_id, method, { type: "BOOST", ticket_id: ticket.id, quantity });
}

/** Once more with a ticket that did not win. */
export async function retry(player: Player): Promise<void> {
  const { random, tickets, retries } = player;
  const chances = retries.flatMap(({ id, retry_of }) =>
    tickets.filter(({ raffle_id }) => raffle_id === retry_of).map((ticket) => ({ id, ticket }))
  );
  if (chances.length === 0) return;
  const { id, ticket } = random.pick(...chances);
  const method = random.pick("wallet", "wallet", "card");
  await buy(player, id, method, { type: "RETRY", ticket_id: ticket.id, quantity: 1 });
}

async function buy(
  player: Player,
  raffle_id: string,
  payment_method: "wallet" | "card",
  order: Record<string, unknown>,
): Promise<void> {
  const { random, stack } = player;
  const pays = random.chance(0.75);
  const body = { redeem: true, ...order, raffle_id, payment_method };
  const entry = await place(player, "POST /purchase", body);
  if (!entry || !isGood(entry)) return;
  const purchase = rememberPurchase(player, entry)!;
  if (purchase.intent && pays) await payIntent(stack, random, purchase.intent);
  if (!purchase.redeemed && pays) await redeem(player);
}

const unpaid = ({ purchases }: Player) =>
  [...purchases.values()].filter(({ intent, status }) => intent && status !== "CONFIRMED");

/** Pays for what was left unpaid, though it may be too late. */
export async function payLate(player: Player): Promise<void> {
  const { random, stack } = player;
  const left = unpaid(player);
  if (left.length > 0) await payIntent(stack, random, random.pick(...left).intent!);
}

/** Pays for all that was left unpaid, or nearly. */
export async function payAllLate(player: Player): Promise<void> {
  for (const { intent } of unpaid(player)) {
    if (player.random.chance(0.8)) await payIntent(player.stack, player.random, intent!);
  }
}

/** Looks how a purchase stands, or has Stripe asked. */
export async function followPurchase(player: Player): Promise<void> {
  const { random, journal, purchases } = player;
  if (purchases.size === 0) return;
  const { id } = random.pick(...purchases.values());
  const call = random.pick(`GET /purchase/${id}`, `POST /purchase/${id}/verify`);
  rememberPurchase(player, await journal.send(player, call));
}

export async function redeem(player: Player): Promise<void> {
  const { random, purchases, window } = player;
  const unredeemed = [...purchases.values()].filter(({ redeemed }) => !redeemed);
  const ready = unredeemed.filter(({ status }) => status === "CONFIRMED");
  const kept = ready.length > 0 ? ready : unredeemed;
  if (kept.length === 0) return;
  const purchase = random.pick(...kept);
  const raffle = window.find(({ id }) => id === purchase.raffle_id);
  const choice = Array.from(
    { length: purchase.quantity },
    () => random.between(1, raffle?.tickets_required ?? 1),
  );
  const chooses = raffle?.numbering === "PICK" && random.chance(0.5);
  const numbers = chooses && new Set(choice).size === choice.length ? { numbers: choice } : {};
  const body = { purchase_id: purchase.id, ...numbers };
  // Two clicks may be two requests.
  const clicks = Array.from(
    { length: random.pick(1, 1, 2) },
    () => place(player, "POST /redeem-ticket", body),
  );
  for (const entry of await Promise.all(clicks)) if (entry) rememberPurchase(player, entry);
}

/** Says where to send what was won. */
export async function claimPrize(player: Player): Promise<void> {
  const { random, journal, id } = player;
  const offers = await journal.send(
    player,
    `GET /rest/v1/prize_claims?select=raffle_id,place&user_id=eq.${id}&order=raffle_id,place`,
  );
  if (!isGood(offers) || offers.answer.length === 0) return;
  const { raffle_id, place } = random.pick(
    ...offers.answer as { raffle_id: string; place: number }[],
  );
  const body = { raffle_id, place, delivery: { street: "Calle Mayor 1" } };
  await journal.send(player, "POST /rest/v1/rpc/claim_prize", { body });
}

/** Notes what an answer says of a purchase. */
function rememberPurchase(player: Player, entry: Entry): Purchase | undefined {
  if (!isGood(entry)) return undefined;
  const { purchase, tickets, payment } = entry.answer;
  const known = player.purchases.get(purchase.id);
  const intent = payment?.payment_intent_id ?? known?.intent;
  player.purchases.set(purchase.id, { ...purchase, intent });
  for (const { id } of tickets) {
    if (player.tickets.some((ticket) => ticket.id === id)) continue;
    player.tickets.push({ id, raffle_id: purchase.raffle_id });
  }
  return player.purchases.get(purchase.id);
}
