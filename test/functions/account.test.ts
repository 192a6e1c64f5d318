import { beforeAll, describe, expect, test } from "vitest";
import { keys } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";
import { call, clientFor, signUp, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack()));

describe("the profile", () => {
  test("a user reads their own profile, roles, limits and self-exclusion", async () => {
    const ana = await signUp(stack);
    const { status, body } = await call(stack, "GET", "/account", { token: ana.token });
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(["limits", "profile", "roles", "self_excluded_until"]);
    expect(body.profile).toMatchObject({
      id: ana.id,
      locale: "en",
      kyc_status: "NONE",
      status: "ACTIVE",
    });
    expect(body.roles).toEqual(["player"]);
  });

  test("a partial change keeps everything that is not sent", async () => {
    const ana = await signUp(stack);
    const patch = (body: unknown) => call(stack, "PATCH", "/account", { token: ana.token, body });
    await patch({ display_name: "Ana", country: "ES", preferences: { marketing: true } });
    const { status, body } = await patch({
      locale: "es",
      preferences: { channels: { email: false } },
    });
    expect(status).toBe(200);
    expect(body.profile).toMatchObject({
      display_name: "Ana",
      country: "ES",
      locale: "es",
      preferences: { marketing: true, channels: { email: false } },
    });
    expect((await patch({ locale: "es-CO" })).body.profile.locale).toBe("es-CO");
    expect((await patch({ country: null })).body.profile.country).toBeNull();
    expect((await patch({})).body.profile.display_name).toBe("Ana");
  });

  test.each([
    "role",
    "roles",
    "status",
    "kyc_status",
    "balance_cents",
    "id",
    "self_excluded_until",
    "created_at",
  ])(
    "%s cannot be set by the user",
    async (field) => {
      const ana = await signUp(stack);
      const before = await call(stack, "GET", "/account", { token: ana.token });
      const answer = await call(stack, "PATCH", "/account", {
        token: ana.token,
        body: { display_name: "Changed", [field]: "admin" },
      });
      expect(answer.status).toBe(422);
      expect(answer.body.error).toMatchObject({
        code: "request_invalid",
        details: { issues: [{ path: field }] },
      });
      const direct = await clientFor(stack, ana.token).rpc("update_account", {
        changes: { [field]: "ACTIVE" },
      });
      expect(direct.error?.message).toBe("request_invalid");
      expect((await call(stack, "GET", "/account", { token: ana.token })).body).toEqual(
        before.body,
      );
    },
  );

  test.each([
    ["display_name", ""],
    ["display_name", "x".repeat(81)],
    ["phone", "600 111 222"],
    ["country", "es"],
    ["locale", "de"],
    ["birth_date", "2001-02-30"],
    ["birth_date", "3000-01-01"],
    ["birth_date", "1800-01-01"],
    ["preferences", { text: "x".repeat(5000) }],
    ["display_name", "evil\u202etxt"],
    ["display_name", "two\nlines"],
  ])("a bad %s is refused and named", async (field, value) => {
    const ana = await signUp(stack);
    const answer = await call(stack, "PATCH", "/account", {
      token: ana.token,
      body: { [field]: value },
    });
    expect(answer.status).toBe(422);
    expect(answer.body.error.code).toBe("request_invalid");
    expect(answer.body.error.details.issues[0].path).toBe(field);
  });

  test("preferences cannot be made larger than they look, by the function or by the table", async () => {
    const ana = await signUp(stack);
    const raw = `{"preferences":{"n":1e131000}}`;
    expect((await call(stack, "PATCH", "/account", { token: ana.token, raw })).status).toBe(422);
    const direct = await fetch(`${stack.apiUrl}/rest/v1/profiles?id=eq.${ana.id}`, {
      method: "PATCH",
      headers: {
        apikey: keys.publishable_key,
        authorization: `Bearer ${ana.token}`,
        "content-type": "application/json",
      },
      body: raw,
    });
    expect([direct.status, (await direct.json()).code]).toEqual([400, "23514"]);
  });

  test("a birth date is set once by the user, and changed only by operators", async () => {
    const [ana, operator] = [await signUp(stack), await signUp(stack, { roles: ["operator"] })];
    const patch = (birth_date: string) =>
      call(stack, "PATCH", "/account", { token: ana.token, body: { birth_date } });
    expect((await patch("2001-05-06")).body.profile.birth_date).toBe("2001-05-06");
    expect((await patch("2001-05-06")).status).toBe(200);
    const refused = await patch("1990-01-01");
    expect(refused.status).toBe(409);
    expect(refused.body.error.code).toBe("birth_date_locked");

    const direct = clientFor(stack, ana.token).from("profiles").update({ birth_date: "1990-01-01" })
      .eq("id", ana.id);
    expect((await direct).error?.message).toBe("birth_date_locked");
    const byOperator = await clientFor(stack, operator.token).from("profiles")
      .update({ birth_date: "1999-09-09" }).eq("id", ana.id).select("birth_date").single();
    expect(byOperator.data?.birth_date).toBe("1999-09-09");
    const theirs = (birth_date: string) =>
      clientFor(stack, operator.token).from("profiles").update({ birth_date }).eq(
        "id",
        operator.id,
      );
    expect((await theirs("1999-09-09")).error).toBeNull();
    expect((await theirs("1999-09-10")).error?.message).toBe("birth_date_locked");
  });

  test("a lost profile is made again, once, by twenty requests at the same time", async () => {
    const ana = await signUp(stack);
    await stack.sql`delete from public.profiles where id = ${ana.id}`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call(stack, "GET", "/account", { token: ana.token })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200));
    expect(await stack.sql`select id from public.profiles where id = ${ana.id}`).toHaveLength(1);
  });

  test("whoever changes their account too often is told when to come back; self-exclusion never waits", async () => {
    const ana = await signUp(stack);
    const change = () =>
      call(stack, "PATCH", "/account", { token: ana.token, body: { locale: "it" } });
    await stack.sql`update app.rate_limits set burst = 2 where class = 'account'`;
    expect([(await change()).status, (await change()).status]).toEqual([200, 200]);
    const refused = await change();
    expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limited"]);
    expect(Number(refused.headers.get("retry-after"))).toBe(refused.body.error.details.retry_after);
    expect(refused.body.error.details.retry_after).toBeGreaterThan(20);
    for (let i = 1; i <= 3; i++) {
      const excluded = await call(stack, "POST", "/account/self-exclusion", {
        token: ana.token,
        body: { days: i },
      });
      expect(excluded.status).toBe(200);
    }
    await stack.sql`update app.rate_limits set burst = 120 where class = 'account'`;
  });

  test("messages come in the caller's language, codes stay the same", async () => {
    const languages = {
      "es-ES,en;q=0.5": "Inicia sesión.",
      it: "Effettua l'accesso.",
      "de, fr": "Please sign in.",
    };
    for (const [language, message] of Object.entries(languages)) {
      const answer = await call(stack, "GET", "/account", {
        headers: { "accept-language": language },
      });
      expect(answer.status).toBe(401);
      expect(answer.body.error).toMatchObject({ code: "not_authenticated", message });
    }
  });
});

