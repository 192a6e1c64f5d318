// Bodies that no client of ours sends, with the answer that each of them gets.
import type { Raw } from "./raw-http.ts";

export interface Hostile extends Raw {
  name: string;
  status: number;
  code: string;
}

const JSON_TYPE = { "content-type": "application/json" };
const bad = (status: number, code: string) => (name: string, body: Raw["body"]): Hostile => ({
  name,
  body,
  status,
  code,
  headers: JSON_TYPE,
});
const malformed = bad(400, "json_invalid");
const invalid = bad(422, "request_invalid");
const tooLarge = bad(413, "body_too_large");
const typed = (type: string | undefined): Hostile => ({
  name: `content type ${type ?? "missing"}`,
  body: "{}",
  headers: type === undefined ? {} : { "content-type": type },
  status: 415,
  code: "content_type_unsupported",
});

const nested = (open: string, close: string, depth: number) =>
  `{"preferences":${open.repeat(depth)}1${close.repeat(depth)}}`;
const kilobyte = "x".repeat(1024);

export const hostileBodies: Hostile[] = [
  malformed("half an object", '{"locale":'),
  malformed("a key without quotes", '{locale:"it"}'),
  malformed("single quotes", "{'locale':'it'}"),
  malformed("two objects", '{"locale":"it"}{"locale":"it"}'),
  malformed("a trailing comma", '{"locale":"it",}'),
  malformed("NaN", '{"amount_cents":NaN}'),
  malformed("the word undefined", "undefined"),
  malformed("only a space", " "),
  malformed("a raw NUL", '{"locale":"\0"}'),
  malformed("bytes that are no text", Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d])),
  malformed("thirty thousand brackets that never close", "[".repeat(30_000)),

  typed("text/plain"),
  typed("text/json"),
  typed("application/jsonp"),
  typed("application/json2"),
  typed("application/xml"),
  typed("application/x-www-form-urlencoded"),
  typed("multipart/form-data; boundary=x"),
  typed("application/octet-stream"),
  typed(undefined),

  invalid("an array", "[]"),
  invalid("an array of objects", '[{"locale":"it"}]'),
  invalid("a string", '"locale"'),
  invalid("a number", "7"),
  invalid("true", "true"),
  invalid("null", "null"),
  invalid("an unknown field", '{"no_such_field":1}'),
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__", ""]
    .map((key) => invalid(`the key ${JSON.stringify(key)}`, `{"${key}":{"role":"admin"}}`)),
  invalid("NUL in a value", '{"display_name":"a\\u0000b"}'),
  invalid("NUL in a key", '{"a\\u0000b":1}'),
  invalid("NUL deep inside", '{"preferences":{"a":[{"b":"\\u0000"}]}}'),
  invalid("NUL in a key deep inside", '{"preferences":{"a":[{"\\u0000":1}]}}'),
  invalid("the first half of a surrogate pair", '{"display_name":"a\\ud800"}'),
  invalid("the second half of a surrogate pair", '{"display_name":"\\udc00a"}'),
  invalid("half a surrogate pair in a key", '{"preferences":{"\\ud800":1}}'),
  invalid("twenty arrays in each other", nested("[", "]", 20)),
  invalid("twenty objects in each other", nested('{"a":', "}", 20)),
  invalid("thirty thousand arrays in each other", nested("[", "]", 30_000)),
  invalid("ten thousand objects in each other", nested('{"a":', "}", 10_000)),
  invalid("six thousand unknown keys", `{${Array.from({ length: 6000 }, (_, i) => `"k${i}":1`)}}`),

  tooLarge("64 KB and a byte", `"${"x".repeat(65_535)}"`),
  tooLarge("a megabyte", `{"display_name":"${"x".repeat(1_000_000)}"}`),
  tooLarge("80 KB in chunks without a length", Array(80).fill(kilobyte)),
  tooLarge("two megabytes in chunks without a length", Array(2048).fill(kilobyte)),
];
