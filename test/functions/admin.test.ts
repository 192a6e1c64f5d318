import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";
import { call, clientFor, signUp, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack()));
beforeEach(() => stack.sql`delete from public.user_roles`);

const claim = (token: string, secret: string) =>
  call(stack, "POST", "/account/claim-admin", { token, body: { secret } });

describe("the first admin", () => {
  test("is whoever knows the secret, once", async () => {
    const [ana, ben] = [await signUp(stack), await signUp(stack)];
    const wrong = await claim(ana.token, "not the secret");
    expect([wrong.status, wrong.body.error.code]).toEqual([403, "not_permitted"]);
    const right = await claim(ana.token, keys.admin_secret);
    expect([right.status, right.body.roles]).toEqual([200, ["player", "admin"]]);
    const second = await claim(ben.token, keys.admin_secret);
    expect([second.status, second.body.error.code]).toEqual([409, "admin_exists"]);
    // Whoever does not know the secret does not learn that there is an admin.
    expect((await claim(ben.token, "not the secret")).status).toBe(403);
  });

  test("twenty claims at once make one admin", async () => {
    const people = await Promise.all(Array.from({ length: 20 }, () => signUp(stack)));
    const answers = await Promise.all(people.map(({ token }) => claim(token, keys.admin_secret)));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 409)).toHaveLength(19);
    expect(await stack.sql`select from public.user_roles where role = 'admin'`).toHaveLength(1);
  });

  test("a sixth try within an hour is refused, even with the right secret, and every try is logged", async () => {
    const ana = await signUp(stack);
    for (let i = 0; i < 5; i++) expect((await claim(ana.token, `guess ${i}`)).status).toBe(403);
    const sixth = await claim(ana.token, keys.admin_secret);
    expect([sixth.status, sixth.body.error.code]).toEqual([429, "rate_limited"]);
    expect(Number(sixth.headers.get("retry-after"))).toBeGreaterThan(3500);
    const tries = await stack.sql`select granted from app.admin_claims where user_id = ${ana.id}`;
    expect(tries.map((row) => row.granted)).toEqual([false, false, false, false, false]);

    await stack.sql`update app.admin_claims set at = at - interval '61 minutes'`;
    expect((await claim(ana.token, keys.admin_secret)).status).toBe(200);
  });

  test("forty parallel tries by one user are five tries", async () => {
    const ana = await signUp(stack);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => claim(ana.token, `guess ${i}`)),
    );
    expect(answers.filter((answer) => answer.status === 403)).toHaveLength(5);
    expect(answers.filter((answer) => answer.status === 429)).toHaveLength(35);
  });

  test("a claim cannot be granted by a user, nor twice, nor late", async () => {
    const ana = await signUp(stack);
    const client = clientFor(stack, ana.token);
    const { data: claim_id } = await client.rpc("begin_admin_claim");
    expect((await client.rpc("grant_admin_claim", { claim_id: claim_id! })).error?.code).toBe(
      "42501",
    );
    await stack
      .sql`update app.admin_claims set at = at - interval '2 minutes' where id = ${claim_id}`;
    await expect(stack.sql`select app.grant_admin_claim(${claim_id})`).rejects.toThrow(
      "not_permitted",
    );
  });
});

describe("roles", () => {
  test("admins grant and revoke them, for tokens that exist already", async () => {
    const [admin, ana] = [await signUp(stack, { roles: ["admin"] }), await signUp(stack)];
    const client = clientFor(stack, admin.token);
    const roles = async () =>
      (await call(stack, "GET", "/account", { token: ana.token })).body.roles;
    await client.rpc("grant_role", { user_id: ana.id, role: "operator" }).throwOnError();
    await client.rpc("grant_role", { user_id: ana.id, role: "operator" }).throwOnError();
    expect(await roles()).toEqual(["player", "operator"]);
    await client.rpc("revoke_role", { user_id: ana.id, role: "operator" }).throwOnError();
    expect(await roles()).toEqual(["player"]);
    const unknown = await client.rpc("grant_role", {
      user_id: crypto.randomUUID(),
      role: "operator",
    });
    expect([unknown.status, unknown.error?.message]).toEqual([404, "user_not_found"]);
  });

  test.each(["player", "operator"] as const)("a %s grants none", async (role) => {
    const person = await signUp(stack, { roles: role === "player" ? [] : [role] });
    const answer = await clientFor(stack, person.token).rpc("grant_role", {
      user_id: person.id,
      role: "admin",
    });
    expect([answer.status, answer.error?.message]).toEqual([403, "not_permitted"]);
  });

  test("two admins who revoke each other at once leave one", async () => {
    for (let round = 0; round < 5; round++) {
      await stack.sql`delete from public.user_roles`;
      const pair = await Promise.all([
        signUp(stack, { roles: ["admin"] }),
        signUp(stack, { roles: ["admin"] }),
      ]);
      await Promise.all(
        pair.map(({ token }, i) =>
          clientFor(stack, token).rpc("revoke_role", { user_id: pair[1 - i].id, role: "admin" })
        ),
      );
      expect(await stack.sql`select from public.user_roles where role = 'admin'`).toHaveLength(1);
    }
  });

  test("the last admin cannot be revoked", async () => {
    const admin = await signUp(stack, { roles: ["admin"] });
    const answer = await clientFor(stack, admin.token).rpc("revoke_role", {
      user_id: admin.id,
      role: "admin",
    });
    expect([answer.status, answer.error?.message]).toEqual([409, "last_admin"]);
  });
});

