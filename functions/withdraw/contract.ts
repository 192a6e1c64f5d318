import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";
import { listOf, page } from "../../shared/paging.ts";

const time = z.iso.datetime({ offset: true });
const currency = z.string().regex(/^[A-Z]{3}$/, "must be a three-letter currency code such as EUR");

const withdrawal = z.object({
  id: z.uuid(),
  status: z.enum(["CREATED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"]),
  amount_cents: z.int(),
  currency,
  failure_code: z.string().nullable(),
  created_at: time,
  completed_at: time.nullable(),
});
const one = z.object({ withdrawal });

export const contract = defineContract("withdraw", {
  createWithdrawal: {
    method: "post",
    path: "/",
    summary: "Take money out of your wallet, to your bank",
    caller: "user",
    idempotent: true,
    body: z.strictObject({
      amount_cents: z.int().min(1),
      currency: currency.default("EUR"),
    }),
    status: 201,
    response: one,
    errors: [
      "balance_insufficient",
      "account_suspended",
      "email_unverified",
      "wallet_suspended",
      "kyc_required",
      "payout_account_missing",
      "rate_limited",
      "payment_provider_unavailable",
    ],
  },
  listWithdrawals: {
    method: "get",
    path: "/",
    summary: "Your withdrawals, newest first",
    caller: "user",
    query: page,
    response: listOf(withdrawal),
  },
  readWithdrawal: {
    method: "get",
    path: "/:id",
    summary: "One of your withdrawals",
    caller: "user",
    params: z.strictObject({ id: z.uuid() }),
    response: one,
    errors: ["withdrawal_not_found"],
  },
});
