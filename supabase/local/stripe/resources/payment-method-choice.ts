import type Stripe from "stripe";
import { badParameter, refused } from "../errors.ts";
import type { Form } from "../forms.ts";
import { readBoolean, readChoice, readForm, readStrings } from "../params.ts";

type Intent = Stripe.PaymentIntent;

/** Only cards are simulated; whatever else is allowed is filtered out, as Stripe filters. */
export function allowedTypes(params: Form): Intent["allowed_payment_method_types"] {
  const allowed = readStrings(params, "allowed_payment_method_types");
  if (allowed.length === 0) return null;
  if (params.automatic_payment_methods !== undefined) {
    const message = "You may only specify one of these parameters: automatic_payment_methods, " +
      "allowed_payment_method_types.";
    throw badParameter(message, "allowed_payment_method_types");
  }
  if (!allowed.includes("card")) {
    const message =
      "No valid payment method types for this Payment Intent: only card is simulated.";
    throw badParameter(message, "allowed_payment_method_types");
  }
  return allowed as Intent["allowed_payment_method_types"];
}

export function automaticMethods(params: Form): Intent["automatic_payment_methods"] {
  const at = "automatic_payment_methods";
  const given = readForm(params, at);
  if (given && readBoolean(given, "enabled", at) === false) return null;
  if (params.allowed_payment_method_types !== undefined) return null;
  const redirects = given && readChoice(given, "allow_redirects", ["always", "never"] as const, at);
  return { enabled: true, allow_redirects: redirects ?? "always" };
}

/** Gone since the package's version of the API; the object still shows the types. */
export function refuseMethodTypes(params: Form): void {
  if (params.payment_method_types === undefined) return;
  throw badParameter(
    "`payment_method_types` is no longer supported. Use `allowed_payment_method_types` instead.",
    "payment_method_types",
    "payment_method_types_no_longer_supported",
  );
}

/** A server that confirms has to say where a redirecting method would come back to. */
export function refuseWithoutReturnUrl(
  automatic: Intent["automatic_payment_methods"],
  returnUrl: string | undefined,
): void {
  if (!automatic?.enabled || automatic.allow_redirects === "never" || returnUrl) return;
  throw refused(
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. " +
      "Because some of these payment methods might redirect your customer off of your page, you " +
      "must provide a `return_url`. If you don't want to accept redirect-based payment methods, " +
      "set `automatic_payment_methods[enabled]` to `true` and " +
      "`automatic_payment_methods[allow_redirects]` to `never`.",
    { param: "return_url" },
  );
}
