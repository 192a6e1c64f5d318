// Every player's wallet against what that player did and was told, what Stripe has taken and given, and what
// is published of cancelled raffles and of winners. Our own ledger is not asked.
import type { AtStripe } from "./books.ts";
import { isTaken, sumOf } from "./books.ts";
import type { Client, Journal } from "./journal.ts";
import { isGood } from "./journal.ts";
import { verdictOf } from "./orders.ts";
import type { Player, World } from "./people.ts";

interface Bought {
  id: string;
  status: string;
  failure_code: string | null;
  payment_method: "wallet" | "card";
  amount_cents: number;
}

interface Won {
  raffle_id: string;
  ticket_num: number;
  amount_cents: number | null;
}

export async function compareWallets(world: World, stripe: AtStripe) {
  const { journal, players } = world;
  const winners = await read<Won[]>(
    journal,
    { name: "anybody" },
    "/rest/v1/winners?select=raffle_id,ticket_num,amount_cents",
  );
  const faults: string[] = [];
  let unsure = 0;
  for (const player of players) {
    const parts = await expectedOf(player, world, stripe, winners);
    if (!parts) {
      unsure++;
      continue;
    }
    const [wallet] = await read<
      { balance_cents: number; debt_cents: number; held_cents: number }[]
    >(
      journal,
      player,
      `/rest/v1/wallet_accounts?select=balance_cents,debt_cents,held_cents&user_id=eq.${player.id}`,
    );
    const expected = Object.values(parts).reduce((sum, part) => sum + part, 0);
    const found = wallet.balance_cents - wallet.debt_cents;
    if (found === expected && wallet.held_cents === 0) continue;
    faults.push(
      `${player.name} has ${JSON.stringify(wallet)}, and should have ${expected}: ` +
        `${JSON.stringify(parts)}\n${journal.about([player.name, player.id], 30)}`,
    );
  }
  return { faults, unsure };
}

/** What came to a wallet and went from it; undefined where a bank took the same money back in two ways. */
async function expectedOf(player: Player, world: World, stripe: AtStripe, winners: Won[]) {
  const { journal } = world;
  const bought = await readPurchases(journal, player);
  const topups = idsOf(player, "topup");
  const withdrawals = idsOf(player, "withdrawal");
  const ofTopups = stripe.intents.filter(({ metadata }) => topups.has(metadata.topup_id));
  const purchases = new Map(bought.map((one) => [one.id, one]));
  const ofPurchases = new Map(
    stripe.intents.filter(({ metadata }) => purchases.has(metadata.purchase_id))
      .map(({ id, metadata }) => [id, purchases.get(metadata.purchase_id)!]),
  );
  const about = <T extends { payment_intent: unknown }>(list: T[]) =>
    list.filter(({ payment_intent }) => ofPurchases.has(payment_intent as string));
  const failedRefunds = about(stripe.refunds).filter((refund) => !isTaken(refund));
  const disputes = about(stripe.disputes);
  if (
    disputes.some((one) =>
      failedRefunds.some(({ payment_intent: id }) => id === one.payment_intent)
    )
  ) return undefined;

  const sentOn = new Set(
    journal.entries.filter((entry) =>
      entry.who === player.name && entry.call.endsWith("request_card_refund") && isGood(entry)
    ).map(({ body }) => (body as { purchase_id: string }).purchase_id),
  );
  const isLate = (one: Bought) => one.failure_code === "paid_too_late";
  const fromWallet = bought.filter(({ payment_method }) => payment_method === "wallet");
  const tickets = await read<Won[]>(
    journal,
    player,
    `/rest/v1/tickets?select=raffle_id,ticket_num&user_id=eq.${player.id}&voided_at=is.null`,
  );
  const has = ({ raffle_id, ticket_num }: Won) =>
    tickets.some((one) => one.raffle_id === raffle_id && one.ticket_num === ticket_num);
  const taken = (list: (Parameters<typeof isTaken>[0])[]) => sumOf(list.filter(isTaken));
  const ofIntents = <T extends { payment_intent: unknown }>(list: T[]) =>
    list.filter((one) => ofTopups.some(({ id }) => id === one.payment_intent));

  return {
    presents: presentsFor(journal, player),
    deposits: sumOf(ofTopups.filter(({ status }) => status === "succeeded")),
    depositsTakenBack: -taken([...ofIntents(stripe.refunds), ...ofIntents(stripe.disputes)]),
    bought: -centsOf(fromWallet),
    refunded: centsOf(bought.filter((one) => one.status === "REFUNDED" && !isLate(one))),
    sentOnToCards: -centsOf(bought.filter(({ id }) => sentOn.has(id))),
    refusedByCards: sumOf(failedRefunds),
    paymentsTakenBack: -taken(disputes.filter(({ payment_intent }) => {
      const one = ofPurchases.get(payment_intent as string)!;
      return !isLate(one) && !sentOn.has(one.id);
    })),
    won: winners.filter(has).reduce((sum, { amount_cents }) => sum + (amount_cents ?? 0), 0),
    withdrawn: -sumOf(
      stripe.payouts.filter(({ metadata, status }) =>
        status === "paid" && withdrawals.has(metadata!.withdrawal_id)
      ),
    ),
  };
}

const centsOf = (list: Bought[]) => list.reduce((sum, { amount_cents }) => sum + amount_cents, 0);

const idsOf = ({ orders }: Player, kind: "topup" | "withdrawal"): Set<string> =>
  new Set(orders.flatMap((order) => verdictOf(order)?.answer?.[kind]?.id ?? []));

const presentsFor = (journal: Journal, { id }: Player): number =>
  journal.entries.filter((entry) => entry.call.endsWith("adjust_wallet") && isGood(entry))
    .map(({ body }) => body as { user_id: string; amount_cents: number })
    .filter(({ user_id }) => user_id === id)
    .reduce((sum, { amount_cents }) => sum + amount_cents, 0);

async function readPurchases(journal: Journal, player: Player): Promise<Bought[]> {
  const bought: Bought[] = [];
  for (;;) {
    const page = await read<{ items: Bought[]; total: number }>(
      journal,
      player,
      `/purchase?limit=100&skip=${bought.length}`,
    );
    bought.push(...page.items);
    if (bought.length >= page.total) break;
  }
  return bought.filter(({ status }) => status === "CONFIRMED" || status === "REFUNDED");
}

async function read<T>(journal: Journal, client: Client, path: string): Promise<T> {
  const entry = await journal.send(client, `GET ${path}`);
  if (!isGood(entry)) throw new Error(`${path}: ${JSON.stringify(entry.answer)}`);
  return entry.answer;
}
