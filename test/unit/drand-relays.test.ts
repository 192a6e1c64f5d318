// Relays are believed in nothing: an answer counts when it proves itself, and one that does is enough.
import { afterEach, expect, test, vi } from "vitest";
import {
  type Chain,
  CHAINS,
  fetchBeacon,
  type IgnoredRelay,
  timeOfRound,
} from "../../shared/drand.ts";
import { createBeacon } from "../../supabase/local/drand/beacon.ts";
import { callerOf, serve } from "../simulators/harness.ts";

const [QUICKNET, DEVELOPMENT] = CHAINS;
const hosts: ReturnType<typeof serve>[] = [];
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});

/** A relay of the development chain at round 1000, with what it was told to do wrong. */
async function relay(...orders: [string, Record<string, unknown>?][]): Promise<string> {
  const now = timeOfRound(DEVELOPMENT, 1000);
  const beacon = createBeacon({ now: () => now });
  const { control } = callerOf(beacon);
  for (const [verb, body] of orders) expect((await control(verb, body)).status).toBe(200);
  return host(beacon.fetch, beacon.close);
}

function host(
  fetch: (request: Request) => Response | Promise<Response>,
  close = () => {},
): string {
  const served = serve({ fetch, close });
  hosts.push(served);
  return served.url;
}

const beaconOf = async (round: number) => {
  const { call } = callerOf(createBeacon());
  return await (await call(`/${DEVELOPMENT.hash}/public/${round}`)).json();
};

async function ask(relays: string[], round = 500, chain: Chain = DEVELOPMENT, timeoutMs = 5_000) {
  const heard: IgnoredRelay[] = [];
  const onIgnored = (one: IgnoredRelay) => void heard.push(one);
  return { fetched: await fetchBeacon(chain, round, relays, { timeoutMs, onIgnored }), heard };
}

const lies: [string, string, Record<string, unknown>?][] = [
  ["down", "status_unexpected"],
  ["wrong_round", "other_round"],
  ["replayed_round", "signature_wrong"],
  ["wrong_chain", "signature_wrong"],
  ["flipped_signature", "signature_wrong"],
  ["flipped_signature", "signature_wrong", { bit: 2 }],
  ["wrong_randomness", "randomness_wrong"],
  ["malformed_json", "malformed"],
  ["truncated_body", "unreachable"],
];

test.each(lies)("a relay that is %s is not believed: %s", async (verb, failure, detail) => {
  const url = await relay([verb, detail]);
  const { fetched, heard } = await ask([url]);
  expect(fetched).toEqual({ found: false, ignored: [{ relay: url, failure }] });
  expect(heard).toEqual([{ relay: url, failure }]);
});

test("one good relay among all those wins, wherever it stands in the list", async () => {
  const bad = await Promise.all(lies.map(([verb, , detail]) => relay([verb, detail])));
  const beacon = await beaconOf(500);
  for (const at of [0, 4, bad.length]) {
    const heard: IgnoredRelay[] = [];
    // It waits until all the others have had their say.
    const honest = host(async () => {
      await vi.waitFor(() => expect(heard.length).toBe(bad.length), 20_000);
      return Response.json(beacon);
    });
    const fetched = await fetchBeacon(DEVELOPMENT, 500, bad.toSpliced(at, 0, honest), {
      timeoutMs: 30_000,
      onIgnored: (one) => void heard.push(one),
    });
    expect(fetched).toEqual({ found: true, relay: honest, beacon });
    const expected = bad.map((relay, i) => ({ relay, failure: lies[i][1] }));
    expect(heard).toEqual(expect.arrayContaining(expected));
  }
});

test("the first good answer ends the asking: whoever is slower is called off, without a word", async () => {
  let waiting = 0;
  let calledOff = 0;
  const slow = host((request) => {
    waiting++;
    return new Promise((resolve) => {
      request.signal.addEventListener("abort", () => {
        calledOff++;
        resolve(new Response());
      });
    });
  });
  const beacon = await beaconOf(500);
  const quick = host(async () => {
    await vi.waitFor(() => expect(waiting).toBe(2), 20_000);
    return Response.json(beacon);
  });
  const { fetched, heard } = await ask([slow, quick, slow], 500, DEVELOPMENT, 30_000);
  expect(fetched).toEqual({ found: true, relay: quick, beacon });
  await vi.waitFor(() => expect(calledOff).toBe(2), 5_000);
  expect(heard).toEqual([]);
});

