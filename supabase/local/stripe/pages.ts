import { type Context, Hono } from "hono";
import { html } from "hono/html";
import { setOnboarded } from "./resources/accounts.ts";
import { paySession } from "./resources/checkout-payments.ts";
import { expireSessions } from "./resources/checkout.ts";
import { inWords } from "./currencies.ts";
import { StripeFailure } from "./errors.ts";
import { finishAction } from "./resources/payments.ts";
import { PLATFORM, type Simulator } from "./simulator.ts";
import { testCardNames } from "./resources/test-cards.ts";

type Html = ReturnType<typeof html>;

function page(title: string, body: Html): Html {
  return html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>${title}</title>
        <style>
            body { font: 16px system-ui; max-width: 28rem; margin: 3rem auto; padding: 0 1rem }
            button, select, input { font: inherit; padding: .5rem; margin: .25rem 0; width: 100% }
            .note { color: #666; font-size: .85rem }
            .error { color: #b00020 }
            </style>
      </head>
      <body>
            <h1>${title}</h1>
            ${body}
            <p class="note">A local stand-in for Stripe. No money moves.</p>
          </body>
    </html>
  `;
}

/** The pages that Stripe would show: checkout, authentication of a card, onboarding. */
export function pages(sim: Simulator): Hono {
  const app = new Hono();
  app.get("/c/pay/:id", (c) => showCheckout(sim, c));
  app.post("/c/pay/:id", (c) => payCheckout(sim, c));
  app.get("/authenticate/:id", (c) =>
    c.html(page(
      "Confirm with your bank",
      html`
        <form method="post">
          <button name="answer" value="yes">Complete authentication</button>
          <button name="answer" value="no">Fail authentication</button>
        </form>
      `,
    )));
  app.post("/authenticate/:id", (c) => authenticate(sim, c));
  app.get("/onboarding/:token", (c) =>
    c.html(page(
      "Get paid",
      html`
        <form method="post"><button>Complete onboarding</button></form>
      `,
    )));
  app.post("/onboarding/:token", (c) => onboard(sim, c));
  return app;
}

function findSession(sim: Simulator, c: Context) {
  expireSessions(sim);
  const id = c.req.param("id")!;
  const account = sim.state.sessions.owner(id);
  return account ? { session: sim.state.sessions.get(account, id), account } : undefined;
}

function notFound(c: Context) {
  return c.html(page("Not found", html`<p>There is nothing here.</p>`), 404);
}

function showCheckout(sim: Simulator, c: Context, error?: string) {
  const found = findSession(sim, c);
  if (!found) return notFound(c);
  const { session } = found;
  if (session.status !== "open") {
    return c.html(page("Checkout", html`<p>This session is ${session.status}.</p>`), 410);
  }
  const lines = sim.state.lineItems.get(session.id) ?? [];
  const total = inWords(session.amount_total!, session.currency!);
  const body = html`
    <ul>${lines.map((line) =>
      html`<li>${line.quantity} × ${line.description}: ${
        inWords(line.amount_total, line.currency)
      }</li>`
    )}</ul>
    ${error ? html`<p class="error">${error}</p>` : ""}
    <form method="post">
      <select name="payment_method">${testCardNames().map((name) =>
        html`<option>${name}</option>`
      )}</select>
      <button name="action" value="pay">Pay ${total}</button>
      <button name="action" value="decline">Pay with a card that is declined</button>
      <button name="action" value="later">Pay by bank debit (settles later)</button>
    </form>
    ${session.cancel_url ? html`<p><a href="${session.cancel_url}">Back to the shop</a></p>` : ""}
  `;
  return c.html(page(`Pay ${total}`, body), error ? 402 : 200);
}

async function payCheckout(sim: Simulator, c: Context) {
  const found = findSession(sim, c);
  if (!found) return notFound(c);
  const { session, account } = found;
  const form = await c.req.parseBody();
  const chosen = form.action === "decline" ? "pm_card_chargeDeclined" : form.payment_method;
  const origin = sim.options.publicUrl ?? new URL(c.req.url).origin;
  try {
    paySession(sim.caller(account, origin), session, {
      method: String(chosen || "pm_card_visa"),
      later: form.action === "later",
    });
  } catch (error) {
    if (!(error instanceof StripeFailure)) throw error;
    return showCheckout(sim, c, error.message);
  }
  return c.redirect(session.success_url!.replaceAll("{CHECKOUT_SESSION_ID}", session.id), 303);
}

async function authenticate(sim: Simulator, c: Context) {
  const id = c.req.param("id")!;
  const account = sim.state.paymentIntents.owner(id);
  if (!account) return notFound(c);
  const intent = sim.state.paymentIntents.get(account, id);
  const back = intent.next_action?.redirect_to_url?.return_url;
  const form = await c.req.parseBody();
  try {
    finishAction(sim.caller(account, new URL(c.req.url).origin), intent, form.answer === "yes");
  } catch (error) {
    // A decline is an outcome: the intent tells it to whoever asks.
    if (!(error instanceof StripeFailure)) throw error;
  }
  if (!back) return c.html(page("Done", html`<p>You may close this page.</p>`));
  const url = new URL(back);
  url.searchParams.set("payment_intent", intent.id);
  url.searchParams.set("payment_intent_client_secret", intent.client_secret!);
  url.searchParams.set("redirect_status", intent.status === "succeeded" ? "succeeded" : "failed");
  return c.redirect(url.href, 303);
}

function onboard(sim: Simulator, c: Context) {
  const link = sim.state.onboarding.get(c.req.param("token")!);
  if (!link || link.expires < sim.seconds()) return notFound(c);
  const account = sim.state.accounts.get(PLATFORM, link.account);
  setOnboarded(sim.caller(PLATFORM), account, true);
  return c.redirect(link.returnUrl!, 303);
}
