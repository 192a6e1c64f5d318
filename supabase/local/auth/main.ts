// The Auth process: /auth/v1, and the mailbox at /_local/mail.
import { Hono } from "hono";
import { leaveWithParent } from "../process.ts";
import { createAuth } from "./app.ts";

const { app, mails } = createAuth({
  databaseUrl: Deno.env.get("DATABASE_URL")!,
  jwtSecret: Deno.env.get("JWT_SECRET")!,
  apiUrl: Deno.env.get("API_URL")!,
});

const server = new Hono();
server.get("/_local/mail", (c) => {
  const to = c.req.query("to");
  const items = mails.filter((mail) => !to || mail.to === to);
  return c.json({ items, total: items.length });
});
server.get("/ready", (c) => c.text("ready"));
server.all("*", (c) => app.fetch(c.req.raw));

Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")), onListen() {} },
  server.fetch,
);
await leaveWithParent();
