import type { Hono } from "hono";
import { createAccount, setOnboarded } from "../resources/accounts.ts";
import { topUp } from "../resources/balance.ts";
import { type Payment, paySession, settleIntent } from "../resources/checkout-payments.ts";
import { expireSession } from "../resources/checkout.ts";
import { body } from "./body.ts";
import { closeDispute, type DisputeOptions, openDispute } from "../resources/disputes.ts";
import { refused } from "../errors.ts";
import { attachMethod, confirmIntent, decline, finishAction } from "../resources/payments.ts";
import { cancelPayout, failPayout, payPayout, sendPayout } from "../resources/payouts.ts";
import { advanceRefund } from "../resources/refunds.ts";
import { PLATFORM, type Simulator } from "../simulator.ts";
import type { Collection } from "../state.ts";

/** Finds an object in whichever account it is, and somebody to act there. */
function at<T extends { id: string }>(sim: Simulator, collection: Collection<T>, id: string) {
  const account = collection.owner(id) ?? PLATFORM;
  return { object: collection.get(account, id), caller: sim.caller(account) };
}

/** What the world outside does to objects: customers, banks, owners of accounts. */
export function objectRoutes(app: Hono, sim: Simulator): void {
  accountRoutes(app, sim);
  paymentRoutes(app, sim);
  payoutRoutes(app, sim);
  refundRoutes(app, sim);
  disputeRoutes(app, sim);
}

function accountRoutes(app: Hono, sim: Simulator): void {
  app.post("/balance", async (c) => {
    const given = await body<{ amount: number; currency: string; account: string }>(c);
    if (!Number.isInteger(given.amount) || !given.currency) {
      throw new SyntaxError("amount and currency are needed");
    }
    const caller = sim.caller(given.account ?? PLATFORM);
    return c.json(topUp(caller, given.amount!, given.currency.toLowerCase()));
  });
  app.post("/accounts", async (c) => {
    const { enabled, ...plan } = await body<
      { id: string; country: string; email: string; enabled: boolean }
    >(c);
    const account = createAccount(sim, plan);
    if (enabled !== false) setOnboarded(sim.caller(PLATFORM), account, true);
    return c.json(account);
  });
  app.post("/accounts/:id/:verb{enable|disable}", (c) => {
    const { object, caller } = at(sim, sim.state.accounts, c.req.param("id"));
    setOnboarded(caller, object, c.req.param("verb") === "enable");
    return c.json(object);
  });
}

function paymentRoutes(app: Hono, sim: Simulator): void {
  app.post("/sessions/:id/pay", async (c) => {
    const { object, caller } = at(sim, sim.state.sessions, c.req.param("id"));
    const { payment_method: method, ...rest } = await body<Payment & { payment_method: string }>(c);
    return c.json(paySession(caller, object, { ...rest, method }));
  });
  app.post("/sessions/:id/expire", (c) => {
    const { object, caller } = at(sim, sim.state.sessions, c.req.param("id"));
    return c.json(expireSession(caller, object));
  });
  app.post("/payment_intents/:id/succeed", (c) => {
    const { object: intent, caller } = at(sim, sim.state.paymentIntents, c.req.param("id"));
    if (intent.status === "processing") return c.json(settleIntent(caller, intent, true));
    const session = sim.state.sessions.all(caller.account)
      .find((row) => row.payment_intent === intent.id && row.status === "open");
    if (session) {
      paySession(caller, session);
      return c.json(intent);
    }
    if (intent.status === "requires_action") finishAction(caller, intent, true);
    else {
      if (!intent.payment_method) attachMethod(caller, intent, "pm_card_visa");
      if (intent.status !== "requires_confirmation") throw ended(intent);
      confirmIntent(caller, intent, { authenticated: true });
    }
    return c.json(intent);
  });
  app.post("/payment_intents/:id/fail", async (c) => {
    const { object: intent, caller } = at(sim, sim.state.paymentIntents, c.req.param("id"));
    const { code } = await body<{ code: string }>(c);
    if (intent.status === "processing") return c.json(settleIntent(caller, intent, false, code));
    if (!/^requires_(payment_method|confirmation|action)$/.test(intent.status)) throw ended(intent);
    decline(caller, intent, code ?? "generic_decline");
    return c.json(intent);
  });
}

function ended(intent: { id: string; status: string }) {
  return refused(`Payment intent ${intent.id} is ${intent.status}: it cannot change any more.`);
}

function payoutRoutes(app: Hono, sim: Simulator): void {
  app.post("/payouts/:id/pay", (c) => {
    const { object, caller } = at(sim, sim.state.payouts, c.req.param("id"));
    return c.json(payPayout(caller, object));
  });
  app.post("/payouts/:id/send", (c) => {
    const { object, caller } = at(sim, sim.state.payouts, c.req.param("id"));
    return c.json(sendPayout(caller, object));
  });
  app.post("/payouts/:id/fail", async (c) => {
    const { object, caller } = at(sim, sim.state.payouts, c.req.param("id"));
    const { code } = await body<{ code: string }>(c);
    return c.json(failPayout(caller, object, code ?? "could_not_process"));
  });
  app.post("/payouts/:id/cancel", (c) => {
    const { object, caller } = at(sim, sim.state.payouts, c.req.param("id"));
    return c.json(cancelPayout(caller, object));
  });
}

function refundRoutes(app: Hono, sim: Simulator): void {
  const ends = { succeed: "succeeded", fail: "failed", require_action: "requires_action" } as const;
  for (const [verb, status] of Object.entries(ends)) {
    app.post(`/refunds/:id/${verb}`, (c) => {
      const { object, caller } = at(sim, sim.state.refunds, c.req.param("id"));
      return c.json(advanceRefund(caller, object, status));
    });
  }
}

function disputeRoutes(app: Hono, sim: Simulator): void {
  app.post("/charges/:id/dispute", async (c) => {
    const id = c.req.param("id");
    const intent = id.startsWith("pi_") ? at(sim, sim.state.paymentIntents, id).object : undefined;
    const charge = intent ? String(intent.latest_charge) : id;
    const { object, caller } = at(sim, sim.state.charges, charge);
    return c.json(openDispute(caller, object, await body<DisputeOptions>(c)));
  });
  app.post("/disputes/:id/win", (c) => {
    const { object, caller } = at(sim, sim.state.disputes, c.req.param("id"));
    return c.json(closeDispute(caller, object, "won"));
  });
  app.post("/disputes/:id/lose", (c) => {
    const { object, caller } = at(sim, sim.state.disputes, c.req.param("id"));
    return c.json(closeDispute(caller, object, "lost"));
  });
}
