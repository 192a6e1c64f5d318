// Whatever is sent to whatever route: a clear refusal in the API's shape, and nothing written.
import { beforeAll, describe, expect, test } from "vitest";
import { contracts } from "../../functions/health/contracts.ts";
import { keys } from "../support/database.ts";
import type { Person, TestStack } from "../support/stack.ts";
import { signUp, testStack } from "../support/stack.ts";
import { fingerprint } from "./fingerprint.ts";
import { hostileBodies } from "./hostile-bodies.ts";
import { expectRefusal, sendRaw } from "./raw-http.ts";

let stack: TestStack;
let ana: Person;
beforeAll(async () => {
  stack = await testStack();
  ana = await signUp(stack);
  await signUp(stack, { roles: ["admin"] });
});

const routes = contracts.flatMap((contract) =>
  Object.values(contract.routes).map((route) => ({
    ...route,
    method: route.method.toUpperCase(),
    name: `${route.method.toUpperCase()} /${contract.name}${route.path}`,
    /** With an id that is nobody's where the route has a parameter. */
    url: `/${contract.name}${route.path === "/" ? "" : route.path}`
      .replace(/:\w+/g, "00000000-0000-4000-8000-000000000000"),
  }))
);
const withBody = routes.filter((route) => route.body);
const urls = [...new Set(routes.map((route) => route.url))];
const key = { "idempotency-key": "hostile" };
const tokenOf = (caller: string) => caller === "scheduler" ? keys.scheduler_secret : ana.token;

async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await fingerprint(stack);
  const result = await work();
  expect(await fingerprint(stack)).toEqual(before);
  return result;
}

describe.each(withBody)("$name refuses", ({ method, url, caller }) => {
  test.each(hostileBodies)("$name", async ({ name, body, headers, status, code }) => {
    const answer = await changesNothing(() =>
      sendRaw(stack, method, url, { token: tokenOf(caller), headers: { ...headers, ...key }, body })
    );
    expectRefusal(answer, name);
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
  });

  test.runIf(caller !== "anyone")(
    "all of them with 401, or 413, to whoever is not signed in",
    async () => {
      await changesNothing(async () => {
        for (const { name, body, headers, status } of hostileBodies) {
          const answer = await sendRaw(stack, method, url, {
            headers: { ...headers, ...key },
            body,
          });
          expectRefusal(answer, name);
          // What is too large is not even read.
          expect(answer.status, name).toBe(status === 413 ? 413 : 401);
        }
      });
    },
  );
});

test("a body that is just small enough is read, and refused for what it says", async () => {
  const body = `"${"x".repeat(64 * 1024 - 2)}"`;
  for (const sent of [body, [body.slice(0, 30_000), body.slice(30_000)]]) {
    const answer = await sendRaw(stack, "PATCH", "/account", {
      token: ana.token,
      headers: { "content-type": "application/json" },
      body: sent,
    });
    expect(answer.status).toBe(422);
  }
});

test("the prototype of no object was changed by what was sent", async () => {
  const { body } = await sendRaw(stack, "GET", "/account", { token: ana.token });
  expect(body.roles).toEqual(["player"]);
  expect(body.profile.role).toBeUndefined();
});

