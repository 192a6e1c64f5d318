// What people are told: every event, in every language, whatever the facts are.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { catalogue, type Event, type Facts } from "../../shared/notifications/catalogue.ts";
import { reasons } from "../../shared/notifications/reasons.ts";
import { isEssential, renderNotification } from "../../shared/notifications/render.ts";
import { type Say, sayIn } from "../../shared/notifications/say.ts";
import { scaled, seed } from "../support/scale.ts";
import { anyFacts, events, id, locales, receipt, textOf } from "../support/notification-facts.ts";

const runs = { seed, numRuns: scaled(100, 500) };

/** The facts that must be read, as they are written there. */
const said: { [E in Event]: (facts: Facts<E>, say: Say) => (string | null)[] } = {
  welcome: (facts) => [facts.name],
  purchase_confirmed: (facts, say) => [
    ...purchase(facts, say),
    facts.purchase_id,
    say.time(facts.confirmed_at),
    ...numbers(facts.numbers, say),
    facts.ticket_root,
  ],
  purchase_failed: purchase,
  purchase_expired: purchase,
  purchase_refunded: (facts, say) => [...purchase(facts, say), ...numbers(facts.numbers, say)],
  refund_to_wallet: purchase,
  topup_completed: (facts, say) => [money(facts, say), facts.topup_id],
  withdrawal_paid: (facts, say) => [money(facts, say), facts.withdrawal_id],
  withdrawal_failed: (facts, say) => [money(facts, say), facts.withdrawal_id],
  raffle_full: (facts, say) => [
    facts.raffle_title,
    facts.tickets_required === 1 ? null : say.number(facts.tickets_required),
  ],
  raffle_sealed: (facts, say) => [
    facts.raffle_title,
    say.number(facts.ticket_count),
    facts.ticket_root,
    ...numbers(facts.numbers, say),
    ...(facts.round === null ? [] : [
      String(facts.round),
      facts.chain_hash,
      facts.round_at && say.time(facts.round_at),
    ]),
    ...(facts.lottery === null ? [] : [
      facts.lottery,
      facts.lottery_draw_date && say.date(facts.lottery_draw_date),
    ]),
  ],
  won: (facts, say) => [
    facts.raffle_title,
    ...facts.wins.flatMap((win) => [
      String(win.place),
      String(win.ticket_num),
      win.amount === null ? facts.prize_title : say.money(win.amount, facts.currency),
    ]),
  ],
  not_won: (facts, say) => [facts.raffle_title, ...numbers(facts.winning_numbers, say)],
  prize_to_claim: offer,
  prize_reminder: offer,
  prize_sent: ({ raffle_title, prize_title, place, tracking }) => [
    raffle_title,
    prize_title,
    String(place),
    tracking,
  ],
  raffle_cancelled: (facts, say) => [facts.raffle_title, facts.reason, money(facts, say)],
  limits_changed: (facts, say) => [
    money(facts, say),
    ...(facts.pending_amount && facts.pending_from
      ? [say.money(facts.pending_amount, facts.currency), say.time(facts.pending_from)]
      : []),
  ],
  self_excluded: (facts, say) => [say.time(facts.until)],
  operator_alert: (facts) => [String(facts.alert_id), facts.kind, facts.subject],
};

function money(facts: { amount: string; currency: string }, say: Say): string {
  return say.money(facts.amount, facts.currency);
}

function purchase(facts: Facts<"refund_to_wallet"> | Facts<"purchase_confirmed">, say: Say) {
  return [facts.raffle_title, say.number(facts.quantity), money(facts, say)];
}

function offer(facts: Facts<"prize_to_claim">, say: Say) {
  const { raffle_title, prize_title, place, ticket_num, claim_until } = facts;
  return [raffle_title, prize_title, String(place), String(ticket_num), say.time(claim_until)];
}

function numbers(all: number[], say: Say): string[] {
  return all.length > 0 ? [say.list(all), ...all.map(String)] : [];
}

