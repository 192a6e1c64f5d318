// What everyone may see, browsers and networks may keep for a moment; whoever has it already gets a 304.
import type { Context } from "hono";
import { encodeHex } from "../../shared/hex.ts";

export async function cached(context: Context, body: unknown): Promise<Response> {
  const text = JSON.stringify(body);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const etag = `"${encodeHex(new Uint8Array(hash)).slice(0, 32)}"`;
  context.header("etag", etag);
  context.header("cache-control", "public, max-age=5, stale-while-revalidate=30");
  const known = context.req.header("if-none-match")?.split(",").map((one) => one.trim());
  if (known?.some((one) => one === etag || one === `W/${etag}` || one === "*")) {
    return context.body(null, 304);
  }
  return context.body(text, 200, { "content-type": "application/json" });
}
