/** The Stripe-Signature header: HMAC-SHA256 of `<timestamp>.<body>` under the endpoint's secret. */
export async function sign(body: string, secret: string): Promise<string> {
  // Always the real time: receivers compare it with their own clock.
  const timestamp = Math.floor(Date.now() / 1000);
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
  ]);
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(`${timestamp}.${body}`));
  const hex = Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, "0"));
  return `t=${timestamp},v1=${hex.join("")}`;
}
