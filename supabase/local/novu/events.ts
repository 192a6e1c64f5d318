import { Hono } from "hono";
import { isObject, NovuError, readBody } from "./errors.ts";
import type { Message, Messages } from "./messages.ts";
import type { Subscribers } from "./subscribers.ts";

const BULK_LIMIT = 100;

export function createEvents(messages: Messages, subscribers: Subscribers): Hono {
  const app = new Hono();

  function accept(
    kind: Message["kind"],
    body: Record<string, unknown>,
    idempotencyKey: string | null,
  ) {
    const { name, to, transactionId } = body;
    if (typeof name !== "string" || name === "") throw new NovuError(422, "name must be a string");
    if (transactionId !== undefined && typeof transactionId !== "string") {
      throw new NovuError(422, "transactionId must be a string");
    }
    const subscriberIds = kind === "broadcast" ? [] : readRecipients(to);
    // As Novu does: whoever is named with more than an id is created or updated.
    for (const recipient of [to].flat()) {
      if (isObject(recipient) && recipient.subscriberId !== undefined) {
        subscribers.upsert(recipient.subscriberId, recipient);
      }
    }
    const message = messages.receive({
      transactionId: transactionId || crypto.randomUUID(),
      kind,
      workflow: name,
      subscriberIds,
      request: body,
      idempotencyKey,
      receivedAt: new Date().toISOString(),
    });
    return { acknowledged: true, status: "processed", transactionId: message.transactionId };
  }

  const keyOf = (request: Request) => request.headers.get("idempotency-key");

  app.post("/trigger", async (c) => {
    const body = await readBody(c.req.raw);
    return c.json({ data: accept("trigger", body, keyOf(c.req.raw)) }, 201);
  });

  app.post("/trigger/broadcast", async (c) => {
    const body = await readBody(c.req.raw);
    return c.json({ data: accept("broadcast", body, keyOf(c.req.raw)) }, 201);
  });

  // One bad event does not spoil the others: its own answer says "error".
  app.post("/trigger/bulk", async (c) => {
    const { events } = await readBody(c.req.raw);
    if (!Array.isArray(events) || events.length > BULK_LIMIT) {
      throw new NovuError(422, `events must be an array of at most ${BULK_LIMIT}`);
    }
    const data = events.map((event) => {
      try {
        if (!isObject(event)) throw new NovuError(422, "every event must be an object");
        return accept("bulk", event, keyOf(c.req.raw));
      } catch (error) {
        if (!(error instanceof NovuError)) throw error;
        return { acknowledged: true, status: "error", error: [error.message] };
      }
    });
    return c.json({ data }, 201);
  });

  app.delete("/trigger/:transactionId", (c) => {
    return c.json({ data: messages.cancel(c.req.param("transactionId")) });
  });

  return app;
}

/** `to` is a subscriber id, a subscriber, a topic, or a list of those. */
function readRecipients(to: unknown): string[] {
  const recipients = Array.isArray(to) ? to : [to];
  if (recipients.length === 0) throw new NovuError(422, "to must name somebody");
  return recipients.flatMap((recipient) => {
    if (typeof recipient === "string" && recipient !== "") return [recipient];
    if (isObject(recipient)) {
      if (typeof recipient.subscriberId === "string" && recipient.subscriberId !== "") {
        return [recipient.subscriberId];
      }
      if (recipient.type === "Topic" && typeof recipient.topicKey === "string") return [];
    }
    throw new NovuError(
      422,
      "subscriberId under property to is not configured, please make sure all subscribers contains subscriberId property",
    );
  });
}
