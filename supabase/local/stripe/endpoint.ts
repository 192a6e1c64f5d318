import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { refuseUnauthorized, refuseUnknownVersion } from "./authorization.ts";
import { expireSessions } from "./resources/checkout.ts";
import { serverError, StripeFailure } from "./errors.ts";
import { expand } from "./expand.ts";
import type { FaultRule } from "./control/faults.ts";
import { canonical, decodeForm, type Form } from "./forms.ts";
import type { Answer } from "./idempotency.ts";
import { newId } from "./ids.ts";
import { readStrings, refuseUnknown } from "./params.ts";
import type { RequestEntry } from "./control/request-log.ts";
import { type Caller, PLATFORM, type Simulator } from "./simulator.ts";

/** A call of the API while it is being answered. */
export interface Call extends Caller {
  path: string;
  params: Form;
}

export interface EndpointDefinition {
  method: "GET" | "POST" | "DELETE";
  path: string;
  /** Top-level parameters; `expand` is always one. */
  accepts?: readonly string[];
  /** Synchronous, so that no other request sees half of what it does. */
  run: (call: Call, path: Record<string, string>) => object;
}

export function serve(sim: Simulator, endpoint: EndpointDefinition) {
  return async (c: Context): Promise<Response> => {
    const path = new URL(c.req.url).pathname;
    const entry = sim.requests.begin({ id: newId("req", 14), method: c.req.method, path });
    const { answer, replayed } = await answered(sim, endpoint, c, entry);
    entry.status = answer.status;
    entry.replayed = replayed;

    const hang = sim.faults.take("hang", entry);
    if (hang) {
      entry.faults.push("hang");
      await sim.wait(hang.ms ?? null);
    }
    if (sim.faults.take("disconnect", entry)) {
      entry.faults.push("disconnect");
      return new Response(
        new ReadableStream({ start: (body) => body.error("the connection is broken on purpose") }),
      );
    }
    return toResponse(c, entry, answer, replayed);
  };
}

async function answered(
  sim: Simulator,
  endpoint: EndpointDefinition,
  c: Context,
  entry: RequestEntry,
): Promise<{ answer: Answer; replayed: boolean }> {
  try {
    return await respond(sim, endpoint, c, entry);
  } catch (error) {
    return { answer: failed(error, entry), replayed: false };
  }
}

async function respond(
  sim: Simulator,
  endpoint: EndpointDefinition,
  c: Context,
  entry: RequestEntry,
): Promise<{ answer: Answer; replayed: boolean }> {
  refuseUnauthorized(c.req.header("authorization"));
  refuseUnknownVersion(c.req.header("stripe-version"));
  const account = accountOf(sim, c.req.header("stripe-account"));
  const encoded = c.req.method === "POST" ? await c.req.text() : new URL(c.req.url).search;
  const params = decodeForm(encoded);
  const key = c.req.method === "POST" ? c.req.header("idempotency-key") ?? null : null;
  Object.assign(entry, { params, account, idempotency_key: key });
  entry.api_version = c.req.header("stripe-version") ?? null;

  const limited = sim.faults.take("error", entry, (rule) => rule.stored === false);
  if (limited) throw faultError(limited, entry);

  expireSessions(sim);
  const call: Call = {
    sim,
    account,
    params,
    path: entry.path,
    origin: sim.options.publicUrl ?? new URL(c.req.url).origin,
    request: { id: entry.id, idempotency_key: key },
  };
  const work = () => execute(sim, endpoint, c, call, entry);
  if (!key) return { answer: await work(), replayed: false };
  const parameters = canonical(params);
  return await sim.idempotency.once({ key, account, endpoint: entry.path, parameters }, work);
}

async function execute(
  sim: Simulator,
  endpoint: EndpointDefinition,
  c: Context,
  call: Call,
  entry: RequestEntry,
): Promise<Answer> {
  try {
    refuseUnknown(call.params, [...(endpoint.accepts ?? []), "expand"]);
    const delay = sim.faults.take("delay", entry);
    if (delay) {
      entry.faults.push("delay");
      await sim.wait(delay.ms ?? null);
    }
    const error = sim.faults.take("error", entry, (rule) => rule.stored !== false);
    if (error && error.when !== "after") throw faultError(error, entry);
    const result = endpoint.run(call, c.req.param() as Record<string, string>);
    const body = JSON.stringify(expand(call, result, readStrings(call.params, "expand")));
    if (error) throw faultError(error, entry);
    return { status: 200, body, requestId: entry.id, stored: true };
  } catch (error) {
    return failed(error, entry);
  }
}

function accountOf(sim: Simulator, header: string | undefined): string {
  if (!header || header === PLATFORM) return PLATFORM;
  if (sim.state.accounts.find(PLATFORM, header)) return header;
  const message = `The provided key does not have access to account '${header}' (or that account ` +
    "does not exist). Application access may have been revoked.";
  const body = { type: "invalid_request_error", code: "account_invalid", message } as const;
  throw new StripeFailure(403, body, false);
}

function faultError(rule: FaultRule, entry: RequestEntry): StripeFailure {
  entry.faults.push("error");
  const failure = serverError(rule.status ?? 500, rule.error);
  return new StripeFailure(failure.status, failure.body, rule.stored ?? failure.began);
}

function failed(error: unknown, entry: RequestEntry): Answer {
  if (!(error instanceof StripeFailure)) console.error(error);
  const failure = error instanceof StripeFailure ? error : serverError(500);
  const { status, began: stored } = failure;
  return { status, body: JSON.stringify({ error: failure.body }), requestId: entry.id, stored };
}

function toResponse(c: Context, entry: RequestEntry, answer: Answer, replayed: boolean): Response {
  c.header("content-type", "application/json");
  c.header("request-id", entry.id);
  if (entry.api_version) c.header("stripe-version", entry.api_version);
  if (entry.idempotency_key) c.header("idempotency-key", entry.idempotency_key);
  if (entry.account && entry.account !== PLATFORM) c.header("stripe-account", entry.account);
  if (replayed) {
    c.header("idempotent-replayed", "true");
    c.header("original-request", answer.requestId);
  }
  // A stored 500 would only be replayed: Stripe tells its packages not to try again.
  if (answer.status >= 500 && answer.stored) c.header("stripe-should-retry", "false");
  return c.body(answer.body, answer.status as ContentfulStatusCode);
}

export function unknownUrl(method: string, path: string): StripeFailure {
  const message = `Unrecognized request URL (${method}: ${path}). Please see ` +
    "https://stripe.com/docs.";
  return new StripeFailure(404, { type: "invalid_request_error", message }, false);
}