describe("play limits", () => {
  const put = (token: string, amount_cents: unknown, rest = {}) =>
    call(stack, "PUT", "/account/limits", {
      token,
      body: { kind: "spend", period: "day", amount_cents, currency: "EUR", ...rest },
    });

  test("a limit is lowered at once and raised only after a day", async () => {
    const ana = await signUp(stack);
    expect((await put(ana.token, 5000)).body.limits).toEqual([
      { kind: "spend", period: "day", currency: "EUR", amount_cents: 5000 },
    ]);
    expect((await put(ana.token, 2000)).body.limits[0].amount_cents).toBe(2000);
    const raised = (await put(ana.token, 9000)).body.limits[0];
    expect(raised).toMatchObject({ amount_cents: 2000, pending: { amount_cents: 9000 } });
    const hours = (Date.parse(raised.pending.effective_at) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);

    const again = (await put(ana.token, 9000)).body.limits[0];
    expect(again.pending.effective_at).toBe(raised.pending.effective_at);

    await stack.sql`update public.play_limits set pending_from = now() - interval '1 second'`;
    const later = await call(stack, "GET", "/account", { token: ana.token });
    expect(later.body.limits[0]).toEqual({
      kind: "spend",
      period: "day",
      currency: "EUR",
      amount_cents: 9000,
    });
    expect((await put(ana.token, 9500)).body.limits[0]).toMatchObject({
      amount_cents: 9000,
      pending: { amount_cents: 9500 },
    });
    const lowered = (await put(ana.token, 100)).body.limits[0];
    expect(lowered).toEqual({ kind: "spend", period: "day", currency: "EUR", amount_cents: 100 });
  });

  test.each([[-1], [1.5], ["100"], [null], [1e308], [2 ** 53]])(
    "an amount of %s is refused",
    async (amount) => {
      const ana = await signUp(stack);
      expect((await put(ana.token, amount)).status).toBe(422);
      expect((await call(stack, "GET", "/account", { token: ana.token })).body.limits).toEqual([]);
    },
  );
});

describe("self-exclusion", () => {
  const exclude = (token: string, body: unknown) =>
    call(stack, "POST", "/account/self-exclusion", { token, body });

  test("can be made longer but never lifted or shortened", async () => {
    const ana = await signUp(stack);
    const first = await exclude(ana.token, { days: 30 });
    expect(first.status).toBe(200);
    const until = Date.parse(first.body.self_excluded_until);
    expect(until - Date.now()).toBeGreaterThan(29.9 * 86_400_000);

    const shorter = await exclude(ana.token, { days: 1 });
    expect([shorter.status, shorter.body.error.code]).toEqual([409, "self_exclusion_locked"]);
    expect((await exclude(ana.token, { until: "2020-01-01T00:00:00Z" })).status).toBe(422);
    const longer = await exclude(ana.token, { days: 60 });
    expect(Date.parse(longer.body.self_excluded_until)).toBeGreaterThan(until);
    const direct = await clientFor(stack, ana.token).from("profiles")
      .update({ self_excluded_until: null } as never).eq("id", ana.id);
    expect(direct.error?.code).toBe("42501");
  });

  test.each([[{}], [{ days: 0 }], [{ days: 1.5 }], [{ days: 1, until: "2030-01-01T00:00:00Z" }], [{
    until: "soon",
  }]])(
    "%j is refused",
    async (body) => {
      const ana = await signUp(stack);
      expect((await exclude(ana.token, body)).status).toBe(422);
    },
  );
});
