import type { Context } from "hono";

export async function body<T extends object>(c: Context): Promise<Partial<T>> {
  const text = await c.req.text();
  return text === "" ? {} : JSON.parse(text);
}

/** For rules: a misspelt word would silently do nothing. */
export function strict<T extends object>(given: Partial<T>, known: readonly string[]): Partial<T> {
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new SyntaxError(`unknown: ${unknown.join(", ")}`);
  return given;
}
