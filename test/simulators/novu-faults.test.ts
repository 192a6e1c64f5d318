import { Novu } from "@novu/node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hostNovu, refusalOf } from "./novu-host.ts";

let local: ReturnType<typeof hostNovu>;
beforeEach(() => void (local = hostNovu()));
afterEach(() => local.stop());

const send = (transactionId: string) =>
  local.novu.trigger("you-won", { to: "u1", payload: {}, transactionId });
const kept = () => local.recorder.messages().map((message) => message.transactionId);

describe("failing", () => {
  test.each([500, 429, 401])("with %i for the next N, recording nothing", async (status) => {
    await local.control("fail", { status, times: 2 });
    expect(await refusalOf(send("t1"))).toBe(status);
    expect(await refusalOf(send("t1"))).toBe(status);
    expect(kept()).toEqual([]);
    expect((await send("t1")).status).toBe(201);
    expect(kept()).toEqual(["t1"]);
  });

  test("429 says when to come back", async () => {
    await local.control("fail", { status: 429 });
    const error = await send("t1").catch((reason: unknown) => reason) as {
      response: { headers: Record<string, string>; data: unknown };
    };
    expect(error.response.headers["retry-after"]).toBe("1");
    expect(error.response.data).toMatchObject({ statusCode: 429 });
  });

  test("by chance fails the same requests for the same seed, others for another", async () => {
    const pattern = async (seed: number) => {
      await local.control("reset");
      await local.control("fail", { status: 500, probability: 0.5, seed });
      const outcomes = [];
      for (let i = 0; i < 40; i++) outcomes.push(await refusalOf(send(`t${i}`)) === 500);
      return outcomes;
    };
    const first = await pattern(7);
    expect(await pattern(7)).toEqual(first);
    expect(await pattern(8)).not.toEqual(first);
    expect(first).toContain(true);
    expect(first).toContain(false);
  });

  test("the SDK told to retry gets through a short outage, and the message is kept once", async () => {
    const retrying = new Novu("k", {
      backendUrl: local.url,
      retryConfig: { retryMax: 3, waitMin: 0.001, waitMax: 0.001, initialDelay: 0.001 },
    });
    await local.control("fail", { status: 500, times: 2 });
    const answer = await retrying.trigger("a", { to: "u1", payload: {}, transactionId: "t1" });
    expect(answer.status).toBe(201);
    expect(kept()).toEqual(["t1"]);
  });
});

describe("losing the answer", () => {
  test("break_after records, then breaks the connection; the retry is not a second message", async () => {
    await local.control("break_after", { times: 1 });
    expect(await refusalOf(send("t1"))).not.toBe("it was not refused");
    expect(kept()).toEqual(["t1"]);
    expect((await send("t1")).status).toBe(201);
    expect(local.recorder.messages()).toMatchObject([{ transactionId: "t1", attempts: 2 }]);
  });

  test("without a transaction id the retry is a second message", async () => {
    await local.control("break_after", { times: 1 });
    const sendBare = () => local.novu.trigger("a", { to: "u1", payload: {} });
    expect(await refusalOf(sendBare())).not.toBe("it was not refused");
    await sendBare();
    expect(kept().length).toBe(2);
  });

  test("hang_after records, and the caller who gives up never hears of it", async () => {
    await local.control("hang_after", { times: 1 });
    const patience = new AbortController();
    const call = fetch(`${local.url}/v1/events/trigger`, {
      method: "POST",
      headers: { authorization: "ApiKey k" },
      body: JSON.stringify({ name: "a", to: "u1", transactionId: "t1" }),
      signal: patience.signal,
    });
    await vi.waitFor(() => expect(kept()).toEqual(["t1"]));
    patience.abort();
    await expect(call).rejects.toThrow();
    expect((await send("t2")).status).toBe(201);
  });

  test("whoever still waits is let go by heal", async () => {
    await local.control("hang_after", { times: 1 });
    let answered = false;
    const call = send("t1").finally(() => answered = true);
    await vi.waitFor(() => expect(kept()).toEqual(["t1"]));
    await send("t2");
    expect(answered).toBe(false);
    await local.control("heal");
    expect((await call).status).toBe(201);
  });
});

describe("outages", () => {
  test("down answers 503 and records nothing; looking still works", async () => {
    await local.control("down");
    expect(await refusalOf(send("t1"))).toBe(503);
    expect((await local.look()).total).toBe(0);
    await local.control("heal");
    expect((await send("t1")).status).toBe(201);
  });

  test("slow holds the message back before it is recorded", async () => {
    await local.control("slow", { delay_ms: 3_600_000, times: 1 });
    const late = send("t1");
    await vi.waitFor(async () => {
      const { faults } = await (await fetch(`${local.url}/_control`)).json();
      expect(faults).toEqual([]); // taken by the late one
    });
    await send("t2");
    expect(kept()).toEqual(["t2"]);
    await local.control("heal");
    await late;
    expect(kept()).toEqual(["t1", "t2"]);
  });

  test("heal keeps what was recorded, reset forgets it", async () => {
    await send("t1");
    await local.novu.subscribers.identify("u1", {});
    await local.control("down");
    await local.control("heal");
    expect(kept()).toEqual(["t1"]);
    await local.control("down");
    await local.control("reset");
    expect(kept()).toEqual([]);
    expect(await refusalOf(local.novu.subscribers.get("u1"))).toBe(404);
    await send("t1");
    expect(kept()).toEqual(["t1"]);
  });

  test("the host can stop at once while callers hang", async () => {
    const hanging = hostNovu();
    await hanging.control("hang_after");
    const call = hanging.novu.trigger("a", { to: "u1", payload: {} }).catch(() => {});
    await vi.waitFor(() => expect(hanging.recorder.messages().length).toBe(1));
    await hanging.stop();
    await call;
  });
});

test("the control lists its verbs and refuses orders that make no sense", async () => {
  const { verbs } = await (await fetch(`${local.url}/_control`)).json();
  expect(Object.keys(verbs)).toEqual(
    expect.arrayContaining(["fail", "break_after", "hang_after", "down", "slow", "heal", "reset"]),
  );
  const nonsense: [string, unknown][] = [
    ["fail", { status: 418 }],
    ["fail", { times: -1 }],
    ["fail", { probability: 0 }],
    ["fail", { seed: "x" }],
    ["hang_after", { delay_ms: "long" }],
  ];
  for (const [verb, body] of nonsense) {
    expect((await local.control(verb, body)).status, verb).toBe(400);
  }
  expect((await local.control("explode")).status).toBe(404);
  const { faults } = await (await fetch(`${local.url}/_control`)).json();
  expect(faults).toEqual([]);
});
