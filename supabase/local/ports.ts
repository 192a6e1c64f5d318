// Free ports on loopback, and a clear word when a wanted one is taken.

// Below what the kernel gives to outgoing connections: those could take a port between our looking
// at it and a part's listening on it. For the same reason no port is given out twice, and programs
// that run side by side look at different ones.
const LOWEST = 10_000;
const SLICES = 100;
const PORTS_IN_SLICE = 200;

const given = new Set<number>();

export function freePort(): number {
  const first = LOWEST + (Deno.pid % SLICES) * PORTS_IN_SLICE;
  for (;;) {
    if (given.size >= PORTS_IN_SLICE / 2) given.clear();
    const port = first + Math.floor(Math.random() * PORTS_IN_SLICE);
    if (given.has(port)) continue;
    given.add(port);
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
