// Every function's contract, for OpenAPI. A test holds this list against the folders.
import { contract as account } from "../account/contract.ts";
import { contract as cards } from "../cards/contract.ts";
import { contract as closeRaffle } from "../close-raffle/contract.ts";
import { contract as lotteryResults } from "../lottery-results/contract.ts";
import { contract as purchase } from "../purchase/contract.ts";
import { contract as raffles } from "../raffles/contract.ts";
import { contract as reconcile } from "../reconcile/contract.ts";
import { contract as redeemTicket } from "../redeem-ticket/contract.ts";
import { contract as sendNotifications } from "../send-notifications/contract.ts";
import { contract as stripeWebhook } from "../stripe-webhook/contract.ts";
import { contract as topup } from "../topup/contract.ts";
import { contract as verifyDraw } from "../verify-draw/contract.ts";
import { contract as withdraw } from "../withdraw/contract.ts";
import { contract as health } from "./contract.ts";

export const contracts = [
  account,
  cards,
  closeRaffle,
  health,
  lotteryResults,
  purchase,
  raffles,
  reconcile,
  redeemTicket,
  sendNotifications,
  stripeWebhook,
  topup,
  verifyDraw,
  withdraw,
];
