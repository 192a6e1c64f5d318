// Bytes as hexadecimal text and back; the hosted runtime's own Uint8Array has no such methods yet.
export const encodeHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
