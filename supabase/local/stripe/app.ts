import { Hono } from "hono";
import { accounts } from "./resources/accounts.ts";
import { balance } from "./resources/balance.ts";
import { charges } from "./resources/charges.ts";
import { checkout } from "./resources/checkout.ts";
import { control } from "./control/routes.ts";
import { customers } from "./resources/customers.ts";
import { disputes } from "./resources/disputes.ts";
import { serve, unknownUrl } from "./endpoint.ts";
import { events } from "./resources/events.ts";
import { pages } from "./pages.ts";
import { paymentIntents } from "./resources/payment-intents.ts";
import { paymentMethods } from "./resources/payment-methods.ts";
import { payouts } from "./resources/payouts.ts";
import { refunds } from "./resources/refunds.ts";
import { Simulator, type SimulatorOptions } from "./simulator.ts";
import { transfers } from "./resources/transfers.ts";
import { webhookEndpoints } from "./resources/webhook-endpoints.ts";

export { PLATFORM, type SimulatorOptions } from "./simulator.ts";

const ENDPOINTS = [
  ...accounts,
  ...balance,
  ...charges,
  ...checkout,
  ...customers,
  ...disputes,
  ...events,
  ...paymentIntents,
  ...paymentMethods,
  ...payouts,
  ...refunds,
  ...transfers,
  ...webhookEndpoints,
];

export interface StripeSimulator {
  fetch: (request: Request) => Response | Promise<Response>;
  /** Stops webhooks and timers and lets go of the answers that are held. */
  close: () => void;
}

/**
 * Stripe for local development and tests, with its state in memory. It is hosted at the root of its
 * own port, where the `stripe` package expects /v1: `Deno.serve(simulator.fetch)`. Only ever on
 * loopback: /_control is open to everybody who can reach it.
 */
export function createStripeSimulator(options: SimulatorOptions = {}): StripeSimulator {
  const sim = new Simulator(options);
  const app = new Hono();
  for (const endpoint of ENDPOINTS) app.on(endpoint.method, endpoint.path, serve(sim, endpoint));
  app.route("/_control", control(sim));
  app.route("/", pages(sim));
  app.notFound((c) => {
    const { status, body } = unknownUrl(c.req.method, c.req.path);
    return c.json({ error: body }, status as 404);
  });
  return { fetch: (request) => app.fetch(request), close: () => sim.close() };
}
