// Free ports on loopback, and a clear word when a wanted one is taken.

// Below what the kernel gives to outgoing connections: those could take a port between our looking
// at it and a part's listening on it.
const LOWEST = 10_000;
const HIGHEST = 30_000;

export function freePort(): number {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (!isTaken(port)) return port;
  }
}

export function isTaken(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return true;
    throw error;
  }
}
