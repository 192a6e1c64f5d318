// The simulators process: Stripe, drand and Novu, each on a port of its own as the real ones are.
import { createBeacon } from "./drand/beacon.ts";
import { createNovuRecorder } from "./novu/recorder.ts";
import { leaveWithParent } from "./process.ts";
import { createStripeSimulator } from "./stripe/app.ts";

type Handler = (request: Request) => Response | Promise<Response>;

const serve = (name: string, handler: Handler) =>
  Deno.serve(
    { hostname: "127.0.0.1", port: Number(Deno.env.get(name)), onListen() {} },
    (request) =>
      new URL(request.url).pathname === "/ready" ? new Response("ready") : handler(request),
  );

const webhook = {
  url: Deno.env.get("STRIPE_WEBHOOK_URL")!,
  secret: Deno.env.get("STRIPE_WEBHOOK_SECRET")!,
};
// The bank accounts of the demo's players, and what the house has at Stripe.
const accounts = ["acct_demoAna", "acct_demoBen"];
const openingBalance = { eur: 100_000_00 };
serve("STRIPE_PORT", createStripeSimulator({ webhook, accounts, openingBalance }).fetch);
serve("DRAND_PORT", createBeacon().fetch);
serve("NOVU_PORT", createNovuRecorder().fetch);
await leaveWithParent();
