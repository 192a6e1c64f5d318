// Imports a function as hosted Supabase would run it, but keeps its app instead of letting it
// open a port: one process serves all of them.
import type { Hono } from "hono";
import { existsSync, readdirSync } from "node:fs";

const folder = new URL("../../../functions/", import.meta.url);

export function listFunctions(): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/index.ts`, folder)))
    .map((entry) => entry.name).sort();
}

export async function loadFunction(name: string): Promise<Hono> {
  const serve = Deno.serve;
  Deno.serve = (() => undefined) as unknown as typeof Deno.serve;
  try {
    const { app } = await import(new URL(`${name}/index.ts`, folder).href);
    return app;
  } finally {
    Deno.serve = serve;
  }
}
