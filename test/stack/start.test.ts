// `npm start` as a developer lives with it: stopping, crashing, starting again, editing, side by side.
import postgres from "postgres";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isSameProcess } from "../../supabase/local/orphans.ts";
import type { Running } from "../support/checkout.ts";
import { copyCheckout, startIn } from "../support/checkout.ts";

let checkout: string;
const running: Running[] = [];
const start = async (options: Parameters<typeof startIn>[1] = {}) => {
  const stack = await startIn(checkout, options);
  running.push(stack);
  return stack;
};
// A space and a letter beyond ASCII in the path, as home folders have them.
beforeAll(() => void (checkout = copyCheckout("la rifa ñ ")));
afterEach(async () => {
  for (const stack of running.splice(0)) {
    stack.signal("SIGTERM");
    await stack.exited;
  }
});
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

const processes = (): { pid: number; born: string }[] =>
  Object.values(JSON.parse(readFileSync(`${checkout}/supabase/.local/processes.json`, "utf8")));

async function users(stack: Running): Promise<string[]> {
  const sql = postgres(stack.description.db_url, { max: 1 });
  const rows = await sql`select email from auth.users order by email`;
  await sql.end();
  return rows.map((row) => row.email);
}

async function addUser(stack: Running, email: string) {
  const sql = postgres(stack.description.db_url, { max: 1 });
  await sql`insert into auth.users (id, email) values (gen_random_uuid(), ${email})`;
  await sql.end();
}

test("a first start says what there is, seeds the demo, and its first command works", async () => {
  const stack = await start();
  const { api_url, publishable_key } = stack.description;
  for (const said of [api_url, publishable_key, "stack.json", "curl"]) {
    expect(stack.output()).toContain(said);
  }
  const command = /curl (\S+)/.exec(stack.output())![1];
  expect((await (await fetch(command)).json()).status).toBe("ok");
  const answer = await fetch(`${api_url}/auth/v1/token?grant_type=password`, {
    method: "POST",
    headers: { apikey: publishable_key, "content-type": "application/json" },
    body: JSON.stringify({ email: "ana@example.com", password: "rafflebase-demo" }),
  });
  expect((await answer.json()).user.email).toBe("ana@example.com");
  expect((await fetch(`${api_url}/_local/novu`)).status).toBe(200);
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s stops every child, and the data are there at the next start",
  async (signal) => {
    const stack = await start();
    await addUser(stack, `${signal.toLowerCase()}@example.test`);
    const children = processes();
    expect(children).toHaveLength(5);
    stack.signal(signal);
    expect(await stack.exited).toBe(0);
    expect(children.filter(isSameProcess)).toEqual([]);
    expect(existsSync(`${checkout}/supabase/.local/stack.json`)).toBe(false);

    const again = await start();
    expect(await users(again)).toContain(`${signal.toLowerCase()}@example.test`);
  },
);

test("after kill -9 the next start ends what was left and recovers the data", async () => {
  const stack = await start();
  await addUser(stack, "survivor@example.test");
  const children = processes();
  Deno.kill(stack.description.pid, "SIGKILL");
  await stack.exited;
  expect(children.filter(isSameProcess).length).toBeGreaterThan(0);

  const again = await start();
  expect(children.filter(isSameProcess)).toEqual([]);
  expect(again.output()).toContain("left running");
  expect(await users(again)).toContain("survivor@example.test");
});

test("when npm or its shell is killed outright the stack goes down too", async () => {
  const stack = await start();
  const children = processes();
  stack.signal("SIGKILL");
  await expect.poll(() => isSameProcess(stack.description), { timeout: 20_000 }).toBe(false);
  expect(children.filter(isSameProcess)).toEqual([]);
});

test("data of migrations that are gone are not touched, and --reset starts empty", async () => {
  const migration = `${checkout}/migrations/29991231000000_gone.sql`;
  writeFileSync(migration, "select 1;");
  const stack = await start();
  await addUser(stack, "gone@example.test");
  stack.signal("SIGTERM");
  await stack.exited;
  rmSync(migration);
  const refused = await start();
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toContain("npm start -- --reset starts empty");
  const again = await start({ args: ["--reset"] });
  expect(await users(again)).toEqual([
    "admin@example.com",
    "ana@example.com",
    "ben@example.com",
    "operator2@example.com",
    "operator@example.com",
  ]);
});

test("two first starts at the same moment both become stacks", async () => {
  rmSync(`${checkout}/supabase/.local`, { recursive: true });
  const stacks = await Promise.all([start(), start()]);
  for (const stack of stacks) {
    expect((await fetch(`${stack.description.api_url}/functions/v1/health`)).status).toBe(200);
  }
});

test("a stop that is asked for during the start leaves nothing running", async () => {
  const first = await start();
  const child = await startIn(checkout, { until: "Starting Auth" });
  child.signal("SIGINT");
  expect(await child.exited).toBe(0);
  const left = readdirSync(`${checkout}/supabase/.local`).filter((name) =>
    name.startsWith("passing-")
  );
  expect(left).toEqual([]);
  expect((await fetch(`${first.description.api_url}/functions/v1/health`)).status).toBe(200);
});

test("what an earlier stack left unreadable does not stop a start", async () => {
  (await start()).signal("SIGTERM");
  await running.pop()!.exited;
  for (const name of ["stack", "processes", "owner"]) {
    writeFileSync(`${checkout}/supabase/.local/${name}.json`, "garb");
  }
  expect((await start()).output()).toContain("Rafflebase is ready");
});

test("two stacks of one checkout run side by side", async () => {
  const [first, second] = [await start(), await start()];
  await addUser(first, "only-first@example.test");
  expect(await users(second)).not.toContain("only-first@example.test");
  for (const stack of [first, second]) {
    expect((await fetch(`${stack.description.api_url}/functions/v1/health`)).status).toBe(200);
  }
});

describe("a start that cannot work says why in one sentence", () => {
  const failed = async (options: Parameters<typeof startIn>[1]) => {
    const stack = await start(options);
    expect(await stack.exited).toBe(1);
    return stack.output();
  };

  test("a port in use", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    expect(await failed({ env: { PORT: String(port) } })).toContain(`Port ${port} is in use`);
    listener.close();
    expect(await failed({ env: { PORT: "http" } })).toContain('PORT is "http"');
  });

  test("a missing setting", async () => {
    expect(await failed({ env: { ADMIN_SECRET: "" } })).toContain(
      "The setting ADMIN_SECRET is missing",
    );
  });

  test("a part that fails", async () => {
    writeFileSync(`${checkout}/migrations/29991231000000_broken.sql`, "select from_nowhere();");
    expect(await failed({})).toContain("29991231000000_broken.sql");
    rmSync(`${checkout}/migrations/29991231000000_broken.sql`);
  });

  test("an argument it does not know", async () => {
    expect(await failed({ args: ["--rest"] })).toContain('does not know "--rest"');
  });
});

