// What a token is believed, and what an opaque key stands for.
import { beforeAll, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { call, clientFor, secretClient, signUp, testStack, tokenFor } from "../support/stack.ts";
import { forgedTokens } from "./forged-tokens.ts";

let stack: TestStack;
let ana: Person;
let admin: Person;
let tokens: Record<string, string>;
beforeAll(async () => {
  stack = await testStack();
  [ana, admin] = [await signUp(stack), await signUp(stack, { roles: ["admin"] })];
  tokens = forgedTokens(ana.id);
});

const names = Object.keys(forgedTokens("00000000-0000-4000-8000-000000000000"));
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The data API, with the publishable key unless the headers say otherwise. */
async function rest(path: string, headers: Record<string, string>, method = "GET") {
  const answer = await fetch(`${stack.apiUrl}/rest/v1${path}`, { method, headers });
  return { status: answer.status, body: await answer.json() };
}
const withKey = (headers: Record<string, string>) => ({
  apikey: keys.publishable_key,
  ...headers,
});

test("a good token opens the account, so that what follows is refused for the token alone", async () => {
  expect((await call(stack, "GET", "/account", { token: ana.token })).status).toBe(200);
  expect((await rest("/profiles?select=id", withKey(bearer(ana.token)))).body).toEqual([
    { id: ana.id },
  ]);
});

describe("a token is refused with 401 by functions and by the data API when it is", () => {
  test.each(names)("%s", async (name) => {
    const headers = bearer(tokens[name]);
    const requests = [
      call(stack, "GET", "/account", { headers }),
      call(stack, "PATCH", "/account", { headers, body: { display_name: "Intruder" } }),
      call(stack, "PATCH", "/account", { headers, raw: "{not json" }),
      call(stack, "PATCH", "/account", { headers, body: { unknown: true } }),
      call(stack, "POST", "/account/claim-admin", { headers, body: { secret: keys.admin_secret } }),
    ];
    for (const { status, body } of await Promise.all(requests)) {
      expect([status, body.error.code]).toEqual([401, "not_authenticated"]);
    }
    expect((await rest("/profiles?select=id", withKey(headers))).status).toBe(401);
    expect((await rest("/rpc/get_account", withKey(headers), "POST")).status).toBe(401);
    expect((await rest("/profiles?select=id", headers)).status).toBe(401);
    const [row] = await stack.sql`
      select display_name from public.profiles where id = ${ana.id}`;
    expect(row.display_name).toBeNull();
  });
});

test("a token of a user who does not exist is 401 from functions, and reaches no row", async () => {
  const ghost = tokenFor(crypto.randomUUID());
  for (const body of [{}, { unknown: true }]) {
    expect((await call(stack, "PATCH", "/account", { token: ghost, body })).status).toBe(401);
  }
  expect((await call(stack, "GET", "/account", { token: ghost })).status).toBe(401);
  expect((await rest("/rpc/get_account", withKey(bearer(ghost)), "POST")).status).toBe(401);
  for (const table of ["profiles", "user_roles", "play_limits", "audit_log"]) {
    expect(await rest(`/${table}`, withKey(bearer(ghost)))).toEqual({ status: 200, body: [] });
  }
});

test("the token of a user who was deleted stops working at once, also for what staff may do", async () => {
  const gone = await signUp(stack, { roles: ["admin"] });
  expect((await rest("/audit_log", withKey(bearer(gone.token)))).body).not.toEqual([]);
  await stack.sql`delete from auth.users where id = ${gone.id}`;
  expect((await call(stack, "GET", "/account", { token: gone.token })).status).toBe(401);
  expect((await rest("/audit_log", withKey(bearer(gone.token)))).body).toEqual([]);
});

test("a list of audiences with ours among them is ours", async () => {
  const token = tokenFor(ana.id, { aud: ["other", "authenticated"] });
  expect((await call(stack, "GET", "/account", { token })).status).toBe(200);
});

test.each([["Basic"], ["bearer-ish"], ["Bearer Bearer"], ["Bearer,"]])(
  "a good token after %j instead of Bearer does not sign in",
  async (scheme) => {
    const headers = { authorization: `${scheme} ${ana.token}` };
    expect((await call(stack, "GET", "/account", { headers })).status).toBe(401);
    expect((await rest("/profiles?select=id", withKey(headers))).status).toBe(401);
  },
);

describe("roles are never read from a token", () => {
  test.each([
    ["app_metadata.role", { app_metadata: { role: "admin", roles: ["admin"] } }],
    ["user_metadata", { user_metadata: { role: "admin", roles: ["operator", "admin"] } }],
    ["user_role", { user_role: "admin" }],
    ["roles", { roles: ["admin", "operator"] }],
    ["is_admin and aal", { is_admin: true, is_super_admin: true, aal: "aal2" }],
  ])("%s grants nothing", async (_, claims) => {
    const token = tokenFor(ana.id, claims);
    const { body } = await call(stack, "GET", "/account", { token });
    expect(body.roles).toEqual(["player"]);
    const client = clientFor(stack, token);
    expect((await client.from("profiles").select("id")).data).toEqual([{ id: ana.id }]);
    expect((await client.from("audit_log").select("id")).data).toEqual([]);
    const grant = await client.rpc("grant_role", { user_id: ana.id, role: "admin" });
    expect([grant.status, grant.error?.message]).toEqual([403, "not_permitted"]);
  });

  test("what a user writes into their own metadata at sign-up grants nothing", async () => {
    const person = await signUp(stack);
    await stack.sql`update auth.users set raw_app_meta_data = '{"role": "admin"}',
      raw_user_meta_data = '{"role": "admin", "status": "ACTIVE"}' where id = ${person.id}`;
    const { body } = await call(stack, "GET", "/account", { token: person.token });
    expect(body.roles).toEqual(["player"]);
  });
});

describe("power ends at once, for tokens that exist already", () => {
  const powers = async (token: string) => {
    const client = clientFor(stack, token);
    const seen = (await client.from("profiles").select("id")).data!.length;
    const kyc = await client.rpc("set_kyc_status", { user_id: ana.id, status: "PENDING" });
    return { seesOthers: seen > 1, changesKyc: kyc.error === null };
  };
  const all = { seesOthers: true, changesKyc: true };
  const none = { seesOthers: false, changesKyc: false };

  test.each(["SUSPENDED", "DEACTIVATED"] as const)("of an operator who is %s", async (status) => {
    const operator = await signUp(stack, { roles: ["operator"] });
    expect(await powers(operator.token)).toEqual(all);
    await clientFor(stack, admin.token)
      .rpc("set_account_status", { user_id: operator.id, status }).throwOnError();
    expect(await powers(operator.token)).toEqual(none);
  });

  test("of an operator whose role was taken away", async () => {
    const operator = await signUp(stack, { roles: ["operator"] });
    expect(await powers(operator.token)).toEqual(all);
    await clientFor(stack, admin.token)
      .rpc("revoke_role", { user_id: operator.id, role: "operator" }).throwOnError();
    expect(await powers(operator.token)).toEqual(none);
  });
});

describe("an opaque key", () => {
  const secret = { apikey: keys.secret_key };
  const seen = async (headers: Record<string, string>) => {
    const { status, body } = await rest("/profiles?select=id", headers);
    return status === 200 ? body.length : status;
  };
  const everybody = async () =>
    (await secretClient(stack).from("profiles").select("id")).data!.length;

  test("no key is 401, for reading, writing and calling", async () => {
    for (const method of ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]) {
      for (const path of ["/profiles", "/audit_log", "/rpc/report_health", "/", "/nowhere"]) {
        const answer = await fetch(`${stack.apiUrl}/rest/v1${path}`, { method });
        await answer.body?.cancel();
        expect(answer.status, `${method} ${path}`).toBe(401);
      }
    }
  });

  test.each([
    ["alone", { apikey: keys.publishable_key }],
    ["as the bearer", bearer(keys.publishable_key)],
    ["as both", withKey(bearer(keys.publishable_key))],
  ])("that is publishable, sent %s, is nobody in particular", async (_, headers) => {
    expect(await seen(headers as Record<string, string>)).toBe(401);
    const health = await rest("/rpc/report_health", headers as Record<string, string>, "POST");
    expect(health.status).toBe(200);
    const account = await call(stack, "GET", "/account", {
      headers: headers as Record<string, string>,
    });
    expect(account.status).toBe(401);
  });

  test.each([
    ["apikey", { apikey: "sb_publishable_unknown" }],
    ["secret apikey", { apikey: "sb_secret_unknown" }],
    ["bearer", bearer("sb_secret_unknown")],
    ["apikey beside a good token", { apikey: "sb_publishable_unknown" }, true],
    ["apikey that only begins like the secret one", { apikey: keys.secret_key.slice(0, -1) }],
  ])("that is unknown, sent as %s, is 401", async (_, headers, withToken = false) => {
    const all = { ...headers, ...(withToken ? bearer(ana.token) : {}) } as Record<string, string>;
    expect(await seen(all)).toBe(401);
    expect((await rest("/rpc/report_health", all, "POST")).status).toBe(401);
  });

  test("that is secret sees everybody; beside a user's token it sees what the user sees", async () => {
    const count = await everybody();
    expect(count).toBeGreaterThan(2);
    expect(await seen(secret)).toBe(count);
    expect(await seen(bearer(keys.secret_key))).toBe(count);
    expect(await seen({ ...secret, ...bearer(ana.token) })).toBe(1);
    expect(await seen({ ...secret, ...bearer(tokens["signed with another key"]) })).toBe(401);
  });

  test("that is secret is nobody's session for a function", async () => {
    const headers = { ...secret, ...bearer(keys.secret_key) };
    expect((await call(stack, "GET", "/account", { headers })).status).toBe(401);
  });
});
