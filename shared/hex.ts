// Bytes as hexadecimal text and back; the hosted runtime's own Uint8Array has no such methods yet.
export const encodeHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Lower case only, so that the same bytes are always the same text. */
export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new RangeError("not hexadecimal");
  return Uint8Array.from(
    { length: text.length / 2 },
    (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}
