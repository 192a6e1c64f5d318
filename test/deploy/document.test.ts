// docs/deploy.md is followed by people who cannot see the code: what it lists is what the code has.
import { readdirSync, readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import Stripe from "stripe";
import { variables } from "../../shared/env.ts";
import { catalogue } from "../../shared/notifications/catalogue.ts";
import { root } from "../../supabase/local/root.ts";
import { testDatabase } from "../support/database.ts";

const read = (file: string) => readFileSync(`${root}${file}`, "utf8");
const page = read("docs/deploy.md");
const migrations = readdirSync(`${root}migrations`).sort().map((file) => read(`migrations/${file}`))
  .join("\n");
const found = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map((match) => match[1]))].sort();
const section = (title: string) => page.split(/^## /m).find((part) => part.startsWith(title))!;

test("its events are those that the webhook applies, payouts those of connected accounts", () => {
  const applied = /if v_type not in \(([^)]*)\)/.exec(migrations)![1];
  const events = found(applied, /'([^']+)'/g);
  const [ours, connected] = section("5. Stripe").split("**connected accounts**");
  const listed = (text: string) => found(text, /^([a-z_]+\.[a-z_.]+)$/gm);
  expect([...listed(ours), ...listed(connected)].sort()).toEqual(events);
  expect(listed(connected)).toEqual(events.filter((event) => event.startsWith("payout.")));
});

test("its API version is that of the stripe package", () => {
  expect(page).toContain(`\`${(Stripe as unknown as { API_VERSION: string }).API_VERSION}\``);
});

test("its workflows are those of the catalogue, and which are sent in any case", () => {
  const rows = [...section("6. Novu").matchAll(/^\| `([a-z-]+)` \| (yes)?/gm)];
  expect(rows.map(([, workflow, essential]) => ({ workflow, essential: essential === "yes" })))
    .toEqual(Object.values(catalogue).map(({ workflow, essential }) => ({ workflow, essential })));
});

test("its settings are those of shared/env.ts", () => {
  const listed = found(section("2. Settings"), /\b([A-Z]+(?:_[A-Z]+)+)\b/g)
    .filter((name) => !name.startsWith("SUPABASE_") && name !== "DEPLOYED_FUNCTIONS");
  expect(listed).toEqual(
    Object.keys(variables).filter((name) => !name.startsWith("SUPABASE_")).sort(),
  );
});

test("it has every setting of Auth that config.toml has, and its values", () => {
  const { auth } = parse(read("supabase/config.toml")) as { auth: Record<string, unknown> };
  const { enabled: _, email, ...own } = auth;
  const settings = { ...own, ...email as object };
  expect(found(section("7. Auth"), /`([a-z_]+)`(?:, `[a-z_]+`)? \|$/gm).length).toBeGreaterThan(5);
  for (const name of Object.keys(settings)) {
    expect.soft(section("7. Auth")).toContain(`\`${name}\``);
  }
  expect(settings).toMatchObject({
    enable_signup: true,
    enable_confirmations: true,
    double_confirm_changes: true,
    otp_length: 6,
    otp_expiry: 3600,
    minimum_password_length: 8,
    jwt_expiry: 3600,
    enable_refresh_token_rotation: true,
    refresh_token_reuse_interval: 0,
  });
});

test("it says of every alert what to do", () => {
  const raised = found(migrations, /alert_operators\('([a-z_]+)'/g);
  const listed = found(
    section("Monitoring").split("| alert |")[1],
    /`([a-z]+(?:_[a-z]+)*)`(?=.*\|$)/gm,
  );
  expect(
    raised.filter((kind) =>
      !listed.includes(kind) && !section("Monitoring").includes(`\`${kind}\``)
    ),
  ).toEqual([]);
});

test("its SQL runs", async () => {
  const { sql } = await testDatabase();
  const blocks = found(page, /```sql\n([^]*?)```/g);
  expect(blocks.length).toBeGreaterThan(2);
  for (const block of blocks) await sql.unsafe(block);
});

describe("what it names is there", () => {
  test("files", () => {
    for (const file of found(page, /\]\(\.\.\/([^)#]+)/g)) {
      expect.soft(() => read(file), file).not.toThrow();
    }
  });

  test("npm scripts", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const name of found(page, /npm run ([a-z-]+)/g)) {
      expect.soft(scripts, name).toHaveProperty(name);
    }
  });

  test("functions of the API and jobs", () => {
    for (const name of found(page, /rpc\('([a-z_]+)'/g)) {
      expect.soft(migrations, name).toContain(`function public.${name}(`);
    }
    for (const name of ["sweep-stripe", "reconcile-stripe"]) {
      expect.soft(migrations).toContain(`('${name}'`);
    }
    expect(migrations).toMatch(/'reconcile-stripe', '27 \* \* \* \*'/);
  });
});
