import { Hono } from "hono";
import { isObject, NovuError, readBody } from "./errors.ts";

interface Preference {
  enabled: boolean;
  channels: Record<string, boolean>;
}

interface Choices {
  global: Preference;
  byTemplate: Map<string, Preference>;
}

const everythingOn = (): Preference => ({ enabled: true, channels: {} });

/** Preferences are kept and shown; like everything here they deliver nothing, so they hold nothing back. */
export function createPreferences(findSubscriber: (id: string) => object): Hono {
  const app = new Hono();
  // Keyed by the subscriber itself, so that deleting one takes its preferences along.
  const chosen = new WeakMap<object, Choices>();

  function choicesOf(id: string): Choices {
    const subscriber = findSubscriber(id);
    const choices = chosen.get(subscriber) ?? { global: everythingOn(), byTemplate: new Map() };
    chosen.set(subscriber, choices);
    return choices;
  }

  const templatesOf = (choices: Choices) =>
    [...choices.byTemplate].map(([id, preference]) => ({ template: { _id: id }, preference }));

  const idOf = (c: { req: { param(name: string): string | undefined } }) => c.req.param("id") ?? "";

  app.get("/", (c) => c.json({ data: templatesOf(choicesOf(idOf(c))) }));

  app.get("/:level", (c) => {
    const choices = choicesOf(idOf(c));
    const level = c.req.param("level");
    if (level === "global") return c.json({ data: [{ preference: choices.global }] });
    if (level === "template") return c.json({ data: templatesOf(choices) });
    throw new NovuError(422, "level must be one of global, template");
  });

  app.patch("/", async (c) => {
    const choices = choicesOf(idOf(c));
    const { enabled, preferences = [] } = await readBody(c.req.raw);
    if (!Array.isArray(preferences)) throw new NovuError(422, "preferences must be an array");
    if (typeof enabled === "boolean") choices.global.enabled = enabled;
    for (const channel of preferences) setChannel(choices.global, channel);
    return c.json({ data: { preference: choices.global } });
  });

  app.patch("/:templateId", async (c) => {
    const choices = choicesOf(idOf(c));
    const templateId = c.req.param("templateId");
    const { enabled, channel } = await readBody(c.req.raw);
    const preference = choices.byTemplate.get(templateId) ?? everythingOn();
    if (typeof enabled === "boolean") preference.enabled = enabled;
    if (channel !== undefined) setChannel(preference, channel);
    choices.byTemplate.set(templateId, preference);
    return c.json({ data: { template: { _id: templateId }, preference } });
  });

  return app;
}

function setChannel(preference: Preference, channel: unknown): void {
  if (!isObject(channel) || typeof channel.type !== "string") {
    throw new NovuError(422, "channel must have a type");
  }
  preference.channels[channel.type] = channel.enabled === true;
}
