import { Hono } from "hono";
import type Stripe from "stripe";
import { body, strict } from "./body.ts";
import { objectRoutes } from "./objects.ts";
import { StripeFailure } from "../errors.ts";
import { publish } from "../resources/events.ts";
import { FAULT_KINDS, type FaultRule } from "./faults.ts";
import { expireSessions } from "../resources/checkout.ts";
import { PLATFORM, type Simulator } from "../simulator.ts";
import type { Chaos, DeliveryRule } from "../delivery/webhook-faults.ts";
import type { DeliverySettings } from "../delivery/webhooks.ts";

/**
 * The control API: how a test, or a person, makes Stripe misbehave and makes time pass.
 * JSON in, JSON out; no key. `GET /_control` lists the verbs below.
 */
const VERBS: Record<string, string> = {
  "GET /": "this list",
  "POST /reset": "forget everything; start again with the options of the host",
  "GET /requests?method=&path=": "what reached /v1: parameters, idempotency keys, status, replayed",
  "DELETE /requests": "forget the requests",
  "POST /faults":
    "{kind: decline|error|delay|hang|disconnect, times?: n|null, method?, path? (* is anything), " +
    "probability?, code? (decline code), ms? (null: until released), status?, " +
    "when?: before|after, " +
    "stored?, error?: {type,code,message}}",
  "GET /faults": "the rules and how often they were used",
  "DELETE /faults": "no more faults; answers that are held are let go",
  "POST /faults/seed": "{seed} for the probabilities of faults",
  "GET /webhooks": "settings, chaos, rules, endpoints, how many deliveries are pending",
  "POST /webhooks": "{concurrency?, shuffle?, timeoutMs?, retry?: {firstMs,factor,maxMs,attempts}}",
  "POST /webhooks/chaos":
    "{seed?, drop?, duplicate?, fresh_ids?, delay?, max_delay_ms?}: probabilities from 0 to 1",
  "POST /webhooks/rules":
    "{kind: drop|duplicate|delay, type?, times?: n|null, copies?, fresh_ids?, ms?}",
  "DELETE /webhooks/rules": "no more rules, no more chaos, no shuffling",
  "POST /webhooks/pause": "hold deliveries back",
  "POST /webhooks/resume": "send what was held back",
  "POST /webhooks/flush":
    "{timeout_ms?, hurry?}: wait until every delivery ended; hurry: forgo delays and backoff",
  "GET /deliveries?event=": "every delivery, its attempts and its outcome",
  "GET /events?type=&object=": "every event, oldest first, of all accounts",
  "POST /events": "{type, object (an id), overrides?, event?}: forge an event and send it",
  "POST /events/:id/resend": "{times?, fresh_id?}: send it again, under its id or under fresh ones",
  "POST /settings": "{settle_after_ms: n|null}",
  "POST /clock": "{advance_seconds}: sessions expire, funds become available, keys are forgotten",
  "POST /balance": "{amount, currency, account?}: money from outside",
  "POST /accounts": "{id?, country?, email?, enabled?: true}: a connected account, onboarded",
  "POST /accounts/:id/enable": "as if its owner had completed onboarding",
  "POST /accounts/:id/disable": "no transfers, no payouts",
  "POST /sessions/:id/pay":
    "{payment_method?, email?, later?}: a person pays; later: settles by itself or by " +
    "/payment_intents/:id/succeed",
  "POST /sessions/:id/expire": "as if its time had come",
  "POST /payment_intents/:id/succeed": "the customer pays, authenticates, or the debit settles",
  "POST /payment_intents/:id/fail": "{code?: decline code}",
  "POST /payouts/:id/pay": "the bank has the money",
  "POST /payouts/:id/send": "in_transit",
  "POST /payouts/:id/fail": "{code?}: also after it was paid",
  "POST /payouts/:id/cancel": "while it is pending",
  "POST /refunds/:id/succeed": "a pending refund",
  "POST /refunds/:id/fail": "a pending one, or one that had succeeded",
  "POST /refunds/:id/require_action": "so that it can be canceled",
  "POST /charges/:id/dispute":
    "{amount?, reason?, inquiry?}: open a dispute, or an inquiry, which takes no money; a payment intent's id will do",
  "POST /disputes/:id/win": "the money comes back; an inquiry is closed",
  "POST /disputes/:id/lose": "the money is gone; an inquiry is closed",
};

export function control(sim: Simulator): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof StripeFailure) return c.json({ error: error.body }, error.status as 400);
    if (error instanceof SyntaxError) return c.json({ error: { message: error.message } }, 400);
    throw error;
  });
  app.get("/", (c) => {
    const verbs = Object.entries(VERBS).map(([verb, meaning]) => [
      verb.replace(" /", " /_control/").replace(/\/$/, ""),
      meaning,
    ]);
    return c.json({ verbs: Object.fromEntries(verbs) });
  });
  app.post("/reset", (c) => {
    sim.reset();
    return c.json({ done: true });
  });
  app.get("/requests", (c) => {
    const { method, path } = c.req.query();
    return c.json({ requests: sim.requests.list({ method, path }) });
  });
  app.delete("/requests", (c) => {
    sim.requests.clear();
    return c.json({ done: true });
  });
  app.post("/settings", async (c) => {
    const { settle_after_ms } = await body<{ settle_after_ms: number | null }>(c);
    if (settle_after_ms !== undefined) sim.settleAfterMs = settle_after_ms;
    return c.json({ settle_after_ms: sim.settleAfterMs });
  });
  app.post("/clock", async (c) => {
    sim.advanceClock((await body<{ advance_seconds: number }>(c)).advance_seconds ?? 0);
    expireSessions(sim);
    return c.json({ now: sim.seconds() });
  });
  faultRoutes(app, sim);
  webhookRoutes(app, sim);
  eventRoutes(app, sim);
  objectRoutes(app, sim);
  return app;
}