test("edited functions are live without a restart, and a broken edit changes nothing", async () => {
  const stack = await start();
  const ask = async () =>
    await (await fetch(`${stack.description.api_url}/functions/v1/hello`)).text();
  const write = (source: string) => {
    mkdirSync(`${checkout}/functions/hello`, { recursive: true });
    writeFileSync(`${checkout}/functions/hello/index.ts`, source);
  };
  const hello = (word: string) =>
    `import { Hono } from "hono";
     export const app = new Hono().all("*", (c) => c.text("${word}"));
     Deno.serve(app.fetch);`;
  expect(await ask()).toContain("function_not_found");
  write(hello("one"));
  await expect.poll(ask, { timeout: 20_000 }).toBe("one");
  write("this is not TypeScript");
  await expect.poll(() => stack.output(), { timeout: 20_000 }).toContain(
    "version before your change",
  );
  expect(await ask()).toBe("one");
  write(hello("two"));
  await expect.poll(ask, { timeout: 20_000 }).toBe("two");
  rmSync(`${checkout}/functions/hello`, { recursive: true });
});

test("a part that dies comes back by itself", async () => {
  const stack = await start();
  const { api_url, publishable_key } = stack.description;
  const before = JSON.parse(readFileSync(`${checkout}/supabase/.local/processes.json`, "utf8"));
  for (const name of ["functions", "postgrest", "postgres"]) Deno.kill(before[name].pid, "SIGKILL");
  const healthy = async () => {
    const health = await fetch(`${api_url}/functions/v1/health`);
    const rest = await fetch(`${api_url}/rest/v1/rpc/report_health`, {
      method: "POST",
      headers: { apikey: publishable_key },
    });
    await Promise.all([health.text(), rest.text()]);
    return [health.status, rest.status];
  };
  await expect.poll(healthy, { timeout: 60_000, interval: 250 }).toEqual([200, 200]);
});

test.runIf(Deno.uid() === 0)(
  "it works as an ordinary user too (skipped unless root runs the tests)",
  async () => {
    const ordinary = copyCheckout();
    const own = (path: string) => {
      chownSync(path, 65534, 65534);
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isDirectory()) own(`${path}/${entry.name}`);
        else if (entry.isFile()) chownSync(`${path}/${entry.name}`, 65534, 65534);
      }
    };
    own(ordinary);
    // The right to read the packages, which may lie in a folder of root's; nothing else of root's.
    const prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].concat(
      [
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--securebits=+no_setuid_fixup",
      ],
    );
    const stack = await startIn(ordinary, {
      prefix,
      env: { HOME: ordinary, DENO_DIR: `${ordinary}/.deno` },
    });
    running.push(stack);
    expect(stack.output()).toContain("Rafflebase is ready");
    stack.signal("SIGTERM");
    await stack.exited;
    rmSync(ordinary, { recursive: true });
  },
);
