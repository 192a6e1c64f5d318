// Requests exactly as written: fetch would mend the path, refuse a body on GET and choose the framing.
import { type Agent, request } from "node:http";
import { expect } from "vitest";
import { catalogue } from "../../shared/errors.ts";
import { keys } from "../support/database.ts";
import type { Answer, TestStack } from "../support/stack.ts";

export interface Raw {
  token?: string;
  headers?: Record<string, string>;
  /** Several parts are sent as chunks, without a length. */
  body?: string | Uint8Array | string[];
  /** Keeps connections for the requests that follow. */
  agent?: Agent;
}

export function sendRaw(
  stack: TestStack,
  method: string,
  path: string,
  { token, headers = {}, body, agent }: Raw = {},
): Promise<Answer> {
  const { hostname, port } = new URL(stack.apiUrl);
  const parts: (string | Uint8Array)[] = Array.isArray(body)
    ? body
    : body === undefined
    ? []
    : [body];
  const framing: Record<string, string> = Array.isArray(body)
    ? { "transfer-encoding": "chunked" }
    : body === undefined
    ? {}
    : { "content-length": String(new Blob([body as BlobPart]).size) };
  return new Promise((resolve, reject) => {
    const sent = request({
      hostname,
      port,
      method,
      path: `/functions/v1${path}`,
      agent,
      headers: {
        apikey: keys.publishable_key,
        ...(token && { authorization: `Bearer ${token}` }),
        ...framing,
        ...headers,
      },
    }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => text += chunk);
      answer.on("end", () => {
        const received = new Headers();
        for (const [name, value] of Object.entries(answer.headers)) received.set(name, `${value}`);
        const isJson = received.get("content-type")?.includes("json") && text !== "";
        resolve({
          status: answer.statusCode!,
          headers: received,
          body: isJson ? JSON.parse(text) : text,
        });
      });
    });
    sent.on("error", reject);
    for (const part of parts) sent.write(part);
    sent.end();
  });
}

/** A refusal in the API's one shape, that tells nothing of what is behind it. */
export function expectRefusal(answer: Answer, what = "") {
  const { status, headers, body } = answer;
  expect(status, what).toBeGreaterThanOrEqual(400);
  expect(status, `${what}: ${JSON.stringify(body)}`).toBeLessThan(500);
  expect(Object.keys(body), what).toEqual(["error"]);
  const { code, message, request_id, details, ...rest } = body.error;
  expect(rest, what).toEqual({});
  expect(["function_not_found", ...Object.keys(catalogue)], what).toContain(code);
  expect(typeof message === "string" && message.length > 0, what).toBe(true);
  expect(request_id, what).toMatch(/^[A-Za-z0-9_.:-]{1,128}$/);
  expect(headers.get("x-request-id"), what).toBe(request_id);
  if (details !== undefined) expect(typeof details, what).toBe("object");
  const told = JSON.stringify({ code, message, keys: Object.keys(details ?? {}) });
  expect(told, what).not.toMatch(
    /\bat .+:\d+|\.ts\b|node_modules|file:|PGRST|postgres|Zod|Error:/i,
  );
}
