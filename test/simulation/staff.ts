// What operators and the admin may do: raffles from draft to cancellation, prizes, wallets, alerts.
import { isGood } from "./journal.ts";
import type { Player, Staff, World } from "./people.ts";

const call = (staff: Staff, path: string, body?: unknown) =>
  staff.journal.send(staff, path, { body });
const rpc = (staff: Staff, name: string, body: object) =>
  call(staff, `POST /rest/v1/rpc/${name}`, body);

/** Writes a draft and publishes it. */
export async function openRaffle(staff: Staff): Promise<void> {
  const { random } = staff;
  const tickets_required = random.pick(4, 6, 8, 12, 20, 40, 1_200);
  const ticket_price_cents = random.between(5, 50) * 10;
  const winners_count = random.between(1, Math.min(3, tickets_required));
  const min_tickets = random.between(winners_count, Math.max(winners_count, 4));
  const prize = { title: "A bicycle", value_cents: 50_000, stock: random.between(2, 6) };
  const isBoosted = random.chance(0.5);
  const boost = isBoosted
    ? { boost_price_cents: random.between(5, 30) * 10, boost_limit: random.between(1, 3) }
    : {};
  const isRetry = random.chance(0.4) && staff.made.length > 0;
  const again = isRetry
    ? {
      retry_of: random.pick(...staff.made.slice(-4)),
      retry_price_cents: random.between(5, 30) * 10,
    }
    : {};
  const terms = {
    ticket_price_cents,
    tickets_required,
    min_tickets,
    winners_count,
    max_per_user: random.pick(null, null, 3, 10),
    numbering: random.pick("SEQUENTIAL", "PICK", "RANDOM"),
    closes_at: new Date(Date.now() + 86_400_000),
    prize_tiers: random.chance(0.6) ? [{ place: 1, amount_cents: random.between(10, 50) }] : [],
    ...boost,
    ...again,
  };
  const made = await call(staff, "POST /rest/v1/prizes", prize);
  if (!isGood(made)) return;
  const raffle = await call(staff, "POST /rest/v1/raffles", {
    ...terms,
    prize_id: made.answer[0].id,
  });
  if (isGood(raffle)) await publish(staff, raffle.answer[0].id);
}

async function publish(staff: Staff, raffle_id: string): Promise<void> {
  const published = await rpc(staff, "publish_raffle", { raffle_id });
  if (isGood(published)) staff.made.push(raffle_id);
}

export async function duplicateRaffle(staff: Staff): Promise<void> {
  if (staff.made.length === 0) return;
  const copy = await rpc(staff, "duplicate_raffle", {
    raffle_id: staff.random.pick(...staff.made),
  });
  if (isGood(copy)) await publish(staff, copy.answer);
}

/** Looks first what it would give back; perhaps does it, perhaps twice at once. */
export async function cancelRaffle(staff: Staff): Promise<void> {
  const { random, made } = staff;
  if (made.length === 0) return;
  const raffle_id = random.pick(...made);
  const times = random.pick(0, 1, 1, 2);
  const cancel = (dry_run: boolean) =>
    rpc(staff, "cancel_raffle", { raffle_id, reason: "So it goes", dry_run });
  await cancel(true);
  await Promise.all(Array.from({ length: times }, () => cancel(false)));
}

/** Which only works while nothing is sold. */
export async function changeTerms(staff: Staff): Promise<void> {
  const { random, made } = staff;
  if (made.length === 0) return;
  const id = random.pick(...made.slice(-3));
  const terms = { ticket_price_cents: random.between(5, 50) * 10 };
  await call(staff, `PATCH /rest/v1/raffles?id=eq.${id}`, terms);
}

export async function sendPrize(staff: Staff): Promise<void> {
  const claims = await call(
    staff,
    "GET /rest/v1/prize_claims?select=raffle_id,place&status=in.(CLAIMED,SHIPPED)&order=raffle_id,place",
  );
  if (!isGood(claims) || claims.answer.length === 0) return;
  const claim = staff.random.pick(...claims.answer as { raffle_id: string; place: number }[]);
  await rpc(staff, "send_prize", { ...claim, status: staff.random.pick("SHIPPED", "DELIVERED") });
}

/** For a moment, or until somebody comes by again. */
export async function suspendWallet(staff: Staff, players: Player[]): Promise<void> {
  const user_id = staff.random.pick(...players).id;
  const isMoment = staff.random.chance(0.7);
  await rpc(staff, "suspend_wallet", { user_id, reason: "To be looked at" });
  if (isMoment) await rpc(staff, "reinstate_wallet", { user_id });
}

export async function reinstateWallet(staff: Staff, players: Player[]): Promise<void> {
  await rpc(staff, "reinstate_wallet", { user_id: staff.random.pick(...players).id });
}

/** Of alerts that are about nothing that is still wrong: what Stripe set aside stays for the test to see. */
export async function resolveAlert(staff: Staff): Promise<void> {
  const alerts = await call(
    staff,
    "GET /rest/v1/operator_alerts?select=id&resolved_at=is.null&kind=eq.dispute&order=id&limit=10",
  );
  if (!isGood(alerts) || alerts.answer.length === 0) return;
  const { id } = staff.random.pick(...alerts.answer as { id: number }[]);
  await rpc(staff, "resolve_alert", { alert_id: id });
}

export async function adjustWallet({ admin, players }: World): Promise<void> {
  const { random } = admin;
  const user_id = random.pick(...players).id;
  const amount_cents = random.pick(1, 1, 1, -1) * random.between(1, 3_000);
  await rpc(admin, "adjust_wallet", { user_id, currency: "EUR", amount_cents, note: "a present" });
}
