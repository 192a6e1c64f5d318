import { ChannelTypeEnum, ChatProviderIdEnum } from "@novu/node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostNovu, refusalOf } from "./novu-host.ts";

let local: ReturnType<typeof hostNovu>;
beforeEach(() => void (local = hostNovu()));
afterEach(() => local.stop());

const subscribers = () => local.novu.subscribers;

test("identifying a subscriber creates them, and again updates only what is named", async () => {
  const created = await subscribers().identify("u1", { email: "a@example.com", firstName: "Ada" });
  expect(created.status).toBe(201);
  expect(created.data.data).toMatchObject({
    subscriberId: "u1",
    email: "a@example.com",
    channels: [],
    deleted: false,
  });
  await subscribers().identify("u1", { email: "b@example.com" });
  const { data } = await subscribers().get("u1");
  expect(data.data).toMatchObject({ email: "b@example.com", firstName: "Ada" });
  expect(data.data._id).toBe(created.data.data._id);
});

test("a subscriber is updated, listed and deleted; an unknown one is 404", async () => {
  await subscribers().identify("u1", {});
  await subscribers().identify("u2", {});
  const updated = await subscribers().update("u1", { locale: "pt" });
  expect([updated.status, updated.data.data.locale]).toEqual([200, "pt"]);

  const page = (await subscribers().list(0, 1)).data;
  expect(page).toMatchObject({ page: 0, pageSize: 1, hasMore: true });
  expect(page.data[0].subscriberId).toBe("u1");
  expect((await subscribers().list(1, 1)).data).toMatchObject({ hasMore: false });

  const gone = await subscribers().delete("u1");
  expect(gone.data).toEqual({ data: { acknowledged: true, status: "deleted" } });
  for (
    const call of [
      subscribers().get("u1"),
      subscribers().update("u1", {}),
      subscribers().delete("u1"),
      subscribers().getPreference("u1"),
      subscribers().setCredentials("u1", "fcm", {}),
    ]
  ) expect(await refusalOf(call)).toBe(404);
});

test("a bulk says who was created, who was updated, and who was refused", async () => {
  await subscribers().identify("u1", {});
  const answer = await subscribers().bulkCreate([
    { subscriberId: "u1", email: "u1@example.com" },
    { subscriberId: "u2" },
    { subscriberId: "" },
  ]);
  expect(answer.status).toBe(201);
  expect(answer.data.data).toMatchObject({
    updated: [{ subscriberId: "u1" }],
    created: [{ subscriberId: "u2" }],
    failed: [{ subscriberId: "" }],
  });
  const shown = await (await fetch(`${local.url}/_local/novu/subscribers`)).json();
  expect(shown.total).toBe(2);
});

test("credentials are set, replaced and taken away by provider", async () => {
  await subscribers().identify("u1", {});
  const set = (webhookUrl: string) =>
    subscribers().setCredentials("u1", ChatProviderIdEnum.Slack, { webhookUrl });
  await set("https://example.com/1");
  const { data } = await set("https://example.com/2");
  expect(data.data.channels).toEqual([
    { providerId: "slack", credentials: { webhookUrl: "https://example.com/2" } },
  ]);
  expect((await subscribers().deleteCredentials("u1", "slack")).status).toBe(204);
  expect((await subscribers().get("u1")).data.data.channels).toEqual([]);
});

test("being online is remembered", async () => {
  await subscribers().identify("u1", {});
  await subscribers().updateOnlineStatus("u1", true);
  expect((await subscribers().get("u1")).data.data.isOnline).toBe(true);
});

test("preferences are kept, globally and by template, and go with the subscriber", async () => {
  await subscribers().identify("u1", {});
  await subscribers().updateGlobalPreference("u1", {
    enabled: true,
    preferences: [{ type: ChannelTypeEnum.SMS, enabled: false }],
  });
  await subscribers().updatePreference("u1", "news", {
    channel: { type: ChannelTypeEnum.EMAIL, enabled: false },
  });
  const own = {
    template: { _id: "news" },
    preference: { enabled: true, channels: { email: false } },
  };
  expect((await subscribers().getPreference("u1")).data).toEqual({ data: [own] });
  expect((await subscribers().getGlobalPreference("u1")).data).toEqual({
    data: [{ preference: { enabled: true, channels: { sms: false } } }],
  });
  await subscribers().delete("u1");
  await subscribers().identify("u1", {});
  expect((await subscribers().getPreference("u1")).data).toEqual({ data: [] });
});
