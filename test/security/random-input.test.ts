// Random bodies to every route that takes one. SEED=... replays the run of that name.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { contracts } from "../../functions/health/contracts.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { scaled, seed } from "../support/scale.ts";
import { signUp, testStack } from "../support/stack.ts";
import { fingerprint } from "./fingerprint.ts";
import { expectRefusal, sendRaw } from "./raw-http.ts";

const RUNS = scaled(500, 10_000);

let stack: TestStack;
let ana: Person;
let ben: Person;
beforeAll(async () => {
  stack = await testStack();
  [ana, ben] = [await signUp(stack), await signUp(stack)];
});

const routes = contracts.flatMap((contract) =>
  Object.values(contract.routes).filter((route) => route.body).map((route) => ({
    method: route.method.toUpperCase(),
    url: `/${contract.name}${route.path === "/" ? "" : route.path}`
      .replace(/:\w+/g, crypto.randomUUID()),
    fields: fieldsOf(z.toJSONSchema(route.body!, { io: "input", unrepresentable: "any" })),
  }))
);

/** The names of all fields that a schema knows, so that random bodies get past the first check. */
function fieldsOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const { properties = {} } = schema as { properties?: object };
  return [...Object.keys(properties), ...Object.values(schema).flatMap(fieldsOf)];
}

const strings = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    ...[
      "",
      " ",
      "\0",
      "\ud800",
      "\udfff",
      "\u202e",
      "\ufeff",
      "null",
      "true",
      "-1",
      "1e999",
      "NaN",
    ],
    ...[
      "' or 1=1 --",
      "'; drop table public.profiles; --",
      "$1",
      "${7*7}",
      "{{7*7}}",
      "%s%n",
      "\\",
    ],
    ...["EUR", "ES", "it", "spend", "day", "admin", "2001-02-03", "2001-02-30", "9999-12-31"],
    ...[
      "2030-01-01T00:00:00Z",
      "infinity",
      "-infinity",
      "now",
      "epoch",
      "294276-12-31",
      "<script>",
    ],
    "9".repeat(400),
    "+34600111222",
  ),
);
const numbers = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, -1, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, 5e-324, 36_500, 1_000_000_000),
);
const values = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    strings,
    numbers,
    fc.constantFrom(null, true, false),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(strings, fc.constant("__proto__")), tie("any"), { maxKeys: 4 }),
  ),
})).any;

const requests = fc.constantFrom(...routes).chain(({ method, url, fields }) => {
  const names = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...fields) },
    { weight: 1, arbitrary: fc.constantFrom("id", "user_id", "role", "status", "constructor") },
    { weight: 1, arbitrary: strings },
  );
  const body = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.dictionary(names, values, { maxKeys: 5 }).map((one) => JSON.stringify(one)),
    },
    { weight: 1, arbitrary: values.map((one) => JSON.stringify(one)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 1, arbitrary: fc.constant('{"preferences":{"n":1e400},"amount_cents":1e400}') },
  );
  return fc.record({ method: fc.constant(method), url: fc.constant(url), body });
});

// Trying the admin secret is counted, and counting is all that a refused request may leave behind.
const counted = ["app.admin_claims"];

test(`${RUNS} random bodies are served or refused clearly, and what is refused writes nothing (SEED=${seed})`, async () => {
  let before = await fingerprint(stack, counted);
  const others = () => stack.sql`select * from public.profiles where id = ${ben.id}`;
  const bens = await others();
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, url, body }) => {
      const answer = await sendRaw(stack, method, url, {
        token: ana.token,
        headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
        body,
      });
      seen.add(answer.status);
      const after = await fingerprint(stack, counted);
      const written = JSON.stringify(after) !== JSON.stringify(before);
      before = after;
      if (answer.status >= 300) {
        expectRefusal(answer);
        expect(written, "a refused request has written").toBe(false);
      }
    }),
    { seed, numRuns: RUNS },
  );
  expect(await others()).toEqual(bens);
  expect(await stack.sql`select from public.user_roles`).toHaveLength(0);
  // Both ways were taken, or the test would say nothing.
  expect(seen.has(200) && seen.has(422)).toBe(true);
});
