import { Hono } from "hono";
import { brokenBody, FaultPlan } from "../faults.ts";
import { createControl } from "./control.ts";
import { NovuError } from "./errors.ts";
import { createEvents } from "./events.ts";
import { type Message, Messages } from "./messages.ts";
import { renderPage } from "./page.ts";
import { createSubscribers, Subscribers } from "./subscribers.ts";

export interface NovuRecorderOptions {
  /** When given, only this key is let in; otherwise any key that is not empty. */
  apiKey?: string;
  /** How many messages, and how many subscribers, are kept. */
  limit?: number;
}

export interface NovuRecorder {
  fetch: (request: Request) => Response | Promise<Response>;
  /** What was recorded, newest first. */
  messages: () => Message[];
  /** Ends every fault and forgets everything. */
  reset: () => void;
  /** Lets go of every request that waits, so that the host can shut down at once. */
  close: () => void;
}

const PAGE = 50;

/** Takes what @novu/node sends and delivers nothing: it remembers, and shows what it remembers. */
export function createNovuRecorder(options: NovuRecorderOptions = {}): NovuRecorder {
  const { apiKey, limit = 10_000 } = options;
  const messages = new Messages(limit);
  const subscribers = new Subscribers(limit);
  const faults = new FaultPlan();

  const forget = () => {
    messages.clear();
    subscribers.clear();
  };

  const app = new Hono();
  app.route("/_control", createControl(faults, forget));

  app.get("/_local/novu", (c) => {
    const { transactionId, subscriberId, workflow } = c.req.query();
    const skip = readCount(c.req.query("skip"), 0);
    const count = readCount(c.req.query("limit"), PAGE);
    const found = messages.find({ transactionId, subscriberId, workflow, skip, limit: count });
    if (!c.req.header("accept")?.includes("text/html")) return c.json(found);
    return c.html(renderPage(found.items, found.total, skip));
  });
  app.get("/_local/novu/subscribers", (c) => {
    const items = subscribers.list().reverse();
    return c.json({ items, total: items.length });
  });

  app.use("/v1/*", async (c, next) => {
    const slow = faults.take("slow");
    if (slow) await faults.wait(Number(slow.detail.delay_ms), c.req.raw.signal);
    if (faults.take("down")) throw new NovuError(503, "Service Unavailable");
    checkKey(c.req.header("authorization"), apiKey);
    const failure = faults.take("fail");
    if (failure) throw failAs(Number(failure.detail.status));

    await next();
    if (!c.res.ok) return;
    const hang = faults.take("hang_after");
    if (hang) await faults.wait(Number(hang.detail.delay_ms), c.req.raw.signal);
    if (faults.take("break_after")) c.res = new Response(brokenBody(""), { status: c.res.status });
  });

  app.route("/v1/events", createEvents(messages, subscribers));
  app.route("/v1/subscribers", createSubscribers(subscribers));

  app.notFound((c) =>
    new NovuError(404, `The local recorder does not know ${c.req.method} ${c.req.path}`)
      .toResponse(c.req.raw)
  );
  app.onError((error, c) => {
    if (error instanceof NovuError) return error.toResponse(c.req.raw);
    throw error;
  });

  return {
    fetch: (request) => app.fetch(request),
    messages: () => messages.find({ skip: 0, limit: Infinity }).items,
    reset: () => {
      faults.clear();
      forget();
    },
    close: () => faults.clear(),
  };
}

function checkKey(header: string | undefined, expected: string | undefined): void {
  const key = header?.match(/^ApiKey (\S+)$/)?.[1];
  if (!key || (expected !== undefined && key !== expected)) {
    throw new NovuError(401, "API Key not found");
  }
}

function failAs(status: number): NovuError {
  if (status === 401) return new NovuError(401, "API Key not found");
  if (status === 429) return new NovuError(429, "API rate limit exceeded", { "Retry-After": "1" });
  return new NovuError(500, "Internal server error");
}

function readCount(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw new NovuError(400, "skip and limit must be whole numbers");
  return Number(text);
}
