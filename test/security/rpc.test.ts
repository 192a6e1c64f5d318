// Every function of the API called directly, past the endpoints that check what they hand on: with hostile
// arguments, as everyone who may not be trusted. SEED=... replays the run of that name.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createUser, keys } from "../support/database.ts";
import { buy, draft, operatorOf, player, raffle } from "../support/raffles.ts";
import { scaled, seed } from "../support/scale.ts";
import type { TestStack } from "../support/stack.ts";
import { testStack, tokenFor } from "../support/stack.ts";
import { functions } from "./access-matrix.ts";
import { garbage, spoiled } from "./generated-requests.ts";
import { watchWrites, writesOf } from "./writes.ts";

const RUNS = scaled(12, 300);

let stack: TestStack;
let ids: string[];
let ben: string;
let argumentsOf: Map<string, { name: string; type: string; values: string[] | null }[]>;
let bens: unknown;
let sent = 0;

beforeAll(async () => {
  stack = await testStack();
  await stack.sql`update app.rate_limits set burst = 1000000000`;
  const operator = await operatorOf(stack) as { id: string };
  ben = (await player(stack, 10_000)).id;
  const raffleId = await raffle(stack, { numbering: "PICK" });
  const { purchase } = await buy(stack, ben, { raffle_id: raffleId, redeem: false });
  ids = [raffleId, purchase.id, ben, operator.id, await draft(stack)];
  argumentsOf = await readArguments();
  bens = await rowsOfBen();
  await watchWrites(stack);
});

const rowsOfBen = () =>
  stack.sql`select p.*, array(select r from public.user_roles r where r.user_id = p.id) as roles,
    array(select b from public.purchases b where b.user_id = p.id) as purchases,
    array(select a from public.wallet_accounts a where a.user_id = p.id) as accounts
    from public.profiles p where p.id = ${ben}`;

async function readArguments() {
  const rows = await stack.superuser`
    select p.proname as name, array(select jsonb_build_object('name', a.name, 'type', format_type(a.type, null),
        'values', (select jsonb_agg(enumlabel) from pg_enum where enumtypid = a.type))
      from unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) with ordinality as a (name, type, place)
      order by place) as arguments
    from pg_proc p where p.pronamespace = 'public'::regnamespace`;
  return new Map(rows.map((row) => [row.name, row.arguments]));
}

const texts = fc.oneof(
  fc.constantFrom(...spoiled),
  fc.constantFrom("x".repeat(100_000), "EUR", "once"),
);
const wholes = [0, 1, -1, 100, 2147483647, -2147483648, 2147483648, 1.5, "1", "9223372036854775807"]
  .concat(["-9223372036854775808", "9223372036854775808", "1e3", "NaN", "Infinity", "٧", " 5 "]);
const moments = ["infinity", "-infinity", "now", "294276-12-31", "4713-01-01 BC", "2030-01-01"];
const deep = JSON.parse(`${"[".repeat(500)}1${"]".repeat(500)}`);

/** Mostly what the type takes at its edges, sometimes what it does not. */
function hostile({ type, values }: { type: string; values: string[] | null }) {
  const fitting: fc.Arbitrary<unknown> = values
    ? fc.constantFrom(...values)
    : type === "uuid"
    ? fc.constantFrom(...ids, crypto.randomUUID())
    : /int|bigint/.test(type) && !type.endsWith("[]")
    ? fc.constantFrom(...wholes)
    : /timestamp|date/.test(type)
    ? fc.constantFrom(...moments)
    : type === "boolean"
    ? fc.constantFrom(true, false, "yes", "maybe", 1)
    : type === "jsonb"
    ? fc.oneof(garbage, fc.constantFrom({}, [], deep, { status: "SUSPENDED", role: "admin" }))
    : type.endsWith("[]")
    ? fc.constantFrom([], [null], [[1]], "{1,2}", "{}", Array(20_000).fill(1), [ids[0]])
    : texts;
  return fc.oneof(
    { weight: 14, arbitrary: fitting },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: garbage },
  );
}

async function send(name: string, token: string, body: unknown, method = "POST") {
  const id = `rpc-${sent++}`;
  const answer = await fetch(`${stack.apiUrl}/rest/v1/rpc/${name}`, {
    method,
    headers: {
      apikey: keys.publishable_key,
      "content-type": "application/json",
      "x-request-id": id,
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return { id, status: answer.status, text: await answer.text() };
}

const names = Object.keys(functions).filter((name) => name.startsWith("public."))
  .map((name) => name.slice(7, name.indexOf("(")));
const rightsOf = (name: string) =>
  functions[Object.keys(functions).find((one) => one.startsWith(`public.${name}(`))!];

describe(`${RUNS} calls each are answered or refused, and what is refused writes nothing (SEED=${seed})`, () => {
  test.each(names)("%s", async (name) => {
    const fields = Object.fromEntries(
      argumentsOf.get(name)!.map((one) => [one.name, hostile(one)]),
    );
    const bodies = fc.sample(fc.record(fields), { seed, numRuns: RUNS });
    const [granted, needs] = rightsOf(name).split(": ") as [
      string,
      "operator" | "admin" | undefined,
    ];
    const staff = needs && (await createUser(stack, { roles: [needs] })).id;
    const callers = {
      nobody: { token: "", mayRun: granted.includes("anon") },
      user: {
        token: tokenFor((await player(stack, 10_000)).id),
        mayRun: granted.includes("authenticated") && !needs,
      },
      ...(staff && { staff: { token: tokenFor(staff), mayRun: true } }),
    };
    for (const [who, { token, mayRun }] of Object.entries(callers)) {
      const answers = await Promise.all(bodies.map((body) => send(name, token, body)));
      const refused: string[] = [];
      for (const [at, { id, status, text }] of answers.entries()) {
        const what = `${who}: ${JSON.stringify(bodies[at]).slice(0, 500)}: ${text}`;
        expect(status, what).toBeLessThan(500);
        if (!mayRun) expect(status, what).toBeGreaterThanOrEqual(400);
        if (status >= 400) refused.push(id);
      }
      expect(await writesOf(stack, refused)).toEqual([]);
      if (who !== "staff") expect(await rowsOfBen()).toEqual(bens);
    }
    bens = await rowsOfBen();
  });
});