function faultRoutes(app: Hono, sim: Simulator): void {
  const words = ["kind", "times", "method", "path", "probability", "code", "ms", "status", "when"];
  app.get("/faults", (c) => c.json({ faults: sim.faults.list() }));
  app.post("/faults", async (c) => {
    const rule = strict(await body<FaultRule>(c), [...words, "stored", "error"]);
    const kind = FAULT_KINDS.find((known) => known === rule.kind);
    if (!kind) throw new SyntaxError(`kind must be one of ${FAULT_KINDS.join(", ")}`);
    return c.json(sim.faults.add({ ...rule, kind }));
  });
  app.post("/faults/seed", async (c) => {
    const { seed } = await body<{ seed: number }>(c);
    sim.faults.seed(seed ?? 1);
    return c.json({ seed });
  });
  app.delete("/faults", (c) => {
    sim.faults.clear();
    sim.release();
    return c.json({ done: true });
  });
}

function webhookRoutes(app: Hono, sim: Simulator): void {
  const show = () => ({
    settings: sim.webhooks.settings,
    paused: sim.webhooks.paused,
    pending: sim.webhooks.pending,
    chaos: sim.webhooks.faults.chaos,
    rules: sim.webhooks.faults.list(),
    endpoints: [...sim.state.endpoints.values()].map((endpoint) => endpoint.value),
  });
  app.get("/webhooks", (c) => c.json(show()));
  app.post("/webhooks", async (c) => {
    const known = ["concurrency", "shuffle", "timeoutMs", "retry"];
    sim.webhooks.configure(strict(await body<DeliverySettings>(c), known));
    return c.json(show());
  });
  app.post("/webhooks/chaos", async (c) => {
    const known = ["seed", "drop", "duplicate", "fresh_ids", "delay", "max_delay_ms"];
    sim.webhooks.faults.setChaos(strict(await body<Chaos>(c), known));
    return c.json(show());
  });
  app.post("/webhooks/rules", async (c) => {
    const known = ["kind", "type", "times", "copies", "fresh_ids", "ms"];
    const { kind, ...rest } = strict(await body<DeliveryRule>(c), known);
    if (kind !== "drop" && kind !== "duplicate" && kind !== "delay") {
      throw new SyntaxError("kind must be one of drop, duplicate, delay");
    }
    return c.json(sim.webhooks.faults.add({ ...rest, kind }));
  });
  app.delete("/webhooks/rules", (c) => {
    sim.webhooks.faults.clear();
    sim.webhooks.configure({ shuffle: false });
    return c.json(show());
  });
  app.post("/webhooks/pause", (c) => {
    sim.webhooks.pause();
    return c.json(show());
  });
  app.post("/webhooks/resume", (c) => {
    sim.webhooks.resume();
    return c.json(show());
  });
  app.post("/webhooks/flush", async (c) => {
    const { timeout_ms, hurry } = await body<{ timeout_ms: number; hurry: boolean }>(c);
    return c.json(await sim.webhooks.flush(timeout_ms ?? 10_000, hurry ?? false));
  });
  app.get(
    "/deliveries",
    (c) => c.json({ deliveries: sim.webhooks.deliveries(c.req.query("event")) }),
  );
}

function eventRoutes(app: Hono, sim: Simulator): void {
  app.get("/events", (c) => {
    const { type, object } = c.req.query();
    const events = sim.state.events.all().reverse().filter((event) =>
      (!type || event.type === type) &&
      (!object || (event.data.object as { id?: string }).id === object)
    );
    return c.json({ events });
  });
  app.post("/events", async (c) => {
    const given = await body<{
      type: string;
      object: string;
      overrides: object;
      event: Partial<Stripe.Event>;
    }>(c);
    if (!given.type || !given.object) throw new SyntaxError("type and object are needed");
    const { object, account } = anyObject(sim, given.object);
    const data = { object: { ...structuredClone(object), ...given.overrides } };
    const parts = { ...given.event, type: given.type, data };
    return c.json(publish(sim.caller(account), parts));
  });
  app.post("/events/:id/resend", async (c) => {
    const id = c.req.param("id");
    const event = sim.state.events.get(sim.state.events.owner(id) ?? PLATFORM, id);
    const { times, fresh_id } = await body<{ times: number; fresh_id: boolean }>(c);
    return c.json({ events: sim.webhooks.resend(event, times ?? 1, fresh_id ?? false) });
  });
}

function anyObject(sim: Simulator, id: string): { object: object; account: string } {
  for (const collection of Object.values(sim.state)) {
    if (!(collection && "owner" in collection)) continue;
    const account = collection.owner(id);
    if (account) return { object: collection.get(account, id), account };
  }
  throw new SyntaxError(`no such object: ${id}`);
}
