// `npm run deploy` as an operator lives with it, from the first look to the tenth deployment. What runs is
// the script and the supabase CLI itself; Supabase's management API is ours, the database is a real one.
import { appendFileSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { names } from "../../supabase/deploy/settings.ts";
import { root } from "../../supabase/local/root.ts";
import { hostedProject } from "../support/hosted-project.ts";

// A deployment runs the CLI a dozen times, and that is a second each where the machine is not busy.
vi.setConfig({ testTimeout: 240_000 });

const project = await hostedProject();
const { sql, superuser, checkout, requests, secrets, functions } = project;

const settings = {
  CORS_ORIGINS: "https://app.example.com",
  SITE_URL: "https://app.example.com/play?a=1&b=2",
  ADMIN_SECRET: 'a "secret" with $HOME # and `more`',
  SCHEDULER_SECRET: "it's the scheduler's",
  STRIPE_SECRET_KEY: "sk_live_51abcdefgh",
  STRIPE_WEBHOOK_SECRETS: "whsec_of_the_account,whsec_of_connect",
  NOVU_SECRET_KEY: "novu-secret-key",
};
const envFile = `${checkout}/production.env`;
const quote = (value: string) => value.includes("'") ? `"${value}"` : `'${value}'`;
writeFileSync(
  envFile,
  Object.entries({ ...settings, TYPO: "1" }).map(([name, value]) => `${name}=${quote(value)}\n`)
    .join(""),
);
const deploy = (env: Record<string, string> = {}, ...args: string[]) =>
  project.deploy(["--settings", envFile, ...args], env);

const newer = `${checkout}/migrations/29990101000000_newer.sql`;
const folders = readdirSync(`${root}functions`).sort();
const head = readdirSync(`${root}migrations`).sort().at(-1)!.split("_")[0];
const versions = () =>
  [...functions.values()].map(({ slug, version }) => `${slug}@${version}`).sort();
const vault = async () =>
  Object.fromEntries(
    (await sql`select name, decrypted_secret from vault.decrypted_secrets`)
      .map((row) => [row.name, row.decrypted_secret]),
  );
/** What was asked for that is more than to look. Queries and the passing login are how the CLI looks. */
const writes = () =>
  requests.filter(({ method, path }) =>
    method !== "GET" && !["database/query", "cli/login-role"].includes(path)
  ).map(({ method, path }) => `${method} ${path}`);
const isEmpty = async () => (await sql`select to_regclass('public.raffles') is null as yes`)[0].yes;

beforeEach(() => void requests.splice(0));

describe("before anything is done", () => {
  test("a dry run says what would be done, in order, asks nobody and changes nothing", async () => {
    const { code, said } = await deploy({}, "--dry-run");
    expect(code).toBe(0);
    const steps = ["link", "migrations", "secrets", "database", "functions", "health"];
    const found = steps.map((step, i) => said.indexOf(`${i + 1}/6 ${step}`));
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found).not.toContain(-1);
    for (const one of [...folders, ...Object.keys(settings), head, `${project.url}/functions/v1`]) {
      expect.soft(said).toContain(one);
    }
    expect(said).not.toContain("SUPABASE_");
    expect(said).toContain("means nothing, and is left out: TYPO");
    expect(requests).toEqual([]);
    expect(existsSync(`${checkout}/supabase/.temp`)).toBe(false);
    expect(await isEmpty()).toBe(true);
  });

  test("all that is missing or senseless is named at once, without its value", async () => {
    const { code, said } = await project.deploy([], {
      SUPABASE_ACCESS_TOKEN: "",
      CORS_ORIGINS: "https://app.example.com",
      ADMIN_SECRET: "short",
      STRIPE_API_URL: "http://127.0.0.1:4242",
      STRIPE_SECRET_KEY: "sk_live_...",
      STRIPE_WEBHOOK_SECRETS: "whsec_a,foo",
      RETURN_URL_ORIGINS: "https://app.example.com/",
      DRAND_URLS: "ftp://relay.example",
    });
    expect(code).toBe(1);
    for (
      const sentence of [
        "no log-in: supabase login, or SUPABASE_ACCESS_TOKEN",
        "SITE_URL is missing",
        "ADMIN_SECRET is not right: must have at least 8 characters",
        "SCHEDULER_SECRET is missing",
        "STRIPE_SECRET_KEY must be a key of Stripe",
        "STRIPE_WEBHOOK_SECRETS must be signing secrets",
        "RETURN_URL_ORIGINS must be origins",
        "DRAND_URLS must be addresses",
        "from the shell, not the file: ",
        "NOVU_SECRET_KEY is missing",
        "STRIPE_API_URL names an address that is not https, or this machine",
        "Nothing was changed",
      ]
    ) expect.soft(said).toContain(sentence);
    expect(said).not.toMatch(/\bshort\b|4242|CORS_ORIGINS (is|must)/);
    expect(requests).toEqual([]);
  });

  test.each([
    [["--project-ref", "raffle"], "twenty small letters"],
    [["--dryrun"], 'does not know "--dryrun"'],
    [["--settings", "nowhere.env"], "there is no file nowhere.env"],
  ])("%j is refused", async (args, sentence) => {
    const { code, said } = await project.deploy(args);
    expect([code, said]).toEqual([1, expect.stringContaining(sentence)]);
    expect(requests).toEqual([]);
  });
});

