// Tokens that must not open anything: what an attacker can make without our key, and what our own
// key must never be believed to have meant.
import { Buffer } from "node:buffer";
import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { keys } from "../support/database.ts";
import { tokenFor } from "../support/stack.ts";

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** For a user who exists and whose good token would work. */
export function forgedTokens(userId: string): Record<string, string> {
  const now = Math.floor(Date.now() / 1000);
  const good = tokenFor(userId);
  const [, payload, signature] = good.split(".");
  const otherKey = "another key that is as long as ours, and not ours";

  const rsaBody = `${part({ alg: "RS256", typ: "JWT" })}.${payload}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rsaSignature = createSign("RSA-SHA256").update(rsaBody).sign(privateKey, "base64url");
  const macSignature = createHmac("sha256", keys.jwt_secret).update(rsaBody).digest("base64url");
  const noneHeader = part({ alg: "none", typ: "JWT" });
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const raised = part({ ...claims, exp: claims.exp + 1 });

  return {
    "expired": tokenFor(userId, { exp: now - 60 }),
    "expired, said in text": tokenFor(userId, { exp: "never" }),
    "not yet valid": tokenFor(userId, { nbf: now + 3600 }),
    "issued in the future": tokenFor(userId, { iat: now + 3600 }),
    "unsigned (alg none)": `${noneHeader}.${payload}.`,
    "unsigned with a good signature of another header": `${noneHeader}.${payload}.${signature}`,
    "signed with another key": tokenFor(userId, {}, otherKey),
    "signed with the empty key": tokenFor(userId, {}, ""),
    "signed with the publishable key": tokenFor(userId, {}, keys.publishable_key),
    "signed by RSA with a key of their own": `${rsaBody}.${rsaSignature}`,
    "with an RSA header on an HMAC": `${rsaBody}.${macSignature}`,
    "with the claims changed after signing": `${good.split(".")[0]}.${raised}.${signature}`,
    "without a subject": tokenFor(userId, { sub: undefined }),
    "with no user as the subject": tokenFor(userId, { sub: null }),
    "with a subject that is no uuid": tokenFor(userId, { sub: "1 or 1=1" }),
    "with a uuid and more as the subject": tokenFor(userId, { sub: `${userId}\n` }),
    "with a number as the subject": tokenFor(userId, { sub: 7 }),
    "for another audience": tokenFor(userId, { aud: "other" }),
    "for a list of other audiences": tokenFor(userId, { aud: ["other", "service_role"] }),
    "for no audience": tokenFor(userId, { aud: undefined }),
    "for an audience that only holds our name": tokenFor(userId, { aud: "authenticated.example" }),
    "of the service role, signed with another key": tokenFor(
      userId,
      { role: "service_role" },
      otherKey,
    ),
    "of a superuser, signed with another key": tokenFor(
      userId,
      { role: "supabase_admin" },
      otherKey,
    ),
    "without a role": tokenFor(userId, { role: undefined }),
    "of the anonymous role": tokenFor(userId, { role: "anon" }),
    "cut off at the end": good.slice(0, -10),
    "without a signature": good.split(".").slice(0, 2).join("."),
    "garbage": "garbage",
    "three dots": "...",
    "very long": `${"a.".repeat(3000)}b`,
    "empty": "",
  };
}
