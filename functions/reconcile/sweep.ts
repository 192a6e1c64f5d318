// Takes up what a crash, a time-out or a lost webhook has left: asks Stripe, and finishes or cancels.
import type { Rpc } from "../../shared/database.ts";
import { logFailure } from "../../shared/report.ts";
import { ask, find } from "../../shared/stripe.ts";
import type { Payment, Topup } from "../../shared/topups.ts";
import { findIntent, readIntent } from "../../shared/purchases.ts";
import { cancelPayment, findPayment, readPayment } from "../../shared/topups.ts";
import { fetchBack, sendPayout } from "../../shared/withdrawals.ts";

interface UnfinishedTopup extends Topup {
  provider_txn_id: string | null;
  expired: boolean;
}

interface UnfinishedPurchase {
  id: string;
  status: "PENDING" | "FAILED" | "EXPIRED";
  provider_txn_id: string | null;
  created_at: string;
}

interface UnfinishedRefund {
  id: string;
  intent_id: string;
  amount_cents: number;
}

interface UnfinishedWithdrawal {
  id: string;
  status: "CREATED" | "PROCESSING" | "COMPLETED" | "FAILED";
  destination: string;
  transfer_id: string | null;
  provider_txn_id: string | null;
  payout_claimed_at: string | null;
  transfer_reversed: boolean;
  created_at: string;
  given_up: boolean;
}

const AT_ONCE = 50;

export async function sweep(system: Rpc, requestId: string) {
  const due = await system("claim_unfinished", { max_rows: AT_ONCE }) as unknown as {
    topups: UnfinishedTopup[];
    purchases: UnfinishedPurchase[];
    refunds: UnfinishedRefund[];
    withdrawals: UnfinishedWithdrawal[];
  };
  const failed: string[] = [];
  // One that cannot be finished now must not keep the others; it is due again later.
  const attempt = async (id: string, work: Promise<void>) => {
    try {
      await work;
    } catch (error) {
      failed.push(id);
      logFailure(error, requestId);
    }
  };
  for (const topup of due.topups) await attempt(topup.id, sweepTopup(system, topup));
  for (const one of due.withdrawals) await attempt(one.id, sweepWithdrawal(system, one));
  for (const one of due.purchases) await attempt(one.id, sweepPurchase(system, one));
  for (const one of due.refunds) await attempt(one.id, sendRefund(system, one));
  const ids = (rows: { id: string }[]) => rows.map(({ id }) => id);
  return {
    topups: ids(due.topups),
    withdrawals: ids(due.withdrawals),
    purchases: ids(due.purchases),
    refunds: ids(due.refunds),
    failed,
  };
}

async function sweepTopup(system: Rpc, topup: UnfinishedTopup): Promise<void> {
  const apply = (object: object) =>
    system("apply_stripe_object", { object: object as never, account: null as never });
  const { provider_txn_id: id } = topup;
  const payment = id ? await readPayment(id) : await findPayment(topup);
  if (payment && id) await apply(payment);
  if (payment && await hasFailedLater(payment)) {
    return void await system("cancel_topup", { topup_id: topup.id, code: "payment_failed" });
  }
  if (payment && id && !topup.expired) return;
  // Nobody has been given its address, or its time is over, or Stripe does not know it.
  const ended = payment && await cancelPayment(payment);
  if (ended) await apply(ended);
  const isPaid = ended &&
    (ended.object === "payment_intent"
      ? ended.status === "succeeded" || ended.status === "processing"
      : ended.status === "complete");
  if (!isPaid) await system("cancel_topup", { topup_id: topup.id, code: "abandoned" });
}

async function sweepPurchase(system: Rpc, row: UnfinishedPurchase): Promise<void> {
  const { id: purchase_id, provider_txn_id: id } = row;
  const apply = (object: object) =>
    system("apply_stripe_object", { object: object as never, account: null as never });
  const intent = id ? await readIntent(id) : await findIntent(row);
  if (intent) await apply(intent);
  if (row.status === "PENDING") return;
  // Its seats are gone: nobody shall pay for it any more.
  const ended = intent && await cancelPayment(intent);
  if (ended) await apply(ended);
  const isOpen = ended && ended.status !== "canceled" && ended.status !== "succeeded";
  if (!isOpen) await system("finish_purchase_check", { purchase_id });
}

async function sendRefund(system: Rpc, { id, intent_id, amount_cents }: UnfinishedRefund) {
  // Under no key of ours, which would repeat a refusal for a day: what was sent before is found here.
  const refunds = await ask((stripe) =>
    stripe.refunds.list({ payment_intent: intent_id, limit: 100 })
  );
  const refund = refunds.data.find(({ metadata }) => metadata?.refund_id === id) ??
    await ask((stripe) =>
      stripe.refunds.create({
        payment_intent: intent_id,
        amount: amount_cents,
        metadata: { refund_id: id },
      })
    );
  await system("apply_stripe_object", { object: refund as never, account: null as never });
}

/** A debit that was under way when the page was closed, and has not come: only its intent says so. */
async function hasFailedLater(payment: Payment): Promise<boolean> {
  if (payment.object !== "checkout.session") return false;
  if (payment.status !== "complete" || payment.payment_status !== "unpaid") return false;
  const intent = await readPayment(payment.payment_intent as string);
  return intent?.status === "requires_payment_method" || intent?.status === "canceled";
}

async function sweepWithdrawal(system: Rpc, row: UnfinishedWithdrawal): Promise<void> {
  const withdrawal_id = row.id;
  const apply = (object: object, account: string | null) =>
    system("apply_stripe_object", { object: object as never, account: account as never });
  const giveUp = (code: string) => system("refuse_withdrawal", { withdrawal_id, code });

  if (row.status === "CREATED") return void await system("cancel_withdrawal", { withdrawal_id });

  let transferId = row.transfer_id;
  if (!transferId) {
    const { data } = await ask((stripe) =>
      stripe.transfers.list({ transfer_group: row.id, limit: 1 })
    );
    if (data.length === 0) return row.given_up ? await giveUp("transfer_unknown") : undefined;
    await apply(data[0], null);
    transferId = data[0].id;
  }
  if (row.status === "FAILED") {
    if (!row.transfer_reversed) await fetchBack(system, transferId);
    return;
  }
  if (!row.payout_claimed_at) return await sendPayout(system, withdrawal_id, transferId);

  const payout = await findPayout(row);
  if (payout) await apply(payout, row.destination);
  else if (row.given_up) {
    await giveUp("payout_unknown");
    await fetchBack(system, transferId);
  }
}

function findPayout(row: UnfinishedWithdrawal) {
  const options = { stripeAccount: row.destination };
  const id = row.provider_txn_id;
  if (id) return find((stripe) => stripe.payouts.retrieve(id, {}, options));
  const created = { gte: Math.floor(Date.parse(row.created_at) / 1000) - 60 };
  return ask(async (stripe) => {
    for await (const payout of stripe.payouts.list({ created, limit: 100 }, options)) {
      if (payout.metadata?.withdrawal_id === row.id) return payout;
    }
    return null;
  });
}
