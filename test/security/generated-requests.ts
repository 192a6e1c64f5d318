// Requests made from the OpenAPI document and from garbage: some as it says, most bent in one place, some
// that have nothing to do with it.
import fc from "fast-check";
import { keys } from "../support/database.ts";

export interface Operation {
  method: string;
  path: string;
  security: Record<string, unknown>[];
  parameters: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

export interface Generated {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

/** What is generated beside the schema: sessions, and ids of rows that are there. */
export interface Known {
  token: string;
  ids: string[];
}

// deno-lint-ignore no-explicit-any -- a JSON schema
type Schema = any;

export function operationsOf(
  document: { paths: Record<string, Record<string, Operation>> },
): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method, path }))
  );
}

/** Texts that mean something to somebody: a parser, Postgres, a shell, a schema of ours. */
export const spoiled = [
  ...["", " ", "\0", "\ud800", "\udfff", "\u202e", "\ufeff", "null", "true", "-1", "1e999", "NaN"],
  ...["' or 1=1 --", "'; drop table public.profiles; --", "$1", "${7*7}", "{{7*7}}", "%s%n", "\\"],
  ...["EUR", "ES", "it", "spend", "day", "admin", "2001-02-03", "2001-02-30", "9999-12-31"],
  ...["2030-01-01T00:00:00Z", "infinity", "-infinity", "now", "epoch", "294276-12-31", "<script>"],
  ...["٧", "１００", "1_000", "0x10", "1e2", "+5", "5.0", "\u0001", "../../etc/passwd", "{1,2}"],
  ...["9".repeat(400), "+34600111222", "pm_card_visa", "https://evil.example/"],
];
const edges = [
  0,
  -0,
  -1,
  0.5,
  1e2,
  2 ** 31,
  2 ** 53,
  2 ** 63,
  1e308,
  5e-324,
  36_500,
  1_000_000_000,
];

const strings = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom(...spoiled));
const numbers = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(...edges),
);
export const garbage = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    strings,
    numbers,
    fc.constantFrom(null, true, false),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(strings, fc.constant("__proto__")), tie("any"), { maxKeys: 4 }),
  ),
})).any;

/** Values that the schema takes, or nearly. */
function valid(schema: Schema, ids: string[]): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices: Schema[] | undefined = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map((one) => valid(one, ids)));
  const { minimum = -(2 ** 53), maximum = 2 ** 53 } = schema;
  const low = Math.max(minimum, -10);
  switch (schema.type) {
    case "object":
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, one]) => [name, valid(one, ids)]),
        ),
        { requiredKeys: schema.required ?? [] },
      );
    case "array":
      return fc.array(valid(schema.items, ids), { minLength: schema.minItems, maxLength: 5 });
    case "integer":
    case "number":
      return fc.oneof(
        fc.integer({ min: low, max: Math.min(maximum, low + 100) }),
        fc.constantFrom(minimum, maximum),
      );
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return text(schema, ids);
    default:
      return garbage;
  }
}

function text({ format, pattern }: Schema, ids: string[]): fc.Arbitrary<string> {
  if (format === "uuid") {
    return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...ids) }, fc.uuid());
  }
  if (format === "uri") return fc.oneof(fc.webUrl(), fc.constant("http://localhost:3000/back"));
  if (format === "date-time") {
    return fc.constantFrom("2026-01-01T00:00:00Z", "2030-01-01T00:00:00+01:00");
  }
  if (format === "date") return fc.constantFrom("2001-02-03", "1899-12-31", "1990-01-01");
  if (!pattern) return strings;
  const fitting = spoiled.filter((one) => new RegExp(pattern).test(one));
  const any = fc.stringMatching(new RegExp(pattern));
  return fitting.length > 0 ? fc.oneof(fc.constantFrom(...fitting), any) : any;
}

function bodies(schema: Schema, ids: string[]): fc.Arbitrary<string | Uint8Array> {
  const good = valid(schema, ids) as fc.Arbitrary<Record<string, unknown>>;
  const names = fc.oneof(
    fc.constantFrom(...Object.keys(schema.properties ?? { a: 1 })),
    fc.constantFrom("id", "user_id", "role", "status", "price", "constructor", "__proto__"),
    strings,
  );
  const bent = fc.tuple(good, names, garbage)
    .map(([body, name, value]) => JSON.stringify({ ...body, [name]: value }));
  return fc.oneof(
    { weight: 3, arbitrary: good.map((one) => JSON.stringify(one)) },
    { weight: 5, arbitrary: bent },
    {
      weight: 1,
      arbitrary: bent.map((one) => one.replace("{", '{"amount_cents":1,"amount_cents":2,')),
    },
    { weight: 1, arbitrary: fc.tuple(bent, fc.nat(40)).map(([one, at]) => one.slice(0, -at)) },
    { weight: 1, arbitrary: garbage.map((one) => JSON.stringify(one)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 1, arbitrary: fc.constant('{"preferences":{"n":1e400},"amount_cents":1e400}') },
  );
}

/** What HTTP lets stand in a header: visible ASCII and the upper half of Latin-1. */
const headerText = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.constantFrom(...spoiled),
).map((one) => one.replace(/[^\x20-\x7e\xa0-\xff]/g, "").trim());