describe("a first deployment", () => {
  test("with a log-in that is refused stops at the link, and says what to look at", async () => {
    const { code, said } = await deploy({ SUPABASE_ACCESS_TOKEN: `sbp_${"0".repeat(40)}` });
    expect([code, said]).toEqual([1, expect.stringMatching(/link: .*\n.*supabase login/)]);
    expect(await isEmpty()).toBe(true);
  });

  test("prints no setting's value, not even when Supabase repeats it", async () => {
    project.broken.add("POST secrets");
    const { code, said } = await deploy();
    project.broken.clear();
    expect([code, said]).toEqual([1, expect.stringContaining("secrets: supabase secrets set")]);
    expect(said).toContain("The fake refuses this");
    for (const name of Object.keys(settings)) expect.soft(said).toContain(`<${name}>`);
    for (const value of Object.values(settings)) expect.soft(said).not.toContain(value.slice(-6));
  });

  test("that fails on the way keeps what is done, and says how to go on", async () => {
    project.broken.add("POST functions/deploy");
    const { code, said } = await deploy();
    expect([code, said]).toEqual([
      1,
      expect.stringContaining("functions: supabase functions deploy"),
    ]);
    expect(said).toContain("The fake refuses this");
    expect(said).toContain("run the same again, it goes on from here");
    expect(said).not.toContain("6/6");
    project.broken.clear();
    expect(versions().filter((one) => !one.endsWith("@0"))).toEqual([]);
    expect(await isEmpty()).toBe(false);
  });

  test("goes on from there when it is run again", async () => {
    const { code, said } = await deploy();
    expect([code, said]).toEqual([0, expect.stringContaining("Deployed.")]);
    for (
      const line of ["was linked already", "nothing to push", "all 7 are as given", "14 deployed"]
    ) expect.soft(said).toContain(line);
    for (const value of Object.values(settings)) expect.soft(said).not.toContain(value);
  });

  test("the database is at the head, its Vault knows the functions, and every job is scheduled", async () => {
    const [{ version }] = await sql`
      select max(version) as version from supabase_migrations.schema_migrations`;
    expect(version).toBe(head);
    expect(await vault()).toEqual({
      functions_url: `${project.url}/functions/v1`,
      scheduler_secret: settings.SCHEDULER_SECRET,
    });
    const [{ jobs, scheduled }] = await sql`select
      (select count(*)::int from public.jobs) as jobs, (select count(*)::int from cron.job) as scheduled`;
    expect(jobs).toBeGreaterThan(0);
    expect(scheduled).toBe(jobs);
  });

  test("secrets are those that were given, to the letter, and none is the platform's own", () => {
    const { DEPLOYED_FUNCTIONS: _, ...given } = Object.fromEntries(secrets);
    expect(given).toEqual(settings);
  });

  test("every function is there, each once, and with what config.toml says of it", () => {
    expect(versions()).toEqual(folders.map((name) => `${name}@1`));
    for (const { slug, files, metadata } of functions.values()) {
      expect.soft(metadata).toMatchObject({
        entrypoint_path: `functions/${slug}/index.ts`,
        import_map_path: "deno.json",
        verify_jwt: false,
      });
      expect.soft(files).toContain(`functions/${slug}/contract.ts`);
      expect.soft(files.filter((file) => !/^(deno\.json$|functions\/|shared\/)/.test(file)))
        .toEqual([]);
    }
  });
});

