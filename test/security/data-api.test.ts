// The data API with real tokens: whatever way a user asks, another user's rows are neither seen nor
// changed, and the schemas behind it are not there.
import { beforeAll, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { signUp, testStack } from "../support/stack.ts";
import { functions, internal, tables } from "./access-matrix.ts";
import { insertSamples } from "./cast.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Sent } from "./rest.ts";
import { sendRest } from "./rest.ts";

let stack: TestStack;
let ana: Person;
let ben: Person;
let operator: Person;
beforeAll(async () => {
  stack = await testStack();
  [ana, ben] = [await signUp(stack), await signUp(stack, { roles: ["operator"] })];
  operator = await signUp(stack, { roles: ["operator"] });
  await insertSamples(stack, [ana.id, ben.id]);
});

const rest = (method: string, path: string, sent: Sent = {}) => sendRest(stack, method, path, sent);

const names = Object.keys(tables).map((name) => name.replace("public.", ""));
const ownerOf = (table: string) => tables[`public.${table}`].owner;

/** Sends the request and holds the whole database against what it was before. */
async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await fingerprint(stack);
  const result = await work();
  expect(await fingerprint(stack)).toEqual(before);
  return result;
}

describe.each(names)("%s: a user", (table) => {
  const query = (filter: string) => `/${table}?${filter}`;

  const rows = tables[`public.${table}`].rows;
  const isOpen = rows.user.select === "all";

  test.skipIf(isOpen)("finds no row of another by any filter, order or count", async () => {
    const owner = ownerOf(table);
    const filters = [
      `${owner}=eq.${ben.id}`,
      `${owner}=neq.${ana.id}`,
      `${owner}=in.(${ben.id},${operator.id})`,
      `or=(${owner}.eq.${ben.id},${owner}.is.null)`,
      `not.and=(${owner}.eq.${ana.id},${owner}.eq.${ana.id})`,
    ];
    for (const filter of filters) {
      const answer = await rest("GET", query(filter), {
        token: ana.token,
        headers: { prefer: "count=exact" },
      });
      expect([answer.text, answer.range], filter).toEqual(["[]", "*/0"]);
      const head = await rest("HEAD", query(filter), {
        token: ana.token,
        headers: { prefer: "count=estimated" },
      });
      expect(head.range?.split("/")[0], filter).toBe("*");
    }
    const whole = await rest("GET", `/${table}`, { token: ana.token });
    expect(whole.text).not.toContain(ben.id);
  });

  test("changes and deletes no row of another, whatever the request prefers", async () => {
    // A column that may be changed, if there is one: the rows must be what protects it.
    const body = table === "profiles" ? { locale: "it" } : { [ownerOf(table)]: ana.id };
    for (const prefer of ["return=minimal", "return=representation", "tx=commit"]) {
      const headers = { prefer };
      for (const filter of [`${ownerOf(table)}=eq.${ben.id}`, `${ownerOf(table)}=neq.${ana.id}`]) {
        await changesNothing(async () => {
          const answers = [
            await rest("DELETE", query(filter), { token: ana.token, headers }),
            await rest("PATCH", query(filter), { token: ana.token, headers, body }),
          ];
          for (const { status, text } of answers) {
            expect(status === 403 || text === "" || text === "[]", text).toBe(true);
          }
        });
      }
    }
  });

  test("adds no row for another or for themselves: insert, bulk insert, upsert, put", async () => {
    for (const { id } of [ben, ana]) {
      const row = tables[`public.${table}`].sample(id) ?? { [ownerOf(table)]: id };
      for (const prefer of ["", "resolution=merge-duplicates", "resolution=ignore-duplicates"]) {
        await changesNothing(async () => {
          for (const body of [row, [row, row]]) {
            const answer = await rest("POST", `/${table}`, {
              token: ana.token,
              body,
              headers: { prefer },
            });
            expect([401, 403], answer.text).toContain(answer.status);
          }
        });
      }
      const put = () =>
        rest("PUT", query(`${ownerOf(table)}=eq.${id}`), { token: ana.token, body: row });
      expect((await changesNothing(put)).status).toBeGreaterThanOrEqual(400);
    }
  });

  test("sets in their own row only the columns that are granted", async () => {
    const granted = /update\(([^)]*)\)/.exec(tables[`public.${table}`].granted.authenticated ?? "");
    const open = granted?.[1].split(", ") ?? [];
    for (const column of (await readColumns(table)).filter((one) => !open.includes(one))) {
      // Alone, and hidden among columns that may be set.
      const among = Object.fromEntries(open.map((one) => [one, null]));
      for (const body of [{ [column]: null }, { ...among, locale: "it", [column]: null }]) {
        await changesNothing(async () => {
          const answer = await rest("PATCH", query(`${ownerOf(table)}=eq.${ana.id}`), {
            token: ana.token,
            body,
          });
          expect(answer.status, `${column}: ${answer.text}`).toBeGreaterThanOrEqual(400);
          expect(answer.status).toBeLessThan(500);
        });
      }
    }
  });

  test("without a token is refused everything but what everyone reads", async () => {
    const body = { [ownerOf(table)]: ana.id };
    for (const [method, sent] of [["GET"], ["POST", body], ["PATCH", body], ["DELETE"]] as const) {
      const answer = await changesNothing(() => rest(method, `/${table}`, { body: sent }));
      const mayRead = method === "GET" && rows.nobody.select;
      expect(answer.status, method).toBe(mayRead ? 200 : 401);
    }
  });
});

