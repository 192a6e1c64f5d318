// How money and times are written where somebody lives, and what is refused.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEssential, renderNotification } from "../../shared/notifications/render.ts";
import { sayIn } from "../../shared/notifications/say.ts";
import { anyFacts, events, id, locales, receipt, textOf } from "../support/notification-facts.ts";
import { seed } from "../support/scale.ts";

describe("formats", () => {
  /** Without the kinds of space that differ between versions of ICU. */
  const money = (amount: string, currency: string, locale: string) =>
    sayIn(locale).money(amount, currency).replace(/\s/gu, " ");

  test.each([
    ["12.50", "EUR", "en", "€12.50"],
    ["12.50", "EUR", "es", "12,50 €"],
    ["12.50", "EUR", "it", "12,50 €"],
    ["100000", "JPY", "en", "¥100,000"],
    ["100000", "COP", "es-CO", "$ 100.000"],
    ["0.005", "USD", "en", "$0.005"],
    ["0.350", "USD", "en", "$0.350"],
    ["7.00", "JPY", "en", "¥7.00"],
    ["12345678901234567891.25", "USD", "en", "$12,345,678,901,234,567,891.25"],
    ["98765432109876543211", "EUR", "it", "98.765.432.109.876.543.211 €"],
  ])("%s %s in %s is %s", (amount, currency, locale, written) => {
    expect(money(amount, currency, locale)).toBe(written);
  });

  test.each(locales)("no digit of an amount is lost in a text: %s", (locale) => {
    const facts = {
      topup_id: id,
      amount_cents: 1,
      amount: "12345678901234567891.25",
      currency: "EUR",
    };
    expect(textOf("topup_completed", facts, locale).replace(/[.,]/g, ""))
      .toContain("1234567890123456789125");
  });

  test("a moment is told in UTC, a day as it is, a ticket without separators", () => {
    const say = sayIn("es");
    expect(say.time("2026-11-21T23:30:00-05:00")).toMatch(/^22 de noviembre de 2026.* 4:30 UTC$/);
    expect(say.date("2026-11-21")).toBe("21 de noviembre de 2026");
    expect(say.list([12345, 7, 8])).toBe("12345, 7 y 8");
    expect(say.number(12345)).toBe("12.345");
  });

  test.each([
    ["raffle_full", { tickets_required: 1 }, "el único boleto de"],
    ["raffle_full", { tickets_required: 12_345 }, "los 12.345 boletos de"],
    ["raffle_full", { tickets_required: 2_000_000 }, "los 2.000.000 de boletos de"],
  ])("%s of %o is Spanish: %s", (event, facts, written) => {
    const raffle = { raffle_id: id, raffle_title: "Vespa" };
    expect(renderNotification(event, { ...raffle, ...facts }, "es").payload.body)
      .toContain(written);
  });

  test.each(["es", "es-CO", "es-MX"])("%s is Spanish", (locale) => {
    const { payload } = renderNotification("welcome", { name: null }, locale);
    expect([payload.locale, payload.title]).toEqual([locale, "Te damos la bienvenida"]);
  });

  test.each(["", "fr", "es_CO", "ES", "esperanto", "it-", "en-x-null", "__proto__", "*"])(
    "“%s” is not spoken here: English",
    (locale) => {
      const { payload } = renderNotification("welcome", { name: null }, locale);
      expect([payload.locale, payload.title]).toEqual(["en", "Welcome"]);
    },
  );
});

describe("each language says as much as the others", () => {
  const {
    type: _,
    payment_method: __,
    confirmed_at: ___,
    ticket_root: ____,
    numbers: _____,
    ...bought
  } = receipt;

  test.each([
    ["en", "The card was declined. Nothing"],
    ["es", "La tarjeta fue rechazada. No se"],
    ["it", "La carta è stata rifiutata. Non ti"],
  ])("that a card was declined, in %s", (locale, why) => {
    expect(textOf("purchase_failed", { ...bought, code: "card_declined" }, locale)).toContain(why);
    expect(textOf("purchase_failed", { ...bought, code: "expired" }, locale)).not.toContain(why);
  });

  test.each([
    ["en", "From December 8", "€9.00"],
    ["es", "A partir del 8 de diciembre", "9,00"],
    ["it", "A partire dall'8 dicembre", "9,00"],
  ])("what limit comes and when, both or neither, in %s", (locale, from, amount) => {
    const now = {
      amount_cents: 500,
      amount: "5.00",
      currency: "EUR",
      kind: "spend",
      period: "day",
    };
    const later = { pending_amount: "9.00", pending_from: "2026-12-08T00:00:00+00:00" };
    const text = (pending: object) =>
      textOf("limits_changed", { ...now, ...later, ...pending }, locale);
    expect(text({})).toContain(from);
    expect(text({})).toContain(amount);
    const neither = text({ pending_amount: null, pending_from: null });
    expect(neither).not.toContain(amount);
    expect([text({ pending_amount: null }), text({ pending_from: null })]).toEqual([
      neither,
      neither,
    ]);
  });
});

