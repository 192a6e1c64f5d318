// The README's TypeScript, as somebody copies it: it is well typed, and does on a new stack what it says.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../../supabase/local/root.ts";
import type { Running } from "../support/checkout.ts";
import { copyCheckout, startIn } from "../support/checkout.ts";

const snippets = [...readFileSync(`${root}README.md`, "utf8").matchAll(/```ts\n([^]*?)```/g)]
  .map(([, code]) => code);
const isLive = (code: string) => code.includes(".subscribe()");

const checkout = copyCheckout();
let stack: Running;
beforeAll(async () => void (stack = await startIn(checkout)));
afterAll(async () => {
  stack.signal("SIGTERM");
  await stack.exited;
  rmSync(checkout, { recursive: true, force: true });
});

async function deno(...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: checkout,
  })
    .output();
  const [said, complained] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  expect(success, complained).toBe(true);
  return said;
}

test("the README's snippets are well typed and do what they say", async () => {
  const { api_url, publishable_key } = stack.description;
  const given = `const url = ${JSON.stringify(api_url)};
const publishableKey = ${JSON.stringify(publishable_key)};
const raffleId = crypto.randomUUID();
const show = (state: string, sold: number) => console.error(state, sold);\n`;
  const told = "{ open, bought, error, checkout, wallets, statement, tickets, faults, plan }";
  // Realtime is not here to be listened to.
  writeFileSync(`${checkout}/all.ts`, given + snippets.join("\n"));
  writeFileSync(
    `${checkout}/run.ts`,
    `${given}${snippets.filter((code) => !isLive(code)).join("\n")}
console.log(JSON.stringify(${told}, (_, value) => value ?? null)); Deno.exit();`,
  );
  expect(snippets.filter(isLive)).toHaveLength(1);
  await deno("check", "--quiet", "--node-modules-dir=manual", "all.ts");
  const results = JSON.parse(await deno("run", "-A", "--node-modules-dir=manual", "run.ts"));
  expect(results).toMatchObject({
    error: null,
    bought: { purchase: { status: "CONFIRMED", quantity: 2 }, tickets: [{}, {}] },
    checkout: { checkout_url: expect.stringMatching(/^http/) },
    wallets: [{ currency: "EUR" }],
    faults: null,
    plan: { people: 0 },
  });
  const { amount_cents } = results.bought.purchase;
  expect(results.statement[0]).toMatchObject({ direction: "DEBIT", amount_cents });
  expect(results.tickets).toEqual(
    results.bought.tickets.map(({ ticket_num }: { ticket_num: number }) => ({
      raffle_id: results.bought.purchase.raffle_id,
      ticket_num,
    })),
  );
});