test("a change without any filter stops at the user's own row", async () => {
  for (const prefer of ["return=minimal", "return=representation"]) {
    const answer = await rest("PATCH", "/profiles", {
      token: ana.token,
      body: { phone: "+34600111222" },
      headers: { prefer },
    });
    expect(answer.status).toBeLessThan(300);
    const changed = await stack.sql`select id from public.profiles where phone is not null`;
    expect(changed).toEqual([{ id: ana.id }]);
  }
});

test("no one finds another's row by embedding one table in another", async () => {
  const closed = names.filter((table) => tables[`public.${table}`].rows.user.select !== "all");
  for (const table of closed) {
    for (const other of closed.filter((one) => one !== table)) {
      for (const shape of ["", "!inner", "!left"]) {
        const { status, text } = await rest("GET", `/${table}?select=*,${other}${shape}(*)`, {
          token: ana.token,
        });
        expect(status).toBeLessThan(500);
        expect(text).not.toContain(ben.id);
        expect(text).not.toContain(operator.id);
      }
    }
  }
});

test("an operator changes what is granted in a player's profile, and not what only functions may", async () => {
  const patch = (body: unknown) =>
    rest("PATCH", `/profiles?id=eq.${ana.id}`, { token: operator.token, body });
  expect((await patch({ country: "ES" })).status).toBe(204);
  for (const column of ["status", "kyc_status", "self_excluded_until", "id", "created_at"]) {
    const answer = await changesNothing(() => patch({ [column]: null }));
    expect(answer.status, column).toBe(403);
  }
});

describe("what is behind the API is not on it", () => {
  const hidden = [
    ...Object.keys(internal).filter((name) => name.startsWith("app.")),
    "auth.users",
    "auth.refresh_tokens",
    "cron.job",
    "pg_catalog.pg_authid",
    "information_schema.tables",
    "supabase_migrations.schema_migrations",
  ];

  test.each(hidden)("%s, for anybody, the secret key included", async (name) => {
    const [schema, table] = name.split(".");
    const keysOf: Sent[] = [{}, { token: ana.token }, { token: operator.token }, {
      headers: { apikey: keys.secret_key },
    }];
    for (const sent of keysOf) {
      for (const method of ["GET", "POST", "PATCH", "DELETE"]) {
        const header = method === "GET" ? "accept-profile" : "content-profile";
        const answer = await rest(method, `/${table}`, {
          token: sent.token,
          headers: { ...sent.headers, [header]: schema },
          body: method === "POST" || method === "PATCH" ? {} : undefined,
        });
        expect([answer.status, JSON.parse(answer.text).code]).toEqual([406, "PGRST106"]);
      }
      for (const path of [`/${table}`, `/${name}`]) {
        expect((await rest("GET", path, sent)).status).toBe(404);
      }
    }
  });

  test("no function of app can be called", async () => {
    for (const name of Object.keys(functions).filter((one) => one.startsWith("app."))) {
      const short = name.slice(4, name.indexOf("("));
      const answer = await rest("POST", `/rpc/${short}`, {
        headers: { apikey: keys.secret_key, "content-profile": "app" },
        body: {},
      });
      expect(answer.status, short).toBe(406);
    }
  });

  test("neither the description of the API nor a query's plan is shown", async () => {
    expect((await rest("GET", "/", { token: ana.token })).status).toBe(404);
    const plan = await rest("GET", "/profiles", {
      token: ana.token,
      headers: { accept: "application/vnd.pgrst.plan+json" },
    });
    expect([406, 415]).toContain(plan.status);
  });
});

async function readColumns(table: string): Promise<string[]> {
  const rows = await stack.superuser`
    select attname from pg_attribute where attrelid = ${`public.${table}`}::regclass
      and attnum > 0 and not attisdropped order by attnum`;
  return rows.map((row) => row.attname);
}
