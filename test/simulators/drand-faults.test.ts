import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Beacon, createBeacon } from "../../supabase/local/drand/beacon.ts";
import { computeChainHash, timeOfRound } from "../../supabase/local/drand/chain.ts";
import { callerOf, serve } from "./harness.ts";
import { verifyBeacon, verifySignature } from "./verify-beacon.ts";

let now: number;
let beacon: Beacon;
let call: ReturnType<typeof callerOf>["call"];
let control: ReturnType<typeof callerOf>["control"];
let v1: string;

beforeEach(() => {
  now = 1_700_000_000_000 + 999 * 3000; // round 1000
  beacon = createBeacon({ now: () => now });
  ({ call, control } = callerOf(beacon));
  v1 = `/${beacon.info.hash}`;
});
afterEach(() => beacon.close());

const roundOf = async (round: number) => await (await call(`${v1}/public/${round}`)).json();
const verified = (round: number, body: Parameters<typeof verifyBeacon>[2]) =>
  verifyBeacon(beacon.info.public_key, round, body);

describe("every lie is told for as long as it was ordered, and a careful client sees through it", () => {
  const lies = [
    "wrong_round",
    "replayed_round",
    "wrong_chain",
    "flipped_signature",
    "wrong_randomness",
  ];
  test.each(lies)("%s, for the next two answers", async (lie) => {
    expect((await control(lie, { times: 2 })).status).toBe(200);
    expect(verified(500, await roundOf(500))).toBe(false);
    expect(verified(500, await roundOf(500))).toBe(false);
    expect(verified(500, await roundOf(500))).toBe(true);
  });

  test.each(lies)("%s, until reset", async (lie) => {
    await control(lie);
    for (let i = 0; i < 5; i++) expect(verified(500, await roundOf(500))).toBe(false);
    await control("reset");
    expect(verified(500, await roundOf(500))).toBe(true);
  });
});

describe("each lie is exactly the one it is named for", () => {
  test("a wrong round is a true answer to another question", async () => {
    await control("wrong_round");
    const body = await roundOf(500);
    expect(body.round).toBe(499);
    expect(verified(499, body)).toBe(true);
  });

  test("a replayed round claims to be the one asked for", async () => {
    await control("replayed_round");
    const body = await roundOf(500);
    expect(body.round).toBe(500);
    expect(verifySignature(beacon.info.public_key, 499, body.signature)).toBe(true);
  });

  test("a wrong chain is consistent in itself, so that only the pinned key or hash tells", async () => {
    await control("wrong_chain");
    const info = await (await call(`${v1}/info`)).json();
    expect(info.hash).not.toBe(beacon.info.hash);
    expect(computeChainHash(info)).toBe(info.hash);
    expect(verifyBeacon(info.public_key, 500, await roundOf(500))).toBe(true);
  });

  test("a flipped bit comes with its matching randomness, so that only BLS tells", async () => {
    const good = await roundOf(500);
    for (const bit of [2, 383]) {
      await control("flipped_signature", { bit, times: 1 });
      const bad = await roundOf(500);
      const difference = BigInt(`0x${bad.signature}`) ^ BigInt(`0x${good.signature}`);
      expect(difference).toBe(1n << BigInt(383 - bit));
      expect(verified(500, { ...bad, randomness: good.randomness })).toBe(false);
      expect(verified(500, bad)).toBe(false);
    }
  });

  test("wrong randomness comes with a good signature", async () => {
    await control("wrong_randomness");
    const body = await roundOf(500);
    expect(verifySignature(beacon.info.public_key, 500, body.signature)).toBe(true);
  });

  test("no lie publishes a round early, and a refusal does not use it up", async () => {
    for (const lie of ["wrong_round", "replayed_round", "wrong_chain"]) {
      await control(lie, { times: 1 });
      expect((await call(`${v1}/public/1001`)).status, lie).toBe(425);
      expect(verified(500, await roundOf(500)), lie).toBe(false);
    }
  });

  test("round 1 can be lied about too", async () => {
    await control("wrong_round");
    await control("replayed_round");
    expect(verified(1, await roundOf(1))).toBe(false);
  });
});

