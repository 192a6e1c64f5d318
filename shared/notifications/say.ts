// How money, times and numbers are written where somebody lives, and how sentences are put together.
export interface Say {
  /** Keeps every digit that the decimal has, however many those are. */
  money(amount: string, currency: string): string;
  /** A moment, in UTC: where somebody is, is not known. */
  time(iso: string): string;
  /** A day of the calendar, yyyy-mm-dd. */
  date(day: string): string;
  /** Numbers in a list are names of tickets, and so are not grouped. */
  list(items: readonly (number | string)[]): string;
  number(count: number): string;
}

export function sayIn(locale: string): Say {
  const when = (iso: string, style: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { ...style, timeZone: "UTC" }).format(new Date(iso));
  return {
    money(amount, currency) {
      const digits = amount.split(".")[1]?.length ?? 0;
      const format = new Intl.NumberFormat(locale, {
        style: "currency",
        currency,
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });
      // As text: a number would lose digits. TypeScript asks for literals only.
      return format.format(amount as Intl.StringNumericLiteral);
    },
    time: (iso) => `${when(iso, { dateStyle: "long", timeStyle: "short" })} UTC`,
    date: (day) => when(day, { dateStyle: "long" }),
    list: (items) => new Intl.ListFormat(locale).format(items.map(String)),
    number: (count) => new Intl.NumberFormat(locale).format(count),
  };
}

/** One, many, and what whole millions are where those take a preposition: 1.000.000 de boletos. */
export type Noun = readonly [one: string, many: string, millions?: string];

export function counted(count: number, [one, many, millions = many]: Noun, say: Say): string {
  const noun = count === 1 ? one : count > 0 && count % 1_000_000 === 0 ? millions : many;
  return `${say.number(count)} ${noun}`;
}

/** One text of those sentences that there are. */
export const sentences = (...parts: (string | false | null)[]): string =>
  parts.filter(Boolean).join(" ");

/** Somebody else's words as a sentence: with a full stop, unless they end with one of their own. */
export const stopped = (words: string): string => /[.!?…]$/.test(words) ? words : `${words}.`;
