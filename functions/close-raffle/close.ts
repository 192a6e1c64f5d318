// Seals, draws and settles what is due. SQL decides what that is, and does it; here the beacon is fetched
// and its signature verified. Each step is a transaction of its own: whatever breaks off between two of
// them is due again at the next call.
import type { Rpc } from "../../shared/database.ts";
import type { FetchedBeacon } from "../../shared/drand.ts";
import { fetchBeacon, findChain } from "../../shared/drand.ts";
import { env } from "../../shared/env.ts";
import { logFailure } from "../../shared/report.ts";

interface Waiting {
  raffle_id: string;
  chain_hash: string;
  round: number;
  expected_at: string;
  is_out: boolean;
}

interface Due {
  seal: string[];
  lottery: string[];
  waiting: Waiting[];
  settle: string[];
}

const AT_ONCE = 20;

export async function closeDue(system: Rpc, requestId: string, raffleId: string | null) {
  const due = async () =>
    await system("due_draws", {
      raffle_id: raffleId as never,
      max_rows: AT_ONCE,
    }) as unknown as Due;
  const sealed: string[] = [];
  const cancelled: string[] = [];
  const drawn: string[] = [];
  // One that fails must not keep the others; it is due again at the next call.
  const each = async <One>(list: One[], work: (one: One) => Promise<void>) => {
    for (const one of list) await work(one).catch((error) => logFailure(error, requestId));
  };

  await each((await due()).seal, async (id) => {
    const state = await system("seal_raffle", { raffle_id: id });
    if (state === "CLOSED") sealed.push(id);
    if (state === "CANCELLED") cancelled.push(id);
  });
  const out = (await due()).waiting.filter((one) => one.is_out);
  const beacons = fetchBeacons(out, requestId);
  await each(out, async (one) => {
    if (await draw(system, one, await beacons[roundOf(one)])) drawn.push(one.raffle_id);
  });
  await each((await due()).lottery, async (id) => {
    if (await system("draw_by_lottery", { raffle_id: id })) drawn.push(id);
  });
  const left = await due();
  await each(left.settle, async (id) => void await system("settle_raffle", { raffle_id: id }));
  const waiting = left.waiting.map(({ raffle_id, round, expected_at }) => ({
    raffle_id,
    round,
    expected_at,
  }));
  return { sealed, drawn, cancelled, waiting };
}

const roundOf = ({ chain_hash, round }: Waiting) => `${chain_hash}/${round}`;

/** Each round once, all at the same time: slow relays cost one time-out, however many raffles wait. */
function fetchBeacons(
  waiting: Waiting[],
  requestId: string,
): Record<string, Promise<FetchedBeacon>> {
  const beacons: Record<string, Promise<FetchedBeacon>> = {};
  for (const one of waiting) {
    beacons[roundOf(one)] ??= fetchOne(one, requestId);
    beacons[roundOf(one)].catch(() => {}); // looked at when its turn comes
  }
  return beacons;
}

async function fetchOne({ chain_hash, round }: Waiting, requestId: string): Promise<FetchedBeacon> {
  const chain = findChain(chain_hash);
  if (!chain) throw new Error(`a raffle waits for a chain we do not know: ${chain_hash}`);
  return await fetchBeacon(chain, round, env().DRAND_URLS, {
    onIgnored: ({ relay, failure }) =>
      logFailure(new Error(`drand relay ${relay}, round ${round}: ${failure}`), requestId),
  });
}

/** Draws with the round that the raffle named when it was sealed. Without a beacon it goes on waiting. */
async function draw(system: Rpc, { raffle_id, round }: Waiting, fetched: FetchedBeacon) {
  if (!fetched.found) {
    await system("report_late_draw", { raffle_id, failures: fetched.ignored as never });
    return false;
  }
  const { signature, randomness } = fetched.beacon;
  return await system("draw_raffle", { raffle_id, round, signature, randomness });
}
