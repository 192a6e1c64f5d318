import { afterEach } from "vitest";
import Stripe from "stripe";
import { createStripeSimulator, type SimulatorOptions } from "../../supabase/local/stripe/app.ts";

/** One of each a test: the simulator, the real package, and a server that takes the webhooks. */
export interface Stack {
  stripe: Stripe;
  url: string;
  receiver: Receiver;
  client: (config?: Stripe.StripeConfig, key?: string) => Stripe;
  // deno-lint-ignore no-explicit-any -- the control API speaks plain JSON
  control: (verb: string, body?: object) => Promise<any>;
  /** Lets every delivery end, and returns the types of the events that were received. */
  flush: () => Promise<string[]>;
  page: (url: string, form: Record<string, string>) => Promise<Response>;
}

const SECRET = "whsec_tests";
const running: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

export class Receiver {
  events: Stripe.Event[] = [];
  refused = 0;
  /** What to answer; a promise makes the sender wait. */
  answer: () => number | Promise<number> = () => 200;
  secret = SECRET;
  url = "";
  #server?: Deno.HttpServer;

  start(): void {
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      (request) => this.#receive(request),
    );
    this.url = `http://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}/webhook`;
  }

  async #receive(request: Request): Promise<Response> {
    const text = await request.text();
    const signature = request.headers.get("stripe-signature") ?? "";
    try {
      const event = await Stripe.webhooks.constructEventAsync(text, signature, this.secret);
      const status = await this.answer();
      if (status < 300) this.events.push(event);
      return new Response(null, { status });
    } catch {
      this.refused += 1;
      return new Response(null, { status: 400 });
    }
  }

  /** When an event of this type has arrived. */
  async until(type: string): Promise<void> {
    while (!this.types().includes(type)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  types(): string[] {
    return this.events.map((event) => event.type);
  }

  stop(): Promise<void> | undefined {
    return this.#server?.shutdown();
  }
}

export function receive(): Receiver {
  const receiver = new Receiver();
  receiver.start();
  running.push(async () => await receiver.stop());
  return receiver;
}

export function start(options: SimulatorOptions = {}): Stack {
  const receiver = receive();
  const simulator = createStripeSimulator({
    webhook: { url: receiver.url, secret: SECRET },
    settleAfterMs: null,
    ...options,
    delivery: {
      concurrency: 1,
      retry: { firstMs: 5, factor: 1, maxMs: 5, attempts: 5 },
      ...options.delivery,
    },
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    simulator.fetch,
  );
  const { port } = server.addr as Deno.NetAddr;
  const url = `http://127.0.0.1:${port}`;
  running.unshift(async () => {
    simulator.close();
    await server.shutdown();
  });

  const client = (config: Stripe.StripeConfig = {}, key = "sk_test_simulator") =>
    new Stripe(key, {
      host: "127.0.0.1",
      port,
      protocol: "http",
      maxNetworkRetries: 0,
      telemetry: false,
      ...config,
    });
  const control = async (verb: string, body?: object) => {
    const [method, path] = verb.split(" ");
    const response = await fetch(`${url}/_control${path === "/" ? "" : path}`, {
      method,
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  return {
    stripe: client(),
    url,
    receiver,
    client,
    control,
    flush: async () => {
      const { done } = await control("POST /webhooks/flush", { hurry: true });
      if (!done) throw new Error("deliveries are still pending");
      return receiver.types();
    },
    page: (url, form) =>
      fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "manual" }),
  };
}

/** The error that a call fails with; a call that succeeds is a failed test. */
export async function failure(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

/** A payment by card, without anything to come back to. */
export function card(amount: number, payment_method = "pm_card_visa") {
  return {
    amount,
    currency: "eur",
    payment_method,
    confirm: true,
    allowed_payment_method_types: ["card"],
  } satisfies Stripe.PaymentIntentCreateParams;
}

export function session(amount: number, extra: Stripe.Checkout.SessionCreateParams = {}) {
  return {
    mode: "payment",
    success_url: "http://localhost:3000/done?session={CHECKOUT_SESSION_ID}",
    cancel_url: "http://localhost:3000/cancel",
    line_items: [{
      quantity: 1,
      price_data: { currency: "eur", unit_amount: amount, product_data: { name: "Top-up" } },
    }],
    ...extra,
  } satisfies Stripe.Checkout.SessionCreateParams;
}
