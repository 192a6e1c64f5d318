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
/**
 * Takes in what is left of the body, so that an answer given before it was read does not cut the sender
 * off. Only a body of unknown length is read beforehand: a copied request costs as much as all of Hono.
 */
async function answerTo(request: Request, app: Hono): Promise<Response> {
  if (request.body && !request.headers.has("content-length")) {
    return await app.fetch(new Request(request, { body: await request.arrayBuffer() }));
  }
  const answer = await app.fetch(request);
  if (request.body && !request.bodyUsed) await request.arrayBuffer();
  return answer;
}

Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async (request) => {
  const name = new URL(request.url).pathname.split("/")[1];
  if (name === "ready") return new Response("ready");
  const app = apps.get(name);
  return app ? await answerTo(request, app) : notFound();
});
await leaveWithParent();
