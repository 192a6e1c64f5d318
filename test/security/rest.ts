// The data API as anything that speaks HTTP reaches it: with whatever headers and body it likes.
import { keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";

export interface Sent {
  token?: string;
  body?: unknown;
  /** Sent as it is, in place of a body in JSON. */
  raw?: string;
  headers?: Record<string, string>;
}

export async function sendRest(
  stack: TestStack,
  method: string,
  path: string,
  { token, body, raw, headers }: Sent = {},
) {
  const answer = await fetch(`${stack.apiUrl}/rest/v1${path}`, {
    method,
    headers: {
      apikey: keys.publishable_key,
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
  });
  const text = await answer.text();
  return { status: answer.status, text, range: answer.headers.get("content-range") };
}
