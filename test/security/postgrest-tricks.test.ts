// What PostgREST offers beyond plain reading and writing, turned against a world in which ben has played and
// won: embeds, oracles, counts, media types, upserts, and every column of every table handed in.
import { beforeAll, describe, expect, test } from "vitest";
import { close, draw, seal, settle } from "../support/draws.ts";
import { signUpWithdrawer, topUp, withdraw } from "../support/payments.ts";
import { buy, draft, operatorOf, raffle } from "../support/raffles.ts";
import { createUser, keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";
import { call, testStack, tokenFor } from "../support/stack.ts";
import { control, flushWebhooks } from "../support/stripe.ts";
import { tables } from "./access-matrix.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Sent } from "./rest.ts";
import { sendRest } from "./rest.ts";

const REFUSED = /"code":"(42501|428C9|42P10)"/;
const PHONE = "+34600777888";
const STREET = "Calle de Ben 1";

let stack: TestStack;
let ana: string;
let ben: string;
let operator: string;
let draftId: string;
let drawnId: string;

beforeAll(async () => {
  stack = await testStack();
  ({ id: operator } = await operatorOf(stack) as { id: string });
  const person = await signUpWithdrawer(stack, 10_000);
  ben = person.id;
  ana = tokenFor((await createUser(stack)).id);
  await stack
    .sql`update public.profiles set phone = ${PHONE}, birth_date = '1990-01-01' where id = ${ben}`;
  draftId = await draft(stack, { title: "A draft that nobody knows of" });
  drawnId = await raffle(stack);
  await buy(stack, ben, { raffle_id: drawnId, quantity: 3 });
  await close(stack, drawnId);
  await seal(stack, drawnId);
  await draw(stack, drawnId);
  await settle(stack, drawnId);
  await stack.sql`update public.prize_claims set status = 'CLAIMED',
    delivery = ${stack.sql.json({ street: STREET })} where user_id = ${ben}`;
  await stack.sql`update public.prize_claims set status = 'SHIPPED', sent_by = ${operator}`;
  await stack.sql`select app.alert_operators('invariant', ${ben})`;
  await stack.sql`update public.operator_alerts set resolved_at = now(), resolved_by = ${operator}`;
  await control(stack, "POST /settings", { settle_after_ms: null });
  await topUp(stack, person, { amount_cents: 1000 });
  await withdraw(stack, person, 1000);
  // What Stripe tells of its own accord must not come in the middle of a test.
  await flushWebhooks(stack);
  await call(stack, "PUT", "/account/limits", {
    token: person.token,
    body: { kind: "deposit", period: "week", amount_cents: 5000, currency: "EUR" },
  });
  await stack.sql`select app.queue_notifications()`;
});

const rest = (method: string, path: string, sent: Sent = {}) => sendRest(stack, method, path, sent);
const names = Object.keys(tables).map((name) => name.replace("public.", ""));
const callers = () => [undefined, ana];

/** Nothing of ben's, of who works here, or of what is not published yet. */
function expectNothingOf({ status, text }: { status: number; text: string }, what: string) {
  expect(status, `${what}: ${text}`).toBeLessThan(500);
  for (const secret of [ben, operator, PHONE, STREET, draftId, "nobody knows"]) {
    expect(text, what).not.toContain(secret);
  }
}

const columnsOf = async (table: string): Promise<string[]> =>
  (await stack.superuser`select attname from pg_attribute
    where attrelid = ${`public.${table}`}::regclass and attnum > 0 and not attisdropped`)
    .map(({ attname }) => attname);

const ownerOf = (table: string) => {
  const { owner } = tables[`public.${table}`];
  return ["user_id", "actor_id", "resolved_by"].includes(owner) ? owner : null;
};

test("the world has what is looked for: an operator sees it", async () => {
  const token = tokenFor(operator);
  const seen = await rest("GET", "/prize_claims?select=*,profiles!prize_claims_user_id_fkey(*)", {
    token,
  });
  for (const secret of [ben, operator, PHONE, STREET]) expect(seen.text).toContain(secret);
  expect((await rest("GET", "/raffles?select=title", { token })).text).toContain("nobody knows");
  for (const table of names) {
    const owner = ownerOf(table);
    if (!owner) continue;
    const [{ count }] = await stack.superuser`select count(*)::int from ${stack.superuser(table)}
      where ${stack.superuser(owner)} in (${ben}, ${operator})`;
    expect(count, table).toBeGreaterThan(0);
  }
});

/** The ways from one table to the other, where there is more than one, as PostgREST itself names them. */
function waysTo(other: string, text: string): string[] {
  if (!text.includes("PGRST201")) return [other];
  const { details } = JSON.parse(text) as { details: { relationship: string }[] };
  return details.map(({ relationship }) => `${other}!${relationship.split(" ")[0]}`);
}

describe.each(names)("%s", (table) => {
  test("embeds nothing of anybody's, whatever is joined and however it is filtered", async () => {
    for (const token of callers()) {
      await Promise.all(names.map(async (other) => {
        const first = await rest("GET", `/${table}?select=*,${other}(*)`, { token });
        expectNothingOf(first, other);
        if (first.text.includes("PGRST200")) return; // nothing leads from one to the other
        const owner = ownerOf(other);
        for (const way of waysTo(other, first.text)) {
          for (
            const select of [`${way}(*)`, `*,${way}!inner(*)`, `...${way}(*)`, `${way}(count)`]
          ) {
            const answer = await rest("GET", `/${table}?select=${select}`, { token });
            expectNothingOf(answer, select);
            expect(answer.text, select).not.toContain("PGRST201");
          }
          if (!owner) continue;
          // An inner join that finds something would say yes to what was asked.
          const asked = `/${table}?select=*,${way}!inner(${owner})&${other}.${owner}=eq.${ben}`;
          const answer = await rest("GET", asked, { token });
          expect(answer.status === 200 ? answer.text : "[]", asked).toBe("[]");
        }
      }));
    }
  });

  test("answers no question about rows that are not one's own: filters, orders, ranges, counts", async () => {
    const columns = await columnsOf(table);
    const owner = ownerOf(table);
    for (const token of callers()) {
      await Promise.all(
        columns.flatMap((column) => [
          `order=${column}.desc&or=(${column}.not.is.null,${column}.is.null)`,
          `${column}=not.is.null&limit=1&offset=0`,
          `select=x:${column}.count(),${column}::regclass`,
          `${column}=match..*&not.or=(${column}.is.null)`,
          `${column}=fts.a&select=${column}::text`,
        ]).map(async (query) => {
          const headers = { prefer: "count=exact", range: "0-100000", "range-unit": "items" };
          const answer = await rest("GET", `/${table}?${query}`, { token, headers });
          expectNothingOf(answer, query);
          if (owner && answer.status === 206) expect(answer.range, query).toBe("*/0");
        }),
      );
    }
  });

  test("hands the same out in no other form", async () => {
    for (const token of callers()) {
      for (
        const accept of [
          "text/csv",
          "application/vnd.pgrst.object+json",
          "application/vnd.pgrst.array+json;nulls=stripped",
          "application/geo+json",
          "application/octet-stream",
          "application/vnd.pgrst.plan+text; options=analyze|verbose",
          'application/vnd.pgrst.plan+json; for="text/csv"; options=analyze',
          "application/openapi+json",
          "*/*",
        ]
      ) {
        const answer = await rest("GET", `/${table}`, { token, headers: { accept } });
        expectNothingOf(answer, accept);
        expect(answer.text, accept).not.toMatch(/Seq Scan|Planning Time|"Plan"/);
      }
    }
  });

  test("takes no column from a user: alone, named, upserted or as CSV", async () => {
    const before = await fingerprint(stack);
    const columns = await columnsOf(table);
    const prefer = (text: string) => ({ prefer: text });
    await Promise.all(
      columns.map(async (column) => {
        const token = ana;
        // Null is of every type, so that nothing but the missing right stands in its way.
        const body = { [column]: null };
        const answers = [
          await rest("POST", `/${table}`, { body }),
          await rest("POST", `/${table}`, { token, body }),
          await rest("POST", `/${table}?columns=${column}`, { token, body: [body, body] }),
          await rest("POST", `/${table}?on_conflict=${column}`, {
            token,
            body,
            headers: prefer("resolution=merge-duplicates, missing=default, return=representation"),
          }),
          await rest("POST", `/${table}`, { token, body, headers: prefer("tx=rollback") }),
          await rest("POST", `/${table}`, {
            token,
            raw: `${column}\nNULL\n`,
            headers: { "content-type": "text/csv" },
          }),
        ];
        // 42501: not permitted. A column that nobody can set is 428C9, an upsert by one that is no key 42P10;
        // any other refusal would be luck.
        for (const { text } of answers) expect(text, column).toMatch(REFUSED);
      }),
    );
    expect(await fingerprint(stack)).toEqual(before);
  });
});

test("an estimated count is one of one's own rows, not a guess at everybody's", async () => {
  for (let n = 0; n < 100; n++) await createUser(stack);
  await stack.superuser`analyze public.profiles`;
  const headers = { prefer: "count=estimated" };
  expect((await rest("HEAD", "/profiles", { token: ana, headers })).range).toBe("0-0/1");
});

test("a draft's seats are not told by handing in a raffle of one's own making", async () => {
  const [row] = await stack.sql`select r.* from public.raffles r where id = ${draftId}`;
  const answer = await rest("POST", "/rpc/tickets_sold", { token: ana, body: { raffle: row } });
  const none = await rest("POST", "/rpc/tickets_sold", {
    token: ana,
    body: { raffle: { ...row, id: crypto.randomUUID() } },
  });
  expect([answer.status, answer.text]).toEqual([none.status, none.text]);
});

describe("a caller is who their token says, whatever else a request claims", () => {
  test.each([
    ["x-forwarded-for", "127.0.0.1"],
    ["x-user-id", "operator"],
    ["x-role", "service_role"],
    ["role", "service_role"],
    ["x-hasura-role", "admin"],
    ["request.jwt.claims", '{"role":"service_role"}'],
    ["x-supabase-role", "service_role"],
    ["x-original-authorization", "the secret key"],
    ["prefer", "handling=strict, role=service_role"],
    ["prefer", "timezone=UTC'; set role service_role; --"],
    ["accept-profile", "public, app"],
  ])("%s: %s", async (name, value) => {
    const meant: Record<string, string> = {
      "operator": operator,
      "the secret key": `Bearer ${keys.secret_key}`,
    };
    const headers = { [name]: meant[value] ?? value };
    for (const token of callers()) {
      for (const path of ["/profiles", "/audit_log", "/tickets"]) {
        const answer = await rest("GET", path, { token, headers });
        expectNothingOf(answer, path);
      }
      const call = await rest("POST", "/rpc/seal_raffle", {
        token,
        headers,
        body: { raffle_id: drawnId },
      });
      expect([400, 401, 403, 406]).toContain(call.status);
    }
  });

  test("nor does an address call what changes something", async () => {
    const before = await fingerprint(stack);
    const token = tokenFor(operator);
    for (
      const call of [
        `set_account_status?user_id=${ben}&status=SUSPENDED`,
        `suspend_wallet?user_id=${ben}&reason=x`,
        `cancel_raffle?raffle_id=${drawnId}&reason=x&dry_run=false`,
        `publish_raffle?raffle_id=${draftId}`,
      ]
    ) {
      for (const method of ["GET", "HEAD"]) {
        const { status } = await rest(method, `/rpc/${call}`, { token });
        expect(status, call).toBeGreaterThanOrEqual(400);
        expect(status, call).toBeLessThan(500);
      }
    }
    expect(await fingerprint(stack)).toEqual(before);
  });
});
