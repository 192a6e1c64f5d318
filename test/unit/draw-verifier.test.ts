// test/verifier/verify.py shares no code with shared/draw.ts: they agree on random draws, and it tells
// an honest proof from one that was touched anywhere.
import { describe, expect, test } from "vitest";
import { CHAINS, timeOfRound } from "../../shared/drand.ts";
import { uniform } from "../../shared/draw.ts";
import { encodeHex } from "../../shared/hex.ts";
import { sha256 } from "../../shared/sha256.ts";
import { seeded } from "../../supabase/local/random.ts";
import { root } from "../../supabase/local/root.ts";
import { QUICKNET_ROUND_1000 } from "../simulators/quicknet.ts";
import { type DrawCase, makeHolder, numberAt, solve } from "../support/draw-cases.ts";
import { scaled, seed } from "../support/scale.ts";

const VERIFIER = `${root}test/verifier/verify.py`;
const python = await new Deno.Command("python3", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

async function verify(argument: string, input = "") {
  const child = new Deno.Command("python3", {
    args: [VERIFIER, argument],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // It answers while it reads: whoever only wrote would wait for ever.
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await output;
  return { code, said: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

const draw: DrawCase = {
  raffle_id: "6f1d3c52-9a0b-4e77-8c15-2b4d5e6f7081",
  label: "proof",
  count: 21,
  step: 3,
  round: 1000,
  randomness: QUICKNET_ROUND_1000.randomness,
  places: 3,
};

const QUICKNET = CHAINS[0];
const published = timeOfRound(QUICKNET, 1000);
const isoBefore = (seconds: number) => new Date(published - seconds * 1000).toISOString();

/** What verify-draw answers, with all tickets. */
function makeProof(of: DrawCase = draw) {
  const { ticket_root, drawn } = solve(of);
  return {
    algorithm: "rafflebase-draw-v1",
    raffle_id: of.raffle_id,
    ticket_count: of.count,
    ticket_root,
    sealed_at: isoBefore(61.25),
    beacon: { chain_hash: QUICKNET.hash, ...QUICKNET_ROUND_1000 },
    winners: drawn.map((ticket_num, i) => ({ place: i + 1, ticket_num })),
    tickets: Array.from({ length: of.count }, (_, position) => {
      const ticket_num = numberAt(of, position);
      return { ticket_num, holder: encodeHex(makeHolder(of, ticket_num)) };
    }),
  };
}

type Proof = ReturnType<typeof makeProof>;
const judge = (proof: unknown) => verify("-", JSON.stringify(proof));

describe.skipIf(!python)("verify.py (needs python3)", () => {
  test(`it agrees with TypeScript on random draws (SEED=${seed})`, async () => {
    const random = seeded(seed);
    const most = Math.log(scaled(2_000, 100_000));
    // Ten thousand in three programs are drawn in test/properties.
    const total = 300;
    const hash = (text: string) => encodeHex(sha256(new TextEncoder().encode(text)));
    const cases = Array.from({ length: total }, (_, i): DrawCase => ({
      raffle_id: hash(`raffle ${seed} ${i}`).replace(
        /^(.{8})(....)(....)(....)(.{12}).*/,
        "$1-$2-$3-$4-$5",
      ),
      label: `${seed}/${i}`,
      // Of every size, and mostly small, so that the long run ends.
      count: Math.round(Math.exp(random() ** 4 * most)),
      step: 1 + Math.floor(random() * 40_000),
      round: 1 + Math.floor(random() * 2 ** 40),
      randomness: hash(`randomness ${seed} ${i}`),
      places: 1 + Math.floor(random() * 200),
    }));
    const lines = cases.map((one) => JSON.stringify(one)).join("\n");
    const { said, error } = await verify("--batch", lines);
    expect(error).toBe("");
    const answers = said.trim().split("\n").map((line) => JSON.parse(line));
    expect(answers.length).toBe(total);
    for (const [i, one] of cases.entries()) {
      expect(solve(one), JSON.stringify(one)).toEqual(answers[i]);
    }
  });

  test("it passes over the same words as TypeScript, at the edge of 64 bits", async () => {
    const last = 2n ** 64n - 1n;
    const cases = [1n, 2n, 3n, 5n, 1000n, 2n ** 32n - 1n, 10_000_000n].flatMap((below) => {
      const limit = 2n ** 64n - 2n ** 64n % below;
      const edges = [0n, limit - 1n, limit, last].filter((word) => word <= last);
      return edges.map((word) => ({ below, words: [word, last, limit - 2n] }));
    });
    // Numbers of this size are text to JSON.stringify.
    const lines = cases.map(({ below, words }) => `{"below":${below},"words":[${words}]}`);
    const { said, error } = await verify("--batch", lines.join("\n"));
    const expected = cases.map(({ below, words }) => {
      const given = [...words];
      return uniform({ modulus: 2n ** 64n, next: () => given.shift()! }, below);
    });
    expect([error, said.trim().split("\n").map(BigInt)]).toEqual(["", expected]);
  });

  test("an honest proof holds, and what was not checked is said", async () => {
    const { code, said } = await judge(makeProof());
    expect([code, said]).toEqual([0, expect.stringContaining("All that was checked holds.")]);
    expect(said).toContain("the 21 tickets are the ones sealed");
    expect(said).toContain("round 1000 of drand quicknet is the first one");
    for (const [i, number] of solve(draw).drawn.entries()) {
      expect(said).toContain(`place ${i + 1} is ticket ${number}`);
    }
    expect(said).toContain("NOT checked: that drand's network made the signature (BLS)");
    expect(said).toContain(`https://api.drand.sh/${QUICKNET.hash}/public/1000`);
  });

  test("of a raffle without tickets there is no winner", async () => {
    expect((await judge(makeProof({ ...draw, count: 0 }))).code).toBe(0);
  });

  test("before the round is out, the sealed tickets can be checked already", async () => {
    const { chain_hash, round } = makeProof().beacon;
    const sealed = { ...makeProof(), beacon: { chain_hash, round }, winners: [] };
    const { code, said } = await judge(sealed);
    expect([code, said]).toEqual([0, expect.stringContaining("there is no draw to check yet")]);
    const nulls = { ...sealed, beacon: { ...sealed.beacon, signature: null, randomness: null } };
    expect((await judge(nulls)).code).toBe(0);
    const early = await judge({ ...sealed, winners: makeProof().winners });
    expect([early.code, early.said]).toEqual([1, expect.stringContaining("before the randomness")]);
    const hidden = { ...sealed, ticket_root: "00".repeat(32) };
    expect((await judge(hidden)).code).toBe(1);
  });

  test("a draw by the development beacon says that it proves nothing", async () => {
    const development = CHAINS[1];
    const proof = makeProof();
    proof.beacon.chain_hash = development.hash;
    proof.sealed_at = new Date(timeOfRound(development, 1000) - 61_000).toISOString();
    const { code, said } = await judge(proof);
    expect([code, said]).toEqual([0, expect.stringContaining("proves nothing to anyone")]);
  });

  test.each([
    ["exactly 60 s before", isoBefore(60), 0],
    ["a microsecond less", isoBefore(60).replace("000Z", "000001Z"), 1],
    ["63 s before, when there was an earlier round", isoBefore(63), 1],
    ["a microsecond less than that", isoBefore(63).replace("000Z", "000001+00:00"), 0],
    ["61 s before, in another zone", isoBefore(61 - 7200).replace("Z", "+02:00"), 0],
    ["two hours earlier", isoBefore(61).replace("Z", "+02:00"), 1],
    ["after the round", isoBefore(-1), 1],
  ])("the round is the first one 60 s after the sealing: sealed %s", async (_, sealed_at, code) => {
    expect((await judge({ ...makeProof(), sealed_at })).code).toBe(code);
  });

  const hexOf = (hex: string) => (hex[0] === "0" ? "1" : "0") + hex.slice(1);
  const lies: [string, (proof: Proof) => void, string][] = [
    ["another algorithm", (p) => p.algorithm = "rafflebase-draw-v2", "this program knows"],
    ["another raffle", (p) => p.raffle_id = hexOf(p.raffle_id), "have the root"],
    ["another root", (p) => p.ticket_root = hexOf(p.ticket_root), "have the root"],
    ["a ticket too few", (p) => p.tickets.pop(), "has 20 tickets but says 21"],
    ["a ticket and its count gone", (p) => {
      p.tickets.pop();
      p.ticket_count--;
    }, "have the root"],
    ["a ticket twice", (p) => p.tickets[1] = p.tickets[0], "each number once"],
    ["tickets out of order", (p) => p.tickets.reverse(), "in ascending order"],
    ["another number", (p) => p.tickets[20].ticket_num++, "have the root"],
    ["another holder", (p) => p.tickets[7].holder = hexOf(p.tickets[7].holder), "have the root"],
    ["a short holder", (p) => p.tickets[7].holder = "00", "a holder is not 32 bytes"],
    ["a later round", (p) => p.beacon.round++, "must use round 1000, not 1001"],
    ["an earlier round", (p) => p.beacon.round--, "must use round 1000, not 999"],
    ["another signature", (p) => p.beacon.signature = hexOf(p.beacon.signature), "not the hash"],
    ["another randomness", (p) => p.beacon.randomness = hexOf(p.beacon.randomness), "not the hash"],
    ["a long signature", (p) => p.beacon.signature += "00", "the signature is not 48 bytes"],
    ["no winners", (p) => p.winners = [], "not every winner is named"],
    ["winners exchanged", (p) => {
      const [first, second] = p.winners;
      [first.ticket_num, second.ticket_num] = [second.ticket_num, first.ticket_num];
    }, "not the published winners"],
    ["another winner", (p) => p.winners[2].ticket_num = 1, "not the published winners"],
    ["the first place left out", (p) => p.winners.shift(), "places are not 1, 2, 3"],
    ["one place left out", (p) => p.winners.splice(1, 1), "places are not 1, 2, 3"],
    ["more winners than tickets", (p) => {
      p.winners = Array.from({ length: 22 }, (_, i) => ({ place: i + 1, ticket_num: 1 }));
    }, "not the published winners"],
  ];
  test.each(lies)("it sees %s", async (_, tell, sentence) => {
    const proof = makeProof();
    tell(proof);
    const { code, said } = await judge(proof);
    expect([code, said]).toEqual([1, expect.stringContaining(`WRONG`)]);
    expect(said).toContain(sentence);
  });

  test.each(["", "{}", "[]", "null", "not a proof", '{"algorithm":"rafflebase-draw-v1"}'])(
    "%j is no proof",
    async (text) => {
      const { code, said, error } = await verify("-", text);
      expect([code, error]).toEqual([1, ""]);
      expect(said).toContain("WRONG");
    },
  );

  test("it reads a file, as one object or as lines, and says when there is none", async () => {
    const file = await Deno.makeTempFile();
    const { tickets, ...head } = makeProof();
    try {
      await Deno.writeTextFile(file, JSON.stringify({ ...head, tickets }));
      expect((await verify(file)).code).toBe(0);
      await Deno.writeTextFile(
        file,
        [head, ...tickets].map((one) => JSON.stringify(one)).join("\n"),
      );
      expect((await verify(file)).code).toBe(0);
    } finally {
      await Deno.remove(file);
    }
    expect((await verify(file)).code).toBe(2);
    expect((await verify("--help")).code).toBe(1);
  });

  test("it fetches all pages of a proof, and a missing page is noticed", async () => {
    const proof = makeProof({ ...draw, count: 10_500 });
    const asked: string[] = [];
    let served = proof.tickets;
    const host = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const { search, searchParams } = new URL(request.url);
      asked.push(search);
      const skip = Number(searchParams.get("skip"));
      const tickets = served.slice(skip, skip + Number(searchParams.get("limit")));
      return Response.json({ ...proof, tickets });
    });
    try {
      const url = `http://127.0.0.1:${host.addr.port}/functions/v1/verify-draw/${proof.raffle_id}`;
      expect((await verify(url)).code).toBe(0);
      expect(asked).toEqual(["?skip=0&limit=10000", "?skip=10000&limit=10000"]);
      served = proof.tickets.slice(0, 10_000);
      const { code, said } = await verify(url);
      expect([code, said]).toEqual([
        1,
        expect.stringContaining("has 10000 tickets but says 10500"),
      ]);
    } finally {
      await host.shutdown();
    }
  });
});
