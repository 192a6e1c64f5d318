// The functions process: every folder of functions/ under /<name>, as hosted routes them.
import type { Hono } from "hono";
import { leaveWithParent } from "../process.ts";
import { listFunctions, loadFunction } from "./load.ts";

const apps = new Map<string, Hono>();
for (const name of listFunctions()) {
  try {
    apps.set(name, await loadFunction(name));
  } catch (error) {
    console.error(`functions/${name}: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}

function notFound(): Response {
  const request_id = crypto.randomUUID();
  const error = { code: "function_not_found", message: "There is no such function.", request_id };
  return Response.json({ error }, { status: 404, headers: { "x-request-id": request_id } });
}

const port = Number(Deno.env.get("PORT"));
Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => {
  const name = new URL(request.url).pathname.split("/")[1];
  if (name === "ready") return new Response("ready");
  return apps.get(name)?.fetch(request) ?? notFound();
});
await leaveWithParent();
