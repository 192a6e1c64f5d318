import type Stripe from "stripe";
import { details } from "./checkout.ts";
import { refused } from "../errors.ts";
import { emit } from "./events.ts";
import { newId } from "../ids.ts";
import { useMethod } from "./payment-methods.ts";
import { attachMethod, confirmIntent, createIntent, decline, succeed } from "./payments.ts";
import type { Caller } from "../simulator.ts";
import { change } from "../state.ts";

type Session = Stripe.Checkout.Session;
type Intent = Stripe.PaymentIntent;

export interface Payment {
  method?: string;
  email?: string;
  /** The money comes later, or not: as with a bank debit. */
  later?: boolean;
}

/** What the customer does on Stripe's page. A card that is declined leaves the session open. */
export function paySession(caller: Caller, session: Session, payment: Payment = {}): Session {
  const { sim } = caller;
  if (session.status !== "open") {
    throw refused(`This Checkout Session has a status of ${session.status}.`);
  }
  const method = useMethod(caller, payment.method ?? "pm_card_visa");
  const intent = intentOf(caller, session);
  attachMethod(caller, intent, method.id);
  if (payment.later) change(intent, { status: "processing" });
  else confirmIntent(caller, intent, { authenticated: true });

  if (!session.customer && session.customer_creation === "always") {
    session.customer = newCustomer(caller, payment.email ?? session.customer_email);
    intent.customer = session.customer;
  }
  const email = payment.email ?? session.customer_details?.email ?? "customer@example.com";
  change(session, {
    customer_details: details(email),
    payment_status: intent.status === "succeeded" ? "paid" : "unpaid",
    status: "complete",
    url: null,
  });
  emit(caller, "checkout.session.completed", session);
  const unattended = sim.caller(caller.account, caller.origin);
  if (payment.later) {
    sim.settleLater(() => {
      if (intent.status === "processing") settleIntent(unattended, intent, true);
    });
  }
  return session;
}

/** The same intent is tried again after a decline. */
function intentOf(caller: Caller, session: Session): Intent {
  const { sim, account } = caller;
  const known = sim.state.paymentIntents.find(account, session.payment_intent as string ?? "");
  if (known) return known;
  const plan = sim.state.plans.get(session.id)!;
  const intent = createIntent(caller, {
    ...plan,
    amount: session.amount_total!,
    currency: session.currency!,
    customer: session.customer as string | null,
  });
  session.payment_intent = intent.id;
  return intent;
}

function newCustomer(caller: Caller, email: string | null): string {
  const { sim, account } = caller;
  const customer = {
    id: newId("cus", 14),
    object: "customer",
    balance: 0,
    created: sim.seconds(),
    default_source: null,
    description: null,
    email,
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    shipping: null,
  } satisfies Stripe.Customer;
  sim.state.customers.add(account, customer);
  emit(caller, "customer.created", customer);
  return customer.id;
}

/** The end of a payment that was processing; its session hears of it too. */
export function settleIntent(caller: Caller, intent: Intent, paid: boolean, code?: string): Intent {
  const { sim, account } = caller;
  const session = sim.state.sessions.all(account)
    .find((row) => row.payment_intent === intent.id && row.status === "complete");
  if (paid) succeed(caller, intent);
  else decline(caller, intent, code ?? "generic_decline");
  if (!session || session.payment_status !== "unpaid") return intent;
  if (paid) session.payment_status = "paid";
  const type = paid ? "succeeded" : "failed";
  emit(caller, `checkout.session.async_payment_${type}`, session);
  return intent;
}
