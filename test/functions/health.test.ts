import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { contracts } from "../../functions/health/contracts.ts";
import { VERSION } from "../../shared/version.ts";
import type { TestStack } from "../support/stack.ts";
import { call, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack({}, { clock: true })));

const control = async (url: string, verb: string, body: unknown = {}) => {
  const answer = await fetch(`${url}/_control/${verb}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await answer.body?.cancel();
  expect(answer.status).toBeLessThan(300);
};

describe("health", () => {
  afterEach(async () => {
    await control(stack.services.drandUrl, "reset");
    await control(stack.services.novuUrl, "reset");
    await control(stack.services.stripeUrl, "reset");
    await stack.sql`update public.jobs set failures = 0, next_run_at = now() + interval '1 minute'`;
    await stack
      .sql`update public.operator_alerts set resolved_at = now() where resolved_at is null`;
  });

  test("everything that works says so", async () => {
    const { status, body } = await call(stack, "GET", "/health");
    expect(status).toBe(200);
    const ok = { status: "ok" };
    const { jobs, ...others } = body.checks;
    expect({ ...body, checks: others }).toEqual({
      status: "ok",
      version: VERSION,
      checks: { database: ok, stripe: ok, beacon: ok, novu: ok },
    });
    const names = await stack.sql`select name from public.jobs order by name`;
    expect(jobs.status).toBe("ok");
    expect(Object.keys(jobs.ages).sort()).toEqual(names.map(({ name }) => name).sort());
  });

  test("messages that wait while none is sent are named", async () => {
    await stack.sql`select cron.unschedule('send-notifications')`;
    await stack.sql`insert into public.notifications (outbox_id, event, user_id, happened_at)
      values (-1, 'welcome', gen_random_uuid(), now() - interval '16 minutes')`;
    const { status, body } = await call(stack, "GET", "/health");
    expect([status, body.checks.novu.reason]).toEqual([503, "messages wait to be sent"]);
    await stack
      .sql`insert into public.notifications (outbox_id, event, user_id, happened_at, status, due_at, ended_at)
      values (-2, 'welcome', gen_random_uuid(), now(), 'SENT', null, now())`;
    expect((await call(stack, "GET", "/health")).status).toBe(200);
    await stack.sql`delete from public.notifications where outbox_id < 0`;
  });

  test("however many ask at once, each part is asked once", async () => {
    const asked = async () => {
      const answer = await fetch(`${stack.services.stripeUrl}/_control/requests?path=/v1/balance`);
      return (await answer.json()).requests.length;
    };
    const before = await asked();
    await control(stack.services.stripeUrl, "faults", {
      kind: "hang",
      ms: 500,
      path: "/v1/balance",
      times: 1,
    });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call(stack, "GET", "/health")),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await asked() - before).toBe(1);
  });

  test("it says how long ago each job did its work", async () => {
    const age = async () =>
      (await call(stack, "GET", "/health")).body.checks.jobs.ages["expire-purchases"];
    await expect.poll(age, { timeout: 60_000 }).toBeLessThan(30);
    await stack.sql`update public.jobs set last_succeeded_at = now() - interval '1 day'
      where name = 'pass-on-prizes'`;
    const { body } = await call(stack, "GET", "/health");
    expect(body.checks.jobs.ages["pass-on-prizes"]).toBeGreaterThanOrEqual(86_400);
  });

  test.each([
    ["beacon", () => control(stack.services.drandUrl, "down")],
    ["novu", () => control(stack.services.novuUrl, "down")],
    [
      "stripe",
      () =>
        control(stack.services.stripeUrl, "faults", {
          kind: "error",
          status: 500,
          path: "/v1/balance",
        }),
    ],
    ["jobs", () => stack.sql`update public.jobs set failures = 3 where name = 'purge'`],
    [
      "jobs",
      () =>
        stack
          .sql`update public.jobs set next_run_at = now() - interval '3 minutes' where name = 'purge'`,
    ],
    [
      "database",
      () => stack.sql`select app.alert_operators('invariant', 'something: does not add up')`,
    ],
  ])("when the %s fails it is named, and nothing else is", async (part, breakIt) => {
    await breakIt();
    const { status, body } = await call(stack, "GET", "/health");
    expect([status, body.status]).toEqual([503, "degraded"]);
    const degraded = Object.entries<{ status: string; reason?: string }>(body.checks)
      .filter(([, check]) => check.status !== "ok");
    expect(degraded.map(([name]) => name)).toEqual([part]);
    expect(degraded[0][1].reason).not.toMatch(/127\.0\.0\.1|http/);
  });

  test("a bad token of whoever asks is not a bad database", async () => {
    expect((await call(stack, "GET", "/health", { token: "not.a.token" })).status).toBe(200);
  });

  test("a Stripe key that is refused is named", async () => {
    const misconfigured = await testStack({
      STRIPE_SECRET_KEY: "sk_live_not_a_key_of_the_simulator",
    });
    const { status, body } = await call(misconfigured, "GET", "/health");
    expect([status, body.checks.stripe]).toEqual([503, {
      status: "degraded",
      reason: "refused our key",
    }]);
  });

  test("without a database it answers all the same, and recovers by itself", async () => {
    stack.services.postgrest.kill();
    const { status, body } = await call(stack, "GET", "/health");
    expect(status).toBe(503);
    const reason = "too busy, or not reachable";
    expect(body.checks.database).toEqual({ status: "degraded", reason });
    // Whether jobs run is for the database to say; the others are asked themselves.
    expect(["stripe", "novu", "beacon"].map((part) => body.checks[part].status))
      .toEqual(["ok", "ok", "ok"]);
    const statusNow = async () => (await call(stack, "GET", "/health")).status;
    await expect.poll(statusNow, { timeout: 30_000, interval: 200 }).toBe(200);
  });
});

describe("OpenAPI", () => {
  test("describes every route of every function, and is 3.1", async () => {
    const { status, body } = await call(stack, "GET", "/health/openapi.json");
    expect([status, body.openapi]).toEqual([200, "3.1.0"]);
    for (const { name, routes } of contracts) {
      for (const route of Object.values(routes)) {
        const path = `/${name}${route.path === "/" ? "" : route.path}`.replace(/:(\w+)/g, "{$1}");
        expect(body.paths[path]?.[route.method], `${route.method} ${path}`).toBeDefined();
      }
    }
    const patch = body.paths["/account"].patch;
    expect(patch.requestBody.content["application/json"].schema.additionalProperties).toBe(false);
    expect(patch.responses["409"].description).toContain("birth_date_locked");
    for (const path of ["/raffles", "/raffles/{id}"]) {
      expect(body.paths[path].get.responses["304"]).toBeDefined();
    }
    const buying = body.paths["/purchase"].post.responses;
    for (const [status, code] of [["402", "card_declined"], ["404", "ticket_not_found"]]) {
      expect(buying[status].description).toContain(code);
    }
    expect(JSON.stringify(body)).not.toContain('"$schema"');
  });

  test("what the functions answer is what it says they answer", async () => {
    const health =
      contracts.flatMap(({ routes }) => Object.entries(routes)).find(([name]) =>
        name === "readHealth"
      )![1];
    const { body } = await call(stack, "GET", "/health");
    expect(() => health.response.parse(body)).not.toThrow();
  });

  test("can be browsed", async () => {
    const { status, headers, body } = await call(stack, "GET", "/health/docs");
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=UTF-8"]);
    expect(body).toContain("openapi.json");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  });
});
