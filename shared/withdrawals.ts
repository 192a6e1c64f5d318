// A withdrawal's two steps at Stripe: a transfer to the person's connected account, and from there a
// payout to the bank. Each is sent once, by whoever has claimed it; where the answer is lost, the sweeper
// asks Stripe what it knows.
import type { Rpc } from "./database.ts";
import { readFailure, stripe } from "./stripe.ts";

interface Step {
  id: string;
  amount_cents: number;
  currency: string;
  destination: string;
}

export async function sendTransfer(system: Rpc, withdrawal_id: string): Promise<void> {
  const step = await system("claim_transfer", { withdrawal_id }) as unknown as Step | null;
  if (!step) return;
  const client = await stripe();
  const sent = await once(
    client.transfers.create({
      amount: step.amount_cents,
      currency: step.currency.toLowerCase(),
      destination: step.destination,
      transfer_group: step.id,
      metadata: { withdrawal_id: step.id },
    }, { idempotencyKey: step.id, maxNetworkRetries: 0 }),
    (code) => system("refuse_withdrawal", { withdrawal_id, code }),
  );
  if (!sent) return;
  await system("apply_stripe_object", { object: sent as never, account: null as never });
  await sendPayout(system, withdrawal_id, sent.id);
}

export async function sendPayout(
  system: Rpc,
  withdrawal_id: string,
  transferId: string,
): Promise<void> {
  const step = await system("claim_payout", { withdrawal_id }) as unknown as Step | null;
  if (!step) return;
  const client = await stripe();
  const sent = await once(
    client.payouts.create({
      amount: step.amount_cents,
      currency: step.currency.toLowerCase(),
      metadata: { withdrawal_id: step.id },
    }, {
      stripeAccount: step.destination,
      idempotencyKey: `${step.id}:payout`,
      maxNetworkRetries: 0,
    }),
    async (code) => {
      await system("refuse_withdrawal", { withdrawal_id, code });
      // What cannot be fetched back now is fetched back by the sweeper.
      await fetchBack(system, transferId).catch(readFailure);
    },
  );
  if (!sent) return;
  await system("apply_stripe_object", { object: sent as never, account: step.destination });
}

/** Fetches back what the transfer of a failed withdrawal moved. Stripe gives it back once. */
export async function fetchBack(system: Rpc, transferId: string): Promise<void> {
  const client = await stripe();
  try {
    // Under no key of ours: Stripe would repeat its refusal for a day. All of it goes back only once.
    await client.transfers.createReversal(transferId);
  } catch (error) {
    // Fetched back already, or not yet possible: what Stripe says of the transfer decides.
    readFailure(error);
  }
  const transfer = await client.transfers.retrieve(transferId);
  await system("apply_stripe_object", { object: transfer as never, account: null as never });
}

/** The answer to the one call, or null: refused, which is acted on, or unknown, which is not. */
async function once<T>(call: Promise<T>, refused: (code: string) => Promise<void>) {
  try {
    return await call;
  } catch (error) {
    const { outcome, code } = readFailure(error);
    if (outcome !== "unknown") await refused(code);
    return null;
  }
}