describe("verbs and articles agree with one and with more", () => {
  const { type: _, payment_method: __, confirmed_at: ___, ticket_root: ____, ...bought } = receipt;
  const { numbers: _____, ...failed } = { ...bought, code: null };
  const { raffle_id, raffle_title } = receipt;
  const factsOf = {
    purchase_confirmed: (quantity: number) => ({
      ...receipt,
      quantity,
      ticket_root: "ab".repeat(32),
    }),
    purchase_failed: (quantity: number) => ({ ...failed, quantity }),
    purchase_refunded: (count: number) => ({
      ...failed,
      to: "card",
      numbers: [7, 9].slice(0, count),
    }),
    not_won: (count: number) => ({
      raffle_id,
      raffle_title,
      winning_numbers: [7, 9].slice(0, count),
    }),
  };

  test.each(
    [
      ["purchase_confirmed", "en", "yours is among", "yours are among"],
      ["purchase_confirmed", "es", "el tuyo está entre", "los tuyos están entre"],
      ["purchase_confirmed", "it", "c'è anche il tuo.", "ci sono anche i tuoi."],
      ["purchase_failed", "en", "The ticket is free", "The tickets are free"],
      [
        "purchase_failed",
        "es",
        "El boleto vuelve a estar libre:",
        "Los boletos vuelven a estar libres:",
      ],
      [
        "purchase_failed",
        "it",
        "Il biglietto è di nuovo libero:",
        "I biglietti sono di nuovo liberi:",
      ],
      [
        "purchase_refunded",
        "en",
        "Number 7 is no longer yours and takes",
        "Numbers 7 and 9 are no longer yours and take ",
      ],
      [
        "purchase_refunded",
        "es",
        "El número 7 ya no es tuyo y no participa ",
        "Los números 7 y 9 ya no son tuyos y no participan ",
      ],
      [
        "purchase_refunded",
        "it",
        "Il numero 7 non è più tuo e non partecipa ",
        "I numeri 7 e 9 non sono più tuoi e non partecipano ",
      ],
      ["not_won", "en", "first place went to number 7.", "first places went to numbers 7 and 9."],
      [
        "not_won",
        "es",
        "El primer puesto fue para el número 7.",
        "Los primeros puestos fueron para los números 7 y 9.",
      ],
      [
        "not_won",
        "it",
        "Il primo posto è andato al numero 7.",
        "I primi posti sono andati ai numeri 7 e 9.",
      ],
    ] as const,
  )("%s in %s: “%s”, “%s”", (event, locale, one, two) => {
    expect(textOf(event, factsOf[event](1), locale)).toContain(one);
    expect(textOf(event, factsOf[event](2), locale)).toContain(two);
  });
});

describe(`what does not fit is refused by name, never by value (seed ${seed})`, () => {
  const secret = "4242-hunter2";

  function refusal(event: string, facts: unknown): string {
    try {
      renderNotification(event, facts, "en");
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("it was rendered");
  }

  test.each(["", "constructor", "__proto__", "toString", "purchase-confirmed", "Won"])(
    "there is no event “%s”",
    (event) => {
      expect(refusal(event, { secret })).toBe(`${event}: no such event`);
      expect(() => isEssential(event)).toThrow("no such event");
    },
  );

  test.each(events)("%s: a fact too many, too few, of another kind", (event) => {
    const [facts] = fc.sample<object>(anyFacts[event], { seed, numRuns: 1 });
    expect(refusal(event, { ...facts, sekret: secret }))
      .toBe(`${event}: sekret (unrecognized_keys)`);
    for (const field of Object.keys(facts)) {
      const { [field]: _, ...rest } = facts as Record<string, unknown>;
      for (
        const wrong of [rest, { ...rest, [field]: { secret } }, { ...rest, [field]: [secret] }]
      ) {
        const message = refusal(event, wrong);
        expect(message).toMatch(new RegExp(`^${event}: ${field}(\\.0)? \\([a-z_]+\\)$`));
        expect(message).not.toContain(secret);
      }
    }
    for (const nothing of [null, undefined, secret, [secret]]) {
      expect(refusal(event, nothing)).toBe(`${event}: facts (invalid_type)`);
    }
  });

  test.each([
    ["amount", "-2.50"],
    ["amount", "2,50"],
    ["amount", "1e3"],
    ["amount", "2."],
    ["amount_cents", 2.5],
    ["currency", "eur"],
    ["currency", "EURO"],
    ["purchase_id", "1"],
    ["quantity", "1"],
    ["type", "GIFT"],
    ["confirmed_at", "2026-11-21"],
    ["confirmed_at", "2026-11-21T18:05:00"],
    ["ticket_root", "ab"],
    ["ticket_root", "AB".repeat(32)],
  ])("a receipt whose %s is %s", (field, value) => {
    expect(refusal("purchase_confirmed", { ...receipt, [field]: value }))
      .toMatch(new RegExp(`^purchase_confirmed: ${field} \\([a-z_]+\\)$`));
  });

  test("a win that has too much, too little, or is none", () => {
    const [facts] = fc.sample(anyFacts.won, { seed, numRuns: 1 });
    const { place, ...rest } = facts.wins[0];
    const wins = (win: object) => refusal("won", { ...facts, wins: [win] });
    expect(wins({ ...rest, place, secret })).toBe("won: wins.0.secret (unrecognized_keys)");
    expect(wins(rest)).toBe("won: wins.0.place (invalid_type)");
    expect(refusal("won", { ...facts, wins: [] })).toBe("won: wins (too_small)");
  });
});
