import { Novu } from "@novu/node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createNovuRecorder } from "../../supabase/local/novu/recorder.ts";
import { callerOf } from "./harness.ts";
import { hostNovu, refusalOf } from "./novu-host.ts";

let local: ReturnType<typeof hostNovu>;
beforeEach(() => void (local = hostNovu()));
afterEach(() => local.stop());

describe("a trigger", () => {
  test("is answered in the shape of Novu and kept as it was sent", async () => {
    const answer = await local.novu.trigger("you-won", {
      to: { subscriberId: "u1", email: "u1@example.com" },
      payload: { place: 1 },
      transactionId: "won-1",
      overrides: { email: { from: "raffle@example.com" } },
      tenant: "acme",
      actor: "system",
    });
    expect(answer.status).toBe(201);
    expect(answer.data).toEqual({
      data: { acknowledged: true, status: "processed", transactionId: "won-1" },
    });
    const { items, total } = await local.look();
    expect(total).toBe(1);
    expect(items[0]).toMatchObject({
      transactionId: "won-1",
      kind: "trigger",
      workflow: "you-won",
      subscriberIds: ["u1"],
      attempts: 1,
      differing: 0,
      cancelled: false,
      request: {
        name: "you-won",
        to: { subscriberId: "u1", email: "u1@example.com" },
        payload: { place: 1 },
        transactionId: "won-1",
        overrides: { email: { from: "raffle@example.com" } },
        tenant: "acme",
        actor: "system",
      },
    });
    expect(Number.isNaN(Date.parse(items[0].receivedAt))).toBe(false);
  });

  test("without a transaction id gets one of its own, and so is never a duplicate", async () => {
    const send = () => local.novu.trigger("hello", { to: "u1", payload: {} });
    const ids = [await send(), await send()].map((answer) => answer.data.data.transactionId);
    expect(new Set(ids).size).toBe(2);
    expect((await local.look()).total).toBe(2);
  });

  test("goes to a subscriber, a list of them, or a topic", async () => {
    await local.novu.trigger("a", { to: "u1", payload: {} });
    await local.novu.trigger("a", { to: ["u1", { subscriberId: "u2" }], payload: {} });
    await local.novu.trigger("a", {
      to: [{ type: "Topic" as never, topicKey: "buyers" }],
      payload: {},
    });
    expect(local.recorder.messages().map((message) => message.subscriberIds)).toEqual([
      [],
      ["u1", "u2"],
      ["u1"],
    ]);
  });

  test("that names no workflow or nobody is refused and not kept", async () => {
    const nobody = [undefined, "", [], [""], {}, { subscriberId: "" }, 7];
    for (const to of nobody) {
      const refusal = await refusalOf(local.novu.trigger("a", { to: to as never, payload: {} }));
      expect(refusal, JSON.stringify(to)).toBe(422);
    }
    expect(await refusalOf(local.novu.trigger("", { to: "u1", payload: {} }))).toBe(422);
    expect((await local.look()).total).toBe(0);
  });

  test("with a transaction id already seen is answered alike but not delivered again", async () => {
    const send = (place: number) =>
      local.novu.trigger("you-won", { to: "u1", payload: { place }, transactionId: "won-1" });
    const answers = [await send(1), await send(1), await send(2)];
    expect(answers.map((answer) => [answer.status, answer.data])).toEqual(
      Array(3).fill([201, answers[0].data]),
    );
    const { items, total } = await local.look();
    expect(total).toBe(1);
    expect(items[0].request.payload).toEqual({ place: 1 });
    expect(items[0]).toMatchObject({ attempts: 3, differing: 1 });
  });

  test("sent twenty times at once is delivered once", async () => {
    await Promise.all(
      Array.from(
        { length: 20 },
        () => local.novu.trigger("you-won", { to: "u1", payload: {}, transactionId: "won-1" }),
      ),
    );
    const { items, total } = await local.look();
    expect(total).toBe(1);
    expect(items[0].attempts).toBe(20);
  });

  test("can be cancelled, once", async () => {
    await local.novu.trigger("a", { to: "u1", payload: {}, transactionId: "t1" });
    expect((await local.novu.events.cancel("t1")).data).toEqual({ data: true });
    expect((await local.novu.events.cancel("t1")).data).toEqual({ data: false });
    expect((await local.novu.events.cancel("t2")).data).toEqual({ data: false });
    expect((await local.look()).items[0].cancelled).toBe(true);
  });

  test("keeps the idempotency key the SDK adds when it is told to retry", async () => {
    const retrying = new Novu("k", { backendUrl: local.url, retryConfig: { retryMax: 1 } });
    await retrying.trigger("a", { to: "u1", payload: {} });
    await local.novu.trigger("a", { to: "u1", payload: {} });
    const [without, with_] = local.recorder.messages();
    expect(with_.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(without.idempotencyKey).toBe(null);
  });
});

describe("bulk and broadcast", () => {
  test("a bulk answers event by event, and one bad event does not spoil the others", async () => {
    const answer = await local.novu.bulkTrigger([
      { name: "a", to: "u1", payload: {}, transactionId: "t1" },
      { name: "a", to: "" as never, payload: {}, transactionId: "t2" },
      { name: "b", to: "u2", payload: {}, transactionId: "t3" },
      { name: "a", to: "u1", payload: {}, transactionId: "t1" },
    ]);
    expect(answer.status).toBe(201);
    const statuses = answer.data.data.map((one: { status: string }) => one.status);
    expect(statuses).toEqual(["processed", "error", "processed", "processed"]);
    expect(answer.data.data[2].transactionId).toBe("t3");
    const { items } = await local.look();
    expect(items.map((item: { transactionId: string }) => item.transactionId)).toEqual([
      "t3",
      "t1",
    ]);
    expect(items[1]).toMatchObject({ kind: "bulk", attempts: 2 });
  });

  test("a bulk of more than a hundred is refused whole", async () => {
    const many = (count: number) =>
      Array.from({ length: count }, () => ({ name: "a", to: "u1", payload: {} }));
    expect(await refusalOf(local.novu.bulkTrigger(many(101)))).toBe(422);
    expect((await local.look()).total).toBe(0);
    await local.novu.bulkTrigger(many(100));
    expect((await local.look()).total).toBe(100);
  });

  test("a broadcast goes to everybody and is kept under no one name", async () => {
    await local.novu.broadcast("draw-soon", { payload: { at: "noon" }, transactionId: "b1" });
    const { items } = await local.look();
    expect(items[0]).toMatchObject({ kind: "broadcast", workflow: "draw-soon", subscriberIds: [] });
  });
});

describe("the key", () => {
  test("a caller without an ApiKey gets 401 in the shape of Novu, and nothing is kept", async () => {
    for (const authorization of [undefined, "Bearer local-key", "ApiKey ", "ApiKey", "local-key"]) {
      const answer = await fetch(`${local.url}/v1/events/trigger`, {
        method: "POST",
        headers: authorization === undefined ? {} : { authorization },
        body: JSON.stringify({ name: "a", to: "u1" }),
      });
      expect(answer.status, authorization).toBe(401);
      expect(await answer.json()).toMatchObject({
        statusCode: 401,
        message: "API Key not found",
        path: "/v1/events/trigger",
      });
    }
    expect((await local.look()).total).toBe(0);
  });

  test("when a key is set, no other is let in", async () => {
    const strict = hostNovu({ apiKey: "the-key" });
    try {
      expect(await refusalOf(strict.novu.trigger("a", { to: "u1", payload: {} }))).toBe(401);
      const right = new Novu("the-key", { backendUrl: strict.url });
      expect((await right.trigger("a", { to: "u1", payload: {} })).status).toBe(201);
    } finally {
      await strict.stop();
    }
  });
});

test("a call the recorder does not know is refused, never swallowed", async () => {
  expect(await refusalOf(local.novu.topics.create({ key: "k", name: "n" }))).toBe(404);
  const answer = await fetch(`${local.url}/v1/events/trigger`, {
    method: "POST",
    headers: { authorization: "ApiKey k" },
    body: "not json",
  });
  expect(answer.status).toBe(400);
});

describe("looking", () => {
  const ids = (shown: { items: { transactionId: string }[] }) =>
    shown.items.map((item) => item.transactionId);

  test("shows the newest first, page by page, by id, subscriber and workflow", async () => {
    for (
      const [workflow, to, transactionId] of [
        ["a", "u1", "t1"],
        ["b", "u1", "t2"],
        ["a", "u2", "t3"],
        ["a", "u1", "t4"],
      ]
    ) await local.novu.trigger(workflow, { to, payload: {}, transactionId });

    expect(ids(await local.look())).toEqual(["t4", "t3", "t2", "t1"]);
    expect(ids(await local.look("?transactionId=t2"))).toEqual(["t2"]);
    expect(ids(await local.look("?subscriberId=u1"))).toEqual(["t4", "t2", "t1"]);
    expect(ids(await local.look("?workflow=a&subscriberId=u1"))).toEqual(["t4", "t1"]);
    expect(await local.look("?workflow=none")).toEqual({ items: [], total: 0 });

    const page = await local.look("?subscriberId=u1&skip=1&limit=1");
    expect(ids(page)).toEqual(["t2"]);
    expect(page.total).toBe(3);
    expect((await fetch(`${local.url}/_local/novu?limit=-1`)).status).toBe(400);
  });

  test("shows a readable page to a browser, and what was sent cannot run in it", async () => {
    await local.novu.trigger("you-won", {
      to: "<script>alert(1)</script>",
      payload: { text: "</pre><img src=x onerror=alert(2)>" },
    });
    const answer = await fetch(`${local.url}/_local/novu`, {
      headers: { accept: "text/html,application/xhtml+xml" },
    });
    expect(answer.headers.get("content-type")).toContain("text/html");
    const page = await answer.text();
    expect(page).toContain("you-won");
    expect(page).toContain("&lt;script&gt;");
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<img");
  });
});

test("memory is bounded: the newest stay, the oldest are forgotten", async () => {
  const recorder = createNovuRecorder({ limit: 100 });
  const { call } = callerOf(recorder);
  for (let i = 0; i < 250; i++) {
    await call("/v1/events/trigger", {
      method: "POST",
      headers: { authorization: "ApiKey k" },
      body: JSON.stringify({ name: "a", to: "u1", transactionId: `t${i}` }),
    });
  }
  const kept = recorder.messages();
  expect(kept.length).toBe(100);
  expect(kept[0].transactionId).toBe("t249");
  expect(kept[99].transactionId).toBe("t150");
});

test("the newest ten thousand are kept unless told otherwise", async () => {
  const recorder = createNovuRecorder();
  const { call } = callerOf(recorder);
  for (let bulk = 0; bulk < 101; bulk++) {
    const events = Array.from({ length: 100 }, (_, i) => ({
      name: "a",
      to: "u1",
      transactionId: `t${bulk * 100 + i}`,
    }));
    await call("/v1/events/trigger/bulk", {
      method: "POST",
      headers: { authorization: "ApiKey k" },
      body: JSON.stringify({ events }),
    });
  }
  const kept = recorder.messages();
  expect(kept.length).toBe(10_000);
  expect(kept.at(-1)!.transactionId).toBe("t100");
});