describe("account status", () => {
  test("a deactivated user may do nothing that moves money, keeps the history, and can come back", async () => {
    const [operator, ana] = [await signUp(stack, { roles: ["operator"] }), await signUp(stack)];
    const client = clientFor(stack, operator.token);
    const tryToAct = () => claim(ana.token, "guess");
    await client.rpc("set_account_status", { user_id: ana.id, status: "DEACTIVATED" })
      .throwOnError();
    const refused = await tryToAct();
    expect([refused.status, refused.body.error.code]).toEqual([403, "account_suspended"]);
    const account = await call(stack, "GET", "/account", { token: ana.token });
    expect([account.status, account.body.profile.status]).toEqual([200, "DEACTIVATED"]);
    await client.rpc("set_account_status", { user_id: ana.id, status: "ACTIVE" }).throwOnError();
    expect((await tryToAct()).body.error.code).toBe("not_permitted");
  });

  test("an unverified user may not act", async () => {
    const ana = await signUp(stack, { confirmed: false });
    expect((await claim(ana.token, keys.admin_secret)).body.error.code).toBe("email_unverified");
  });

  test("an operator suspends players, not staff and not themselves; a suspended admin has no power", async () => {
    const [operator, admin] = [
      await signUp(stack, { roles: ["operator"] }),
      await signUp(stack, { roles: ["admin"] }),
    ];
    const second = await signUp(stack, { roles: ["admin"] });
    const suspend = (token: string, user_id: string) =>
      clientFor(stack, token).rpc("set_account_status", { user_id, status: "SUSPENDED" });
    expect((await suspend(operator.token, admin.id)).error?.message).toBe("not_permitted");
    expect((await suspend(operator.token, operator.id)).error?.message).toBe("not_permitted");
    expect((await suspend(admin.token, second.id)).error).toBeNull();
    expect((await suspend(second.token, admin.id)).error?.message).toBe("not_permitted");
  });
});

test("an operator verifies others, not themselves", async () => {
  const operator = await signUp(stack, { roles: ["operator"] });
  const client = clientFor(stack, operator.token);
  const verify = (user_id: string) => client.rpc("set_kyc_status", { user_id, status: "VERIFIED" });
  expect((await verify((await signUp(stack)).id)).error).toBeNull();
  expect((await verify(operator.id)).error?.message).toBe("not_permitted");
  await stack.sql`update public.profiles set birth_date = '2015-01-01' where id = ${operator.id}`;
  const older = await client.from("profiles").update({ birth_date: "1990-01-01" }).eq(
    "id",
    operator.id,
  );
  expect(older.error?.message).toBe("birth_date_locked");
});

test("what staff change is in the audit log, which only admins read and nobody edits", async () => {
  const [admin, ana] = [await signUp(stack, { roles: ["admin"] }), await signUp(stack)];
  const client = clientFor(stack, admin.token);
  await client.rpc("grant_role", { user_id: ana.id, role: "operator" }).throwOnError();
  await client.rpc("set_kyc_status", { user_id: ana.id, status: "VERIFIED" }).throwOnError();
  await client.rpc("set_setting", { name: "admin_claims_per_hour", value: 6 }).throwOnError();

  const { data } = await client.from("audit_log").select().eq("actor_id", admin.id).order("id")
    .throwOnError();
  expect(data!.map((row) => [row.actor_kind, row.action, row.subject_table, row.before, row.after]))
    .toMatchObject([
      ["admin", "insert", "user_roles", null, { role: "operator" }],
      ["admin", "update", "profiles", { kyc_status: "NONE" }, { kyc_status: "VERIFIED" }],
      ["admin", "update", "settings", { value: 5 }, { value: 6 }],
    ]);
  expect((await clientFor(stack, ana.token).from("audit_log").select()).data).toEqual([]);
  for (
    const statement of [
      "update public.audit_log set action = 'x'",
      "delete from public.audit_log",
      "truncate public.audit_log",
    ]
  ) {
    await expect(stack.sql.unsafe(statement)).rejects.toThrow("append-only");
    await expect(stack.superuser.unsafe(statement)).rejects.toThrow("append-only");
  }
  const wrong = await client.rpc("set_setting", { name: "admin_claims_per_hour", value: 0 });
  expect([wrong.status, wrong.error?.message]).toEqual([422, "request_invalid"]);
  expect((await client.rpc("set_setting", { name: "no_such_setting", value: 1 })).status).toBe(404);
});