const strangeHeaders = fc.dictionary(
  fc.constantFrom(
    ...["accept", "accept-language", "accept-encoding", "origin", "referer", "cookie", "range"],
    ...["if-none-match", "if-modified-since", "prefer", "accept-profile", "content-profile"],
    ...["x-forwarded-for", "x-real-ip", "x-user-id", "x-role", "x-http-method-override"],
    ...["x-original-url", "x-rewrite-url", "stripe-signature", "x-client-info", "idempotency-key"],
  ),
  fc.oneof(headerText, fc.constantFrom("service_role", "admin", "127.0.0.1", "DELETE", "*", "app")),
  { maxKeys: 3 },
);

function headers({ security }: Operation, known: Known): fc.Arbitrary<Record<string, string>> {
  const needed = security.some((one) => "scheduler" in one) ? keys.scheduler_secret : known.token;
  return fc.record({
    "content-type": fc.oneof(
      { weight: 9, arbitrary: fc.constant("application/json") },
      { weight: 1, arbitrary: headerText },
    ),
    authorization: fc.oneof(
      { weight: 8, arbitrary: fc.constant(`Bearer ${needed}`) },
      { weight: 1, arbitrary: headerText.map((one) => `Bearer ${one}`) },
      { weight: 1, arbitrary: fc.constant("") },
    ),
    "idempotency-key": fc.oneof(
      { weight: 6, arbitrary: fc.uuid() },
      { weight: 1, arbitrary: fc.constant("the same") },
      { weight: 1, arbitrary: headerText },
    ),
    strange: fc.oneof(
      { weight: 2, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: strangeHeaders },
    ),
  }).map(({ strange, ...usual }) => ({ ...usual, ...strange }));
}

/** As it is written in an address: encoded, or as it stands where that is possible. */
const inAddress = (one: unknown) => encodeURIComponent(String(one).toWellFormed());
const raw = fc.string({ maxLength: 30 }).map((one) => one.replace(/[^\x21-\x7e]|[#?]/g, ""));

function paths({ path, parameters = [] }: Operation, ids: string[]): fc.Arbitrary<string> {
  const of = (place: string) => parameters.filter((one) => one.in === place);
  const values = fc.record(Object.fromEntries(
    of("path").map(({ name, schema }) => [
      name,
      fc.oneof(
        { weight: 6, arbitrary: valid(schema, ids).map(inAddress) },
        { weight: 2, arbitrary: strings.map(inAddress) },
        { weight: 1, arbitrary: raw },
      ),
    ]),
  ));
  const known = of("query").map(({ name, schema }) =>
    fc.tuple(fc.constant(name), fc.oneof(valid(schema, ids), strings, numbers))
  );
  const one = fc.oneof(...known, fc.tuple(strings, strings))
    .map(([name, value]) => `${inAddress(name)}=${inAddress(value)}`);
  const query = fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    { weight: 3, arbitrary: fc.array(one, { maxLength: 4 }).map((all) => `?${all.join("&")}`) },
    { weight: 1, arbitrary: raw.map((text) => `?${text}`) },
  );
  const tail = fc.oneof(
    { weight: 12, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: raw.map((text) => `/${text}`) },
  );
  return fc.tuple(values, tail, query).map(([filled, after, asked]) =>
    path.replace(/\{(\w+)\}/g, (_, name) => filled[name]) + after + asked
  );
}

export function requests(operation: Operation, known: Known): fc.Arbitrary<Generated> {
  const [content] = Object.values(operation.requestBody?.content ?? {});
  const body: fc.Arbitrary<string | Uint8Array | undefined> = content
    ? bodies(content.schema, known.ids)
    : fc.oneof(
      { weight: 5, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: garbage.map((one) => JSON.stringify(one)) },
    );
  return fc.record({
    method: fc.constant(operation.method.toUpperCase()),
    path: paths(operation, known.ids),
    headers: headers(operation, known),
    body,
  });
}
