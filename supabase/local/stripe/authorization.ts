import { badParameter, unauthorized } from "./errors.ts";

/** Any test key is good, as a bearer token or as the user of Basic authorisation. */
export function refuseUnauthorized(header: string | undefined): void {
  const key = keyOf(header);
  if (!key) {
    throw unauthorized(
      "You did not provide an API key. You need to provide your API key in the Authorization " +
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    );
  }
  if (/^sk_test_\w+$/.test(key)) return;
  throw unauthorized(`Invalid API Key provided: ****${key.slice(-4)}`);
}

function keyOf(header: string | undefined): string | undefined {
  const [scheme, value] = (header ?? "").split(" ");
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme) || !value) return undefined;
  try {
    return atob(value).split(":")[0];
  } catch {
    return undefined;
  }
}

export function refuseUnknownVersion(version: string | undefined): void {
  if (!version || /^\d{4}-\d{2}-\d{2}(\.\w+)?$/.test(version)) return;
  throw badParameter(`Invalid Stripe API version: ${version}`, "Stripe-Version");
}
