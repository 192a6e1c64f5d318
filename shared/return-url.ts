// Where people may be sent after paying: only to pages of origins that the deployment lists.
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";

/** The address as given, or that of the site when none is given. */
export function returnUrl(given: string | undefined, path: string): string {
  const { SITE_URL, RETURN_URL_ORIGINS } = env();
  if (given === undefined) return new URL(path, SITE_URL).href;
  if (!isAllowed(given, [new URL(SITE_URL).origin, ...RETURN_URL_ORIGINS])) {
    throw new ApiError("return_url_not_allowed");
  }
  // Stripe fills this in; in a path the parser would have escaped it.
  return new URL(given).href.replaceAll("%7BCHECKOUT_SESSION_ID%7D", "{CHECKOUT_SESSION_ID}");
}

export function isAllowed(address: string, origins: string[]): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, origin, username, password } = new URL(address);
  // Other schemes have the origin "null"; a user name only serves to look like another host.
  if (!["http:", "https:"].includes(protocol) || username || password) return false;
  return origins.includes(origin) || origins.includes(`${protocol}//${hostname}:*`);
}
