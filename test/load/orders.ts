// Orders outside a crowd: one by one, and those whose outcome nobody knows again, until it is known.
import { isDeepStrictEqual } from "node:util";
import type { Outcome } from "./clients.ts";
import type { Bought, Open } from "./player.ts";
import { sessionOf } from "./player.ts";
import type { Site } from "./scenario.ts";

export async function order({ apiUrl, keys }: Site, { user_id, key, body }: Open) {
  const answer = await fetch(`${apiUrl}/functions/v1/purchase`, {
    method: "POST",
    headers: {
      ...sessionOf(user_id, keys),
      "content-type": "application/json",
      "idempotency-key": key,
    },
    body,
  });
  const text = await answer.text();
  const replayed = answer.headers.has("idempotent-replayed");
  return { status: answer.status, replayed, text };
}

const AT_ONCE = 8;

export interface Resolved {
  bought: Bought[];
  wrong: string[];
}

/** Sends each twice more, with its key: once to learn what became of it, and once that must change nothing. */
export async function resolve(site: Site, open: Open[]): Promise<Resolved> {
  const waiting = [...open];
  const resolved: Resolved = { bought: [], wrong: [] };
  const work = async () => {
    for (let one = waiting.pop(); one; one = waiting.pop()) {
      const first = await order(site, one);
      const second = await order(site, one);
      const isSame = first.status === 201
        ? second.replayed && isDeepStrictEqual(JSON.parse(second.text), JSON.parse(first.text))
        : first.status < 500 && second.status === first.status;
      if (!isSame) resolved.wrong.push(`${one.key}: ${first.text} and then ${second.text}`);
      if (first.status !== 201) continue;
      resolved.bought.push(readBought(one, first.text));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return resolved;
}

function readBought({ user_id, key, body }: Open, text: string): Bought {
  const { purchase, tickets } = JSON.parse(text) as {
    purchase: { id: string };
    tickets: { ticket_num: number }[];
  };
  const numbers = tickets.map(({ ticket_num }) => ticket_num);
  return { id: purchase.id, user_id, key, quantity: JSON.parse(body).quantity, tickets: numbers };
}

/** Those who left, and some of those who were told to try again. */
export function unresolved({ open }: Outcome, count: number): Open[] {
  const [left, told] = [open.filter((one) => one.left), open.filter((one) => !one.left)];
  return [...left.slice(0, count), ...told.slice(0, count)];
}
