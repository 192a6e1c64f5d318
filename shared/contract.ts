// What an endpoint promises, as data: the function checks requests with it, OpenAPI is made from it.
import type { z } from "zod";
import type { ErrorCode } from "./errors.ts";

export interface Route {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** Below the function's own path, with :parameters. */
  path: string;
  summary: string;
  /** "user": needs a session; "anyone": works without one; "scheduler": needs the scheduler's secret. */
  caller: "user" | "anyone" | "scheduler";
  /** Always given for parameters in the path. */
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** It moves money: needs an Idempotency-Key, and its RPC answers `{ answer, replayed }`. */
  idempotent?: true;
  status?: 200 | 201;
  /** Answers carry an ETag; whoever sends it as If-None-Match gets 304 while nothing has changed. */
  cached?: true;
  /** Still answered when others are told to try again, because the process has enough to do. */
  reserved?: true;
  response: z.ZodType;
  /** The codes of its own; what every endpoint may answer is not repeated. */
  errors?: ErrorCode[];
}

export interface Contract<Routes extends Record<string, Route> = Record<string, Route>> {
  name: string;
  routes: Routes;
}

export function defineContract<const Routes extends Record<string, Route>>(
  name: string,
  routes: Routes,
): Contract<Routes> {
  return { name, routes };
}
