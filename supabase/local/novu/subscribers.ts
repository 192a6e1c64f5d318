import { Hono } from "hono";
import { isObject, NovuError, readBody } from "./errors.ts";
import { createPreferences } from "./preferences.ts";

export interface Channel {
  providerId: string;
  integrationIdentifier?: string;
  credentials: Record<string, unknown>;
}

export interface Subscriber {
  _id: string;
  _organizationId: string;
  _environmentId: string;
  subscriberId: string;
  channels: Channel[];
  deleted: false;
  createdAt: string;
  updatedAt: string;
  [field: string]: unknown;
}

/** What a caller may set; anything else in a body is dropped, as Novu does. */
const FIELDS = ["firstName", "lastName", "email", "phone", "avatar", "locale", "data"];
const BULK_LIMIT = 500;

/** The subscribers in memory, at most `limit`, oldest forgotten first. */
export class Subscribers {
  #byId = new Map<string, Subscriber>();
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(subscriberId: string): Subscriber {
    const found = this.#byId.get(subscriberId);
    if (!found) throw new NovuError(404, `Subscriber '${subscriberId}' was not found`);
    return found;
  }

  list(): Subscriber[] {
    return [...this.#byId.values()];
  }

  /** Creates or updates; fields that are not named stay as they were. */
  upsert(subscriberId: unknown, body: Record<string, unknown>): { found: boolean; it: Subscriber } {
    if (typeof subscriberId !== "string" || subscriberId === "") {
      throw new NovuError(422, "subscriberId must be a string");
    }
    const now = new Date().toISOString();
    const known = this.#byId.get(subscriberId);
    const it = known ?? {
      _id: crypto.randomUUID(),
      _organizationId: "local",
      _environmentId: "local",
      subscriberId,
      channels: [],
      deleted: false,
      createdAt: now,
      updatedAt: now,
    };
    for (const field of FIELDS) if (body[field] !== undefined) it[field] = body[field];
    it.updatedAt = now;
    this.#byId.set(subscriberId, it);
    if (this.#byId.size > this.#limit) this.#byId.delete(this.#byId.keys().next().value!);
    return { found: known !== undefined, it };
  }

  delete(subscriberId: string): void {
    this.get(subscriberId);
    this.#byId.delete(subscriberId);
  }

  clear(): void {
    this.#byId.clear();
  }
}

export function createSubscribers(subscribers: Subscribers): Hono {
  const app = new Hono();
  const idOf = (c: { req: { param(name: "id"): string } }) => c.req.param("id");

  app.get("/", (c) => {
    const page = Number(c.req.query("page") ?? 0);
    const pageSize = Number(c.req.query("limit") ?? 10);
    const all = subscribers.list();
    const data = all.slice(page * pageSize, (page + 1) * pageSize);
    return c.json({ page, pageSize, hasMore: (page + 1) * pageSize < all.length, data });
  });

  app.post("/", async (c) => {
    const body = await readBody(c.req.raw);
    return c.json({ data: subscribers.upsert(body.subscriberId, body).it }, 201);
  });

  app.post("/bulk", async (c) => {
    const { subscribers: list } = await readBody(c.req.raw);
    if (!Array.isArray(list) || list.length > BULK_LIMIT || !list.every(isObject)) {
      throw new NovuError(422, `subscribers must be an array of at most ${BULK_LIMIT} objects`);
    }
    const data: Record<"created" | "updated" | "failed", unknown[]> = {
      created: [],
      updated: [],
      failed: [],
    };
    for (const body of list) {
      const { subscriberId } = body;
      try {
        const { found } = subscribers.upsert(subscriberId, body);
        data[found ? "updated" : "created"].push({ subscriberId });
      } catch (error) {
        if (!(error instanceof NovuError)) throw error;
        data.failed.push({ subscriberId, message: error.message });
      }
    }
    return c.json({ data }, 201);
  });

  app.get("/:id", (c) => c.json({ data: subscribers.get(idOf(c)) }));

  app.put("/:id", async (c) => {
    subscribers.get(idOf(c));
    return c.json({ data: subscribers.upsert(idOf(c), await readBody(c.req.raw)).it });
  });

  app.delete("/:id", (c) => {
    subscribers.delete(idOf(c));
    return c.json({ data: { acknowledged: true, status: "deleted" } });
  });

  app.put("/:id/credentials", async (c) => {
    const subscriber = subscribers.get(idOf(c));
    const { providerId, credentials, integrationIdentifier } = await readBody(c.req.raw);
    if (typeof providerId !== "string") throw new NovuError(422, "providerId must be a string");
    if (!isObject(credentials)) throw new NovuError(422, "credentials must be an object");
    subscriber.channels = subscriber.channels.filter((channel) =>
      channel.providerId !== providerId
    );
    subscriber.channels.push({
      providerId,
      credentials,
      ...(typeof integrationIdentifier === "string" && { integrationIdentifier }),
    });
    return c.json({ data: subscriber });
  });

  app.delete("/:id/credentials/:providerId", (c) => {
    const subscriber = subscribers.get(idOf(c));
    const gone = c.req.param("providerId");
    subscriber.channels = subscriber.channels.filter((channel) => channel.providerId !== gone);
    return c.body(null, 204);
  });

  app.patch("/:id/online-status", async (c) => {
    const subscriber = subscribers.get(idOf(c));
    // The SDK says "online", the API of later versions "isOnline".
    const body = await readBody(c.req.raw);
    subscriber.isOnline = (body.isOnline ?? body.online) === true;
    return c.json({ data: subscriber });
  });

  app.route("/:id/preferences", createPreferences((id) => subscribers.get(id)));
  return app;
}
