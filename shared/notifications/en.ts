// What people are told, in English.
import { catalogue as errors } from "../errors.ts";
import type { Texts } from "./catalogue.ts";
import { reasonIn } from "./reasons.ts";
import { counted, type Say, sentences, stopped } from "./say.ts";

const nouns = {
  ENTRY: ["ticket", "tickets"],
  BOOST: ["boost", "boosts"],
  RETRY: ["retry", "retries"],
} as const;

const tickets = (count: number, say: Say) => counted(count, nouns.ENTRY, say);

const yourNumbers = (numbers: number[], say: Say) =>
  numbers.length > 0 &&
  `Your ticket ${numbers.length === 1 ? "number is" : "numbers are"} ${say.list(numbers)}.`;

const claimBy = (until: string, say: Say) =>
  sentences(
    `You have until ${say.time(until)} to tell us where to send it.`,
    "After that it goes to the next place.",
  );

const periods = { day: "daily", week: "weekly", month: "monthly" };
const kinds = { spend: "spending limit", deposit: "deposit limit" };

export const en: Texts = {
  welcome: (facts) => ({
    title: "Welcome",
    body: sentences(
      `Hello${facts.name ? ` ${facts.name}` : ""}, your account is ready.`,
      "You can top up your wallet and buy tickets.",
      "Every raffle is sealed before it is drawn, and anyone can recompute the result.",
    ),
  }),

  purchase_confirmed: (facts, say) => {
    const bought = counted(facts.quantity, nouns[facts.type], say);
    const paid = say.money(facts.amount, facts.currency);
    const how = facts.payment_method === "wallet" ? "from your wallet" : "by card";
    const yours = facts.quantity === 1 ? "yours is" : "yours are";
    return {
      title: `Your receipt: ${bought}`,
      body: sentences(
        `You bought ${bought} for “${facts.raffle_title}” and paid ${paid} ${how} on ${
          say.time(facts.confirmed_at)
        }.`,
        yourNumbers(facts.numbers, say),
        facts.numbers.length === 0 && !facts.ticket_root &&
          "You can redeem this purchase until the raffle closes; after that we assign the numbers for you.",
        facts.ticket_root &&
          `The tickets of this raffle are sealed under the root ${facts.ticket_root}, and ${yours} among them.`,
        `Purchase reference: ${facts.purchase_id}.`,
      ),
    };
  },

  purchase_failed: (facts, say) => {
    const what = tickets(facts.quantity, say);
    const price = say.money(facts.amount, facts.currency);
    const free = facts.quantity === 1 ? "The ticket is" : "The tickets are";
    return {
      title: "Your purchase did not go through",
      body: facts.code === "raffle_cancelled"
        ? sentences(
          `“${facts.raffle_title}” was cancelled, so your purchase of ${what} (${price}) was not completed.`,
          "Nothing was charged for it.",
        )
        : sentences(
          `We could not complete your purchase of ${what} for “${facts.raffle_title}” (${price}).`,
          facts.code === "card_declined" && errors.card_declined.en,
          "Nothing was charged for it.",
          `${free} free again: you can try once more while there are any left.`,
        ),
    };
  },

  purchase_expired: (facts, say) => ({
    title: "Your reservation has expired",
    body: sentences(
      `Your reservation of ${tickets(facts.quantity, say)} for “${facts.raffle_title}” (${
        say.money(facts.amount, facts.currency)
      }) was not paid in time and has ended.`,
      facts.code === "raffle_not_open"
        ? "The raffle is closed: if a payment still arrives, we send it back."
        : "If a payment still arrives, we honour it while tickets are left; otherwise we send it back.",
    ),
  }),

  purchase_refunded: (facts, say) => {
    const what = `${tickets(facts.quantity, say)} for “${facts.raffle_title}”`;
    const money = say.money(facts.amount, facts.currency);
    const gone = facts.numbers.length === 1
      ? ["Number", "is no longer yours and takes"]
      : ["Numbers", "are no longer yours and take"];
    return {
      title: "Your purchase has been refunded",
      body: sentences(
        facts.code === "paid_too_late"
          ? `Your payment for ${what} came after the reservation had ended, when the purchase was no longer possible.`
          : `Your purchase of ${what} has been refunded.`,
        facts.to === "card"
          ? `We have sent ${money} back to your card; your bank may take a few days to show it.`
          : `We have put ${money} back in your wallet.`,
        facts.numbers.length > 0 &&
          `${gone[0]} ${say.list(facts.numbers)} ${gone[1]} no part in the draw.`,
      ),
    };
  },

  refund_to_wallet: (facts, say) => ({
    title: "Your refund is in your wallet",
    body: sentences(
      `Your card did not take the refund of ${
        say.money(facts.amount, facts.currency)
      } for your purchase of ${tickets(facts.quantity, say)} for “${facts.raffle_title}”.`,
      "We have put the money in your wallet instead: you can use it or withdraw it.",
    ),
  }),

  topup_completed: (facts, say) => ({
    title: "Your top-up has arrived",
    body: sentences(
      `We have added ${say.money(facts.amount, facts.currency)} to your wallet.`,
      `Top-up reference: ${facts.topup_id}.`,
    ),
  }),

  withdrawal_paid: (facts, say) => ({
    title: "Your withdrawal has been paid",
    body: sentences(
      `We have paid ${say.money(facts.amount, facts.currency)} to your bank account.`,
      "Your bank may take a few days to show it.",
      `Withdrawal reference: ${facts.withdrawal_id}.`,
    ),
  }),

  withdrawal_failed: (facts, say) => ({
    title: "Your withdrawal could not be paid",
    body: sentences(
      `We could not pay your withdrawal of ${
        say.money(facts.amount, facts.currency)
      }; the money is back in your wallet.`,
      "Please check your bank details before you try again.",
      `Withdrawal reference: ${facts.withdrawal_id}.`,
    ),
  }),

  raffle_full: (facts, say) => ({
    title: "The raffle is sold out",
    body: sentences(
      facts.tickets_required === 1
        ? `The only ticket of “${facts.raffle_title}” is sold.`
        : `All ${tickets(facts.tickets_required, say)} of “${facts.raffle_title}” are sold.`,
      "The raffle will now be sealed, so that its tickets can no longer change, and then drawn.",
    ),
  }),

  raffle_sealed: (facts, say) => ({
    title: "Keep this message: your raffle is sealed",
    body: sentences(
      "Keep this message: it is our commitment.",
      `“${facts.raffle_title}” is sealed with ${
        tickets(facts.ticket_count, say)
      } under the root ${facts.ticket_root}.`,
      yourNumbers(facts.numbers, say),
      facts.round !== null &&
        `The result is decided by round ${facts.round} of the drand chain${
          facts.chain_hash ? ` ${facts.chain_hash}` : ""
        }${
          facts.round_at ? `, which comes out on ${say.time(facts.round_at)}` : ""
        }; nobody can know it before.`,
      facts.lottery !== null &&
        `The result is decided by the official draw of “${facts.lottery}”${
          facts.lottery_draw_date ? ` on ${say.date(facts.lottery_draw_date)}` : ""
        }.`,
    ),
  }),

  won: (facts, say) => {
    const wins = facts.wins.map((win) =>
      `${
        win.amount === null ? `“${facts.prize_title}”` : say.money(win.amount, facts.currency)
      } with ticket ${win.ticket_num} (place ${win.place})`
    );
    const things = facts.wins.filter((win) => win.amount === null).length;
    return {
      title: "You have won",
      body: sentences(
        `You have won in “${facts.raffle_title}”: ${say.list(wins)}.`,
        things < wins.length && "The money is already in your wallet.",
        things > 0 &&
          `A separate message tells you how to claim ${things === 1 ? "the prize" : "each prize"}.`,
      ),
    };
  },

  not_won: (facts, say) => ({
    title: "The raffle has been drawn",
    body: sentences(
      `“${facts.raffle_title}” has been drawn, and you have not won this time.`,
      facts.winning_numbers.length > 0 &&
        `The first ${
          facts.winning_numbers.length === 1 ? "place went to number" : "places went to numbers"
        } ${say.list(facts.winning_numbers)}.`,
      "Anyone can recompute the draw from what is published.",
      "Thank you for taking part.",
    ),
  }),

  prize_to_claim: (facts, say) => ({
    title: "Claim your prize",
    body: sentences(
      `Your ticket ${facts.ticket_num} took place ${facts.place} in “${facts.raffle_title}” and wins “${facts.prize_title}”.`,
      claimBy(facts.claim_until, say),
    ),
  }),

  prize_reminder: (facts, say) => ({
    title: "Your prize is still waiting for you",
    body: sentences(
      `You have not claimed your prize yet: “${facts.prize_title}”, won with ticket ${facts.ticket_num} in “${facts.raffle_title}” (place ${facts.place}).`,
      claimBy(facts.claim_until, say),
    ),
  }),

  prize_sent: (facts) => {
    const prize = `“${facts.prize_title}”, your prize in “${facts.raffle_title}”`;
    // No full stop after the tracking: it may be an address to follow.
    const tracking = facts.tracking && `Tracking: ${facts.tracking}`;
    return facts.status === "SHIPPED"
      ? {
        title: "Your prize is on its way",
        body: sentences(`We have sent ${prize} (place ${facts.place}).`, tracking),
      }
      : {
        title: "Your prize has been delivered",
        body: sentences(
          `${prize} (place ${facts.place}), has been delivered.`,
          "If you do not have it, please tell us.",
          tracking,
        ),
      };
  },

  raffle_cancelled: (facts, say) => ({
    title: "A raffle has been cancelled",
    body: sentences(
      `“${facts.raffle_title}” has been cancelled.`,
      `Reason: ${reasonIn("en", facts)}`,
      `Everything you paid for it, ${
        say.money(facts.amount, facts.currency)
      }, goes back to your wallet.`,
    ),
  }),

  limits_changed: (facts, say) => ({
    title: `Your ${kinds[facts.kind]} has changed`,
    body: sentences(
      `Your ${periods[facts.period]} ${kinds[facts.kind]} is now ${
        say.money(facts.amount, facts.currency)
      }.`,
      facts.pending_amount && facts.pending_from &&
        `From ${say.time(facts.pending_from)} it will be ${
          say.money(facts.pending_amount, facts.currency)
        }.`,
      "If this was not you, change your password and contact us at once.",
    ),
  }),

  self_excluded: (facts, say) => ({
    title: "Your self-exclusion is in force",
    body: sentences(
      `As you asked, you cannot play until ${say.time(facts.until)}.`,
      "Until then you can neither buy tickets nor top up your wallet; you can still withdraw your money and claim your prizes.",
      "A self-exclusion cannot be shortened.",
    ),
  }),

  operator_alert: (facts) => ({
    title: `Alert ${facts.alert_id} needs a person`,
    body: sentences(
      `Alert ${facts.alert_id} is open: ${facts.kind}, about ${stopped(facts.subject)}`,
      "A person must look at it and resolve it.",
    ),
  }),
};