test("a slow relay is given up, whether it never begins or never ends", async () => {
  const mute = await relay(["slow", { delay_ms: 3_600_000 }]);
  const endless = host((request) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"round":500,'));
        request.signal.addEventListener("abort", () => controller.close());
      },
    });
    return new Response(body);
  });
  const { fetched } = await ask([mute, endless], 500, DEVELOPMENT, 300);
  expect(fetched).toEqual({
    found: false,
    ignored: expect.arrayContaining([
      { relay: mute, failure: "timed_out" },
      { relay: endless, failure: "timed_out" },
    ]),
  });
}, 60_000);

test("an answer longer than any beacon is not read, however good it would be", async () => {
  const beacon = await beaconOf(500);
  let sent = 0;
  const flood = host(() => {
    const chunk = new TextEncoder().encode(" ".repeat(1_024));
    return new Response(
      new ReadableStream({
        pull: (controller) => {
          sent += chunk.length;
          controller.enqueue(chunk);
        },
      }),
    );
  });
  const padded = host(() => Response.json({ ...beacon, padding: "x".repeat(4_096) }));
  const { fetched } = await ask([flood, padded]);
  expect(fetched).toEqual({
    found: false,
    ignored: expect.arrayContaining([
      { relay: flood, failure: "too_large" },
      { relay: padded, failure: "too_large" },
    ]),
  });
  expect(sent).toBeLessThan(10_000_000);
});

test("each relay is told from the others: a future round, another chain, no relay at all", async () => {
  const url = await relay();
  const closed = serve({ fetch: () => new Response(), close: () => {} });
  await closed.stop();
  const moved = host(() => Response.redirect(`${url}/${DEVELOPMENT.hash}/public/1001`));
  const only = async (relay: string, round?: number, chain?: Chain) =>
    (await ask([relay], round, chain)).heard;
  expect(await only(url, 1001)).toEqual([{ relay: url, failure: "not_yet" }]);
  expect(await only(url, 500, QUICKNET)).toEqual([{ relay: url, failure: "not_found" }]);
  expect(await only(closed.url)).toEqual([{ relay: closed.url, failure: "unreachable" }]);
  expect(await only("nowhere")).toEqual([{ relay: "nowhere", failure: "unreachable" }]);
  expect(await only(moved)).toEqual([{ relay: moved, failure: "unreachable" }]);
});

test("when all relays fail the answer says which and why, and without relays there is none", async () => {
  const [down, liar] = [await relay(["down"]), await relay(["wrong_chain"])];
  const { fetched } = await ask([down, liar]);
  expect(fetched).toEqual({
    found: false,
    ignored: expect.arrayContaining([
      { relay: down, failure: "status_unexpected" },
      { relay: liar, failure: "signature_wrong" },
    ]),
  });
  expect((await ask([])).fetched).toEqual({ found: false, ignored: [] });
});

test("an empty answer is one of a strange status, and a failure of ours is not a relay's", async () => {
  const empty = host(() => new Response(null, { status: 204 }));
  expect((await ask([empty])).heard).toEqual([{ relay: empty, failure: "status_unexpected" }]);
  const broken = { ...DEVELOPMENT, publicKey: "no key" };
  await expect(ask([await relay()], 500, broken)).rejects.toThrow("not hexadecimal");
});

test("a relay is asked for the chain by its hash, whatever slashes its address ends with", async () => {
  const asked: string[] = [];
  const beacon = await beaconOf(500);
  const url = host((request) => {
    asked.push(new URL(request.url).pathname);
    return Response.json(beacon);
  });
  for (const address of [url, `${url}/`, `${url}/base//`]) {
    expect((await ask([address])).fetched.found).toBe(true);
  }
  const path = `/${DEVELOPMENT.hash}/public/500`;
  expect(asked).toEqual([path, path, `/base${path}`]);
});
