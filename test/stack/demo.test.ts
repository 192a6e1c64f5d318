// `npm run demo`, as somebody runs it who has just cloned this.
import { rmSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { copyCheckout } from "../support/checkout.ts";

const checkout = copyCheckout();
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

async function demo(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("npm", {
    args: ["run", "--silent", "demo", "--", ...args],
    cwd: checkout,
  }).output();
  const [said, complained] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, said, complained };
}

// It waits a minute for its beacon.
test(
  "it plays the story from the prize to the proof, on a stack of its own, and takes that away",
  async () => {
    const { code, said, complained } = await demo("--json");
    expect(code, complained).toBe(0);
    const story = JSON.parse(said);
    expect(story).toMatchObject({ ok: true, state: "SETTLED", verified: true });
    expect(story.acts.length).toBe(9);
    const facts = Object.assign({}, ...story.acts.flatMap((act: { told: object[] }) => act.told));
    expect(facts).toMatchObject({ code: "card_declined", ticket_count: 100 });
    expect(facts.bought + facts.sold_out).toBe(30);
    expect(facts.workflows).toContain("raffle-sealed");
    const left = [...Deno.readDirSync(`${checkout}/supabase/.local`)].map(({ name }) => name);
    expect(left.filter((name) => name.startsWith("passing"))).toEqual([]);
  },
  240_000,
);

test(
  "a word it does not know, and a stack that does not answer, are told in a sentence",
  async () => {
    expect(await demo("--jason")).toMatchObject({
      code: 1,
      complained: expect.stringContaining('does not know "--jason"'),
    });
    const born = Deno.readTextFileSync(`/proc/${Deno.pid}/stat`).split(" ")[21];
    Deno.mkdirSync(`${checkout}/supabase/.local`, { recursive: true });
    Deno.writeTextFileSync(
      `${checkout}/supabase/.local/stack.json`,
      JSON.stringify({ api_url: "http://127.0.0.1:9", pid: Deno.pid, born }),
    );
    expect(await demo()).toMatchObject({
      code: 1,
      complained: expect.stringContaining("does not answer. Start it anew: npm start"),
    });
  },
  60_000,
);