/** Whether it stands there by itself: 2 is not in 12, nor in 2.50, nor in an id. */
function mentions(text: string, fact: string): boolean {
  const literal = fact.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\d-]|\\d[.,])${literal}(?![\\p{L}\\d-]|[.,]\\d)`, "u").test(text);
}

describe("the catalogue", () => {
  test("every event has a workflow of its own, named like it", () => {
    expect(events.map((event) => catalogue[event].workflow))
      .toEqual(events.map((event) => event.replaceAll("_", "-")));
    expect(events.filter((event) => !/^[a-z]+(_[a-z]+)*$/.test(event))).toEqual([]);
  });

  test("only what is company is left to people's preferences", () => {
    expect(events.filter((event) => !isEssential(event)))
      .toEqual(["welcome", "raffle_full", "not_won"]);
  });

  test.each(events)("%s: no fact takes the place of what is written", (event) => {
    const facts = Object.keys(catalogue[event].facts.shape);
    expect(facts.filter((fact) => ["locale", "title", "body"].includes(fact))).toEqual([]);
  });
});

describe(`the texts (seed ${seed})`, () => {
  test.each(events)("%s: reads well and tells the facts, in every language", (event) => {
    const told = said[event] as (facts: unknown, say: Say) => (string | null)[];
    fc.assert(
      fc.property(anyFacts[event], fc.constantFrom(...locales), (facts, locale) => {
        const { title, body } = renderNotification(event, facts, locale).payload;
        expect(title.length).toBeLessThanOrEqual(60);
        expect(title).toMatch(/^\p{Lu}.*[^.\s]$/u);
        expect(body).toMatch(/^[\p{Lu}“«]/u);
        expect(`${title} ${body}`).not.toMatch(
          /\b(undefined|null|NaN|false|true|Invalid)\b|\[object|[{}<>]|\s\s|[.:;,] ?[.;,]|\(\)|“”|«»|\n/,
        );
        for (const fact of told(facts, sayIn(locale))) {
          if (fact !== null) expect(body).toSatisfy((text: string) => mentions(text, fact), fact);
        }
      }),
      runs,
    );
  });

  test.each(events)("%s: the languages are three, a country is still its language", (event) => {
    fc.assert(
      fc.property(anyFacts[event], (facts) => {
        const written = ["en", "es", "it"].map((locale) => {
          return renderNotification(event, facts, locale).payload;
        });
        expect(new Set(written.map(({ title }) => title)).size).toBe(3);
        expect(new Set(written.map(({ body }) => body)).size).toBe(3);
        expect(renderNotification(event, facts, "es-CO").payload.title).toBe(written[1].title);
      }),
      runs,
    );
  });

  test.each(events)("%s: one is one, and more are many", (event) => {
    const one = "ticket|boost|retry|boleto|refuerzo|reintento|biglietto|potenziamento";
    const many =
      "tickets|boosts|retries|boletos|refuerzos|reintentos|biglietti|potenziamenti|nuovi";
    fc.assert(
      fc.property(anyFacts[event], fc.constantFrom(...locales), (facts, locale) => {
        const text = textOf(event, facts, locale);
        expect(text).not.toMatch(new RegExp(`(?<![\\d.,])1 (?:${many})(?!\\p{L})`, "u"));
        expect(text).not.toMatch(
          new RegExp(`(?:\\d[.,\\d]*\\d|[02-9]) (?:${one}|nuovo)(?!\\p{L})`, "u"),
        );
      }),
      runs,
    );
  });
});

describe("a receipt", () => {
  test.each([
    ["en", 1, "Your receipt: 1 ticket\n", "Your ticket number is 12."],
    ["en", 2, "Your receipt: 2 tickets\n", "Your ticket numbers are 12 and 13."],
    ["es", 1, "Tu recibo: 1 boleto\n", "Tu número es el 12."],
    ["es", 2, "Tu recibo: 2 boletos\n", "Tus números son 12 y 13."],
    ["it", 1, "La tua ricevuta: 1 biglietto\n", "Il tuo numero è 12."],
    ["it", 2, "La tua ricevuta: 2 biglietti\n", "I tuoi numeri sono 12 e 13."],
  ])("is right in number: %s, %i", (locale, quantity, title, numbers) => {
    const facts = { ...receipt, quantity, numbers: [12, 13].slice(0, quantity) };
    const text = textOf("purchase_confirmed", facts, locale);
    expect(text.startsWith(title)).toBe(true);
    expect(text).toContain(numbers);
  });

  test.each([
    ["en", "redeem", "sealed", "from your wallet", "by card"],
    ["es", "canjear", "sellados", "con tu monedero", "con tarjeta"],
    ["it", "riscattare", "sigillati", "con il tuo portafoglio", "con carta"],
  ])(
    "tells what is still to be done, and what is done: %s",
    (locale, redeem, sealed, wallet, card) => {
      const bought = textOf("purchase_confirmed", receipt, locale);
      const open = { ...receipt, payment_method: "card", numbers: [] };
      const unredeemed = textOf("purchase_confirmed", open, locale);
      const kept = textOf(
        "purchase_confirmed",
        { ...receipt, ticket_root: "ab".repeat(32) },
        locale,
      );
      expect([redeem, sealed, wallet, card].map((word) => bought.includes(word)))
        .toEqual([false, false, true, false]);
      expect([redeem, sealed, wallet, card].map((word) => unredeemed.includes(word)))
        .toEqual([true, false, false, true]);
      expect([redeem, sealed, wallet, card].map((word) => kept.includes(word)))
        .toEqual([false, true, true, false]);
    },
  );

  test("carries its facts beside the text, and the workflow that sends it", () => {
    const { workflow, payload } = renderNotification("purchase_confirmed", receipt, "es-CO");
    expect(workflow).toBe("purchase-confirmed");
    expect(payload).toEqual({
      ...receipt,
      locale: "es-CO",
      title: "Tu recibo: 1 boleto",
      body: expect.stringContaining("Has comprado 1 boleto para «Vespa» y has pagado"),
    });
  });
});

describe("why and where to", () => {
  const {
    numbers: _,
    type: __,
    payment_method: ___,
    confirmed_at: ____,
    ticket_root: _____,
    ...plain
  } = receipt;
  const to = { to: "wallet", numbers: [] };
  test.each([
    ["purchase_failed", { code: null }, "free again", "cancelled"],
    ["purchase_failed", { code: "card_declined" }, "The card was declined.", "cancelled"],
    ["purchase_failed", { code: "raffle_cancelled" }, "“Vespa” was cancelled", "free again"],
    ["purchase_expired", { code: "expired" }, "while tickets are left", "closed"],
    ["purchase_expired", { code: "raffle_not_open" }, "closed", "while tickets are left"],
    ["purchase_refunded", { ...to, code: null }, "back in your wallet", "card"],
    ["purchase_refunded", { ...to, code: "paid_too_late", to: "card" }, "to your card", "wallet"],
    ["purchase_refunded", { ...to, code: "paid_too_late" }, "no longer possible", "card"],
  ])("%s, %o: says “%s”, not “%s”", (event, facts, says, saysNot) => {
    const { body } = renderNotification(event, { ...plain, ...facts }, "en").payload;
    expect(body).toContain(says);
    expect(body).not.toContain(saysNot);
  });

  test("money that is won is in the wallet, a thing is to be claimed", () => {
    const thing = { place: 1, ticket_num: 7, amount_cents: null, amount: null };
    const cash = { place: 2, ticket_num: 9, amount_cents: 500, amount: "5.00" };
    const won = (...wins: unknown[]) => {
      const facts = {
        raffle_id: id,
        raffle_title: "X",
        prize_title: "Vespa",
        currency: "EUR",
        wins,
      };
      return renderNotification("won", facts, "en").payload.body;
    };
    expect(won(thing)).toBe(
      "You have won in “X”: “Vespa” with ticket 7 (place 1). A separate message tells you how to claim the prize.",
    );
    expect(won(cash)).toBe(
      "You have won in “X”: €5.00 with ticket 9 (place 2). The money is already in your wallet.",
    );
    expect(won(thing, cash)).toBe(
      "You have won in “X”: “Vespa” with ticket 7 (place 1) and €5.00 with ticket 9 (place 2). The money is already in your wallet. A separate message tells you how to claim the prize.",
    );
  });

  test("Italian shortens its articles before the eighth and the eleventh", () => {
    const until = (day: string) =>
      textOf("self_excluded", { until: `2026-11-${day}T00:00:00Z` }, "it");
    expect(until("07")).toContain("fino al 7 novembre");
    expect(until("08")).toContain("fino all'8 novembre");
    expect(until("11")).toContain("fino all'11 novembre");
    expect(until("18")).toContain("fino al 18 novembre");
  });

  test.each(["minimum_not_reached", "number_not_sold"] as const)(
    "%s is a reason in each language, and what SQL says of it is not",
    (code) => {
      const { purchase_id: _, quantity: __, ...paid } = plain;
      const facts = { ...paid, code, reason: "As SQL has it." };
      for (const language of ["en", "es", "it"] as const) {
        const text = textOf("raffle_cancelled", facts, language);
        expect(text).toContain(reasons[code][language]);
        expect(text).not.toContain("As SQL has it");
      }
    },
  );

  test("a reason gets a full stop unless it has an end of its own", () => {
    const { purchase_id: _, quantity: __, ...facts } = plain;
    const reason = (reason: string) =>
      textOf("raffle_cancelled", { ...facts, reason, code: null }, "en");
    expect(reason("No permit")).toContain("Reason: No permit. Everything");
    expect(reason("No permit.")).toContain("Reason: No permit. Everything");
  });
});