describe("outages", () => {
  test("down answers 503 to everybody but the control, for the next N", async () => {
    await control("down", { times: 2 });
    expect((await call("/chains")).status).toBe(503);
    expect((await call("/_control")).status).toBe(200);
    expect((await call(`${v1}/public/1`)).status).toBe(503);
    expect((await call(`${v1}/public/1`)).status).toBe(200);
  });

  test("malformed JSON is a 200 that cannot be parsed", async () => {
    await control("malformed_json", { times: 2 });
    for (const path of [`${v1}/public/1`, "/chains"]) {
      const answer = await call(path);
      expect(answer.status).toBe(200);
      await expect(answer.json()).rejects.toThrow(SyntaxError);
    }
    await expect((await call("/chains")).json()).resolves.toBeTruthy();
  });

  test("a truncated body breaks off on a real connection", async () => {
    const host = serve(beacon);
    try {
      await control("truncated_body", { times: 1 });
      const answer = await fetch(`${host.url}${v1}/public/1`);
      expect(answer.status).toBe(200);
      await expect(answer.text()).rejects.toThrow();
      expect((await (await fetch(`${host.url}${v1}/public/1`)).json()).round).toBe(1);
    } finally {
      await host.stop();
    }
  });

  test("slow holds an answer back until healed, while the control stays quick", async () => {
    await control("slow", { delay_ms: 3_600_000, times: 1 });
    let answered = false;
    const late = call(`${v1}/public/1`).finally(() => answered = true);
    await call("/_control");
    await roundOf(2); // only the next answer was to be slow
    expect(answered).toBe(false);
    await control("heal");
    expect((await late).status).toBe(200);
  });

  test("the host can stop at once while callers wait", async () => {
    const host = serve(beacon);
    await control("slow", { delay_ms: 3_600_000, times: 1 });
    const late = fetch(`${host.url}/chains`).then((answer) => answer.text()).catch(() => {});
    await vi.waitFor(async () => {
      expect((await (await call("/_control")).json()).faults).toEqual([]);
    });
    await host.stop();
    await late;
  });

  test("a slow answer comes by itself when its time has passed", async () => {
    vi.useFakeTimers();
    try {
      await control("slow", { delay_ms: 5000 });
      let answered = false;
      const late = call(`${v1}/public/1`).finally(() => answered = true);
      await vi.advanceTimersByTimeAsync(4999);
      expect(answered).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect((await late).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
  });

  test("faults add up: slow, then wrong", async () => {
    await control("slow", { delay_ms: 0, times: 1 });
    await control("wrong_randomness", { times: 1 });
    expect(verified(500, await roundOf(500))).toBe(false);
    expect((await (await call("/_control")).json()).faults).toEqual([]);
  });
});

describe("the clock", () => {
  test("a future round can be published at once, and is the one that was always going to be", async () => {
    expect((await call(`${v1}/public/5000`)).status).toBe(425);
    await control("clock", { to_round: 5000, freeze: true });
    const body = await roundOf(5000);
    expect(verified(5000, body)).toBe(true);
    expect((await call(`${v1}/public/5001`)).status).toBe(425);

    const later = timeOfRound(beacon.info, 9000) * 1000;
    const another = callerOf(createBeacon({ now: () => later }));
    expect(await (await another.call(`${v1}/public/5000`)).json()).toEqual(body);
  });

  test("frozen, it publishes nothing more; let go, it runs on from there", async () => {
    await control("clock", { to_round: 5000, freeze: true });
    now += 60_000;
    expect((await call(`${v1}/public/5001`)).status).toBe(425);
    await control("clock", { freeze: false });
    expect((await call(`${v1}/public/5001`)).status).toBe(425);
    now += 3000;
    expect((await call(`${v1}/public/5001`)).status).toBe(200);
  });

  test("it moves by seconds, to a time, and back with reset", async () => {
    const round = async () => (await (await call("/_control")).json()).clock.round;
    await control("clock", { advance_seconds: 30 });
    expect(await round()).toBe(1010);
    await control("clock", { to_time: timeOfRound(beacon.info, 42) });
    expect(await round()).toBe(42);
    await control("heal");
    expect(await round()).toBe(42);
    await control("reset");
    expect(await round()).toBe(1000);
  });
});

test("the control lists its verbs and what is going on", async () => {
  await control("down", { times: 3 });
  const shown = await (await call("/_control")).json();
  expect(Object.keys(shown.verbs)).toEqual(
    expect.arrayContaining(["down", "slow", "wrong_round", "clock", "heal", "reset"]),
  );
  expect(shown.faults).toEqual([{ kind: "down", left: 3, probability: 1 }]);
  expect(shown.clock).toMatchObject({ frozen: false, round: 1000 });
});

test("an order that makes no sense is refused and changes nothing", async () => {
  const nonsense: [string, unknown][] = [
    ["down", { times: 0 }],
    ["down", { times: 1.5 }],
    ["down", { probability: 2 }],
    ["slow", { delay_ms: -1 }],
    ["slow", { delay_ms: 1e300 }],
    ["flipped_signature", { bit: 384 }],
    ["clock", {}],
    ["clock", { to_round: 0 }],
    ["clock", { to_round: 1e15 }],
    ["clock", { to_round: 5, to_time: 5 }],
    ["clock", { freeze: "yes" }],
    ["down", [1]],
  ];
  for (const [verb, body] of nonsense) {
    expect((await control(verb, body)).status, JSON.stringify([verb, body])).toBe(400);
  }
  expect((await call("/_control/down", { method: "POST", body: "{" })).status).toBe(400);
  expect((await control("explode")).status).toBe(404);
  const shown = await (await call("/_control")).json();
  expect(shown.faults).toEqual([]);
  expect(shown.clock).toMatchObject({ frozen: false, round: 1000 });
});