describe("a further deployment", () => {
  test("of the same changes nothing, and says so", async () => {
    const before = versions();
    const { code, said } = await deploy();
    expect([code, said]).toEqual([0, expect.stringContaining("Nothing had to be changed.")]);
    expect(writes()).toEqual([]);
    expect(versions()).toEqual(before);
  });

  test("changes what is another now, and no more", async () => {
    const SCHEDULER_SECRET = "a newer scheduler's secret";
    secrets.set("LOTTERY_FEED_URL", "https://feed.example.com");
    await sql`select cron.unschedule('purge')`;
    await superuser`update cron.job set active = false where jobname = 'sweep-stripe'`;
    const { code, said } = await deploy({ SCHEDULER_SECRET });
    expect([code, said]).toEqual([0, expect.stringContaining("Deployed.")]);
    for (
      const line of [
        "set: SCHEDULER_SECRET\n",
        "left as they are, because they were not given: LOTTERY_FEED_URL",
        "functions_url unchanged, scheduler_secret changed",
        " jobs, now scheduled: purge",
        "switched off in cron.job: sweep-stripe",
        "all 14 are of this code",
      ]
    ) expect.soft(said).toContain(line);
    expect(writes()).toEqual(["POST secrets"]);
    expect(secrets.get("SCHEDULER_SECRET")).toBe(SCHEDULER_SECRET);
    expect((await vault()).scheduler_secret).toBe(SCHEDULER_SECRET);
    expect(secrets.get("LOTTERY_FEED_URL")).toBe("https://feed.example.com");
    expect((await sql`select from cron.job where jobname = 'purge'`).length).toBe(1);
  });

  test("pushes new migrations, then deploys new code; what is degraded it names", async () => {
    writeFileSync(newer, "create table app.newer (id bigint primary key);\n");
    appendFileSync(`${checkout}/shared/version.ts`, "// newer\n");
    const stripe = { status: "degraded", reason: "refused our key" };
    project.health = {
      status: 503,
      body: { status: "degraded", checks: { database: { status: "ok" }, stripe } },
    };
    const { code, said } = await deploy();
    for (const line of ["1 pushed; the head is 29990101000000", "14 deployed"]) {
      expect.soft(said).toContain(line);
    }
    expect([code, said]).toEqual([
      1,
      expect.stringContaining("Everything is deployed, but stripe is degraded (refused our key)"),
    ]);
    expect(versions()).toEqual(folders.map((name) => `${name}@2`));
  });

  test("of an older commit is refused, before anything is changed", async () => {
    rmSync(newer);
    const { code, said } = await deploy();
    expect([code, said]).toEqual([1, expect.stringContaining("does not: 29990101000000")]);
    expect(writes()).toEqual([]);
    await sql`delete from supabase_migrations.schema_migrations where version = '29990101000000'`;
  });

  test("takes the place of what was deployed by hand; without an answer it is not done", async () => {
    functions.get("topup")!.version++;
    project.health = { status: 500, body: {} };
    const { code, said } = await deploy();
    expect([code, said]).toEqual([1, expect.stringContaining("answers 500, and no report")]);
    expect(said).toContain("14 deployed");
  });
});

test("every variable of shared/env.ts that a deployment gives is one that it looks for", () => {
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => name.startsWith("SUPABASE_"))).toEqual([]);
});