describe("addresses", () => {
  const weird = [
    ...[
      "%00",
      "%ff",
      "%",
      "%zz",
      "%2e%2e%2f",
      "%2f",
      ";a=b",
      "'",
      "%27%20or%201=1",
      "%0d%0aset-cookie:x=1",
    ],
    ...[
      "x".repeat(8_000),
      "x".repeat(60_000),
      "a/".repeat(4_000),
      "http://other.example/",
      "*",
      "%u0000",
    ],
  ].flatMap((tail) => [`/account/${tail}`, `/health/${tail}`, `/${tail}`]);
  const others = [
    "//account",
    "///",
    "/account//",
    "/account//limits",
    "/account/./../nowhere",
    "/account/limits/..//",
    "/ACCOUNT",
    "/Account/limits",
    "/__proto__",
    "/constructor",
    "/hasOwnProperty",
    "/account/__proto__",
    "/index.ts",
    "/account/index.ts",
    "/account/contract.ts",
    "/shared/env.ts",
    "/.env",
  ];

  test("that are weird or unknown are 404, for every method", async () => {
    await changesNothing(async () => {
      for (const path of [...weird, ...others]) {
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
          const answer = await sendRaw(stack, method, path, { token: ana.token, headers: key });
          const what = `${method} ${path.slice(0, 60)}`;
          expectRefusal(answer, what);
          expect(answer.status, what).toBe(404);
        }
      }
    });
  });

  test("with a strange query are answered as without it, or refused", async () => {
    for (const { url, method } of routes.filter((route) => route.method === "GET")) {
      for (
        const query of ["%00=%00", "%ff", "__proto__[x]=1", "a".repeat(60_000), "&&&===", "x=%"]
      ) {
        const answer = await sendRaw(stack, method, `${url}?${query}`, { token: ana.token });
        if (answer.status !== 200) expectRefusal(answer, `${url}?${query.slice(0, 40)}`);
      }
    }
  });

  // The local gateway cuts its prefix off the path as it is after .. was taken out of it.
  test("that climb out of the functions are 404", async () => {
    for (
      const path of ["/../../rest/v1/profiles", "/../nowhere", "/../xxxxxxxxxxxxx@127.0.0.1:1/"]
    ) {
      expect((await sendRaw(stack, "GET", path)).status, path).toBe(404);
    }
  });
});

test("a session that is not valid is 401 where one is needed, however large it is", async () => {
  for (const { method, url, caller } of routes.filter((route) => route.caller !== "anyone")) {
    for (const token of ["x".repeat(50_000), "a b", "null", "undefined"]) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await changesNothing(() => sendRaw(stack, method, url, { headers }));
      expectRefusal(answer, `${caller} ${url}`);
      expect(answer.status).toBe(401);
    }
  }
});

test("where no session is needed one that is not valid changes nothing", async () => {
  const answer = await sendRaw(stack, "GET", "/health", { token: "expired" });
  expect(answer.status).toBe(200);
});

describe.each(urls)("%s", (url) => {
  const allowed = routes.filter((route) => route.url === url).map((route) => route.method);

  test("answers 405 with what is allowed to every other method", async () => {
    const methods = [
      "GET",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
      "PROPFIND",
      "PURGE",
      "SEARCH",
      "LOCK",
    ];
    for (const method of methods.filter((one) => !allowed.includes(one))) {
      const answer = await changesNothing(() =>
        sendRaw(stack, method, url, {
          token: ana.token,
          headers: { "content-type": "application/json", ...key },
          body: '{"locale":"it"}',
        })
      );
      expectRefusal(answer, method);
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, allowed.join(", ")]);
    }
  });

  test("is not fooled by a method override", async () => {
    const other = ["DELETE", "PUT", "PATCH"].find((method) => !allowed.includes(method))!;
    for (const name of ["x-http-method-override", "x-method-override", "x-http-method"]) {
      const answer = await changesNothing(() =>
        sendRaw(stack, other, url, { token: ana.token, headers: { [name]: allowed[0] } })
      );
      expect(answer.status).toBe(405);
    }
  });

  test("survives huge and hostile headers", async () => {
    const headers: Record<string, string>[] = [
      { "x-large": "x".repeat(50_000) },
      { "accept-language": "es;q=".repeat(5_000) },
      { "accept-language": "__proto__, constructor;q=NaN" },
      { "x-request-id": '"}\t{"forged":1' },
      { "x-request-id": "x".repeat(30_000) },
      { "idempotency-key": "x".repeat(30_000) },
      { "content-type": `application/json;${"x".repeat(30_000)}` },
      { cookie: "x".repeat(50_000) },
      { authorization: "Bearer" },
      { "x-forwarded-host": "other.example", "x-forwarded-proto": "javascript" },
      { origin: "null", "access-control-request-method": "TRACE" },
    ];
    for (const method of ["GET", "DELETE"]) {
      for (const one of headers) {
        const answer = await changesNothing(() => sendRaw(stack, method, url, { headers: one }));
        const what = `${method} ${JSON.stringify(one).slice(0, 60)}`;
        if (answer.status !== 200) expectRefusal(answer, what);
        expect(answer.headers.get("x-request-id"), what).toMatch(/^[A-Za-z0-9_.:-]{1,128}$/);
      }
    }
  });
});
