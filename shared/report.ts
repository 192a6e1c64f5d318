// What leaves the function besides the answer it was asked for: error bodies and log lines.
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Language } from "./errors.ts";
import { ApiError, catalogue, languages } from "./errors.ts";

/** Every error in the API's one shape and the caller's language. Unknown ones tell nothing but their id. */
export function respondWithError(error: Error, c: Context): Response {
  const known = error instanceof ApiError ? error : asApiError(error);
  // An address that is outside the function's own path has passed no middleware.
  const requestId: string = c.get("requestId") ?? crypto.randomUUID();
  c.header("x-request-id", requestId);
  if (known.code === "internal_error") logFailure(error, requestId);
  else if (known.cause) logFailure(known.cause, requestId);
  c.set("errorCode", known.code);

  const retryAfter = known.details?.retry_after ?? (known.code === "try_again" ? 1 : undefined);
  if (retryAfter !== undefined) c.header("retry-after", String(retryAfter));
  c.header("cache-control", "no-store");
  const { status, ...messages } = catalogue[known.code];
  const body = {
    code: known.code,
    message: messages[language(c)],
    request_id: requestId,
    ...(known.details && { details: known.details }),
  };
  return c.json({ error: body }, status as ContentfulStatusCode);
}

/** One line for each request. Never headers, bodies or queries: they hold tokens and secrets. */
export function logRequest(name: string, c: Context, milliseconds: number): void {
  console.log(JSON.stringify({
    time: new Date().toISOString(),
    level: c.res.status >= 500 ? "error" : "info",
    function: name,
    method: c.req.method,
    path: c.req.path,
    status: c.res.status,
    code: c.get("errorCode"),
    ms: Math.round(milliseconds),
    request_id: c.get("requestId"),
  }));
}

export function logFailure(error: unknown, requestId: string): void {
  const text = error instanceof Error ? error.stack ?? error.message : JSON.stringify(error);
  console.error(
    JSON.stringify({
      time: new Date().toISOString(),
      level: "error",
      request_id: requestId,
      error: text,
    }),
  );
}

function asApiError(error: Error): ApiError {
  // Hono's own refusals: a path that cannot be decoded, for example.
  if (error instanceof HTTPException && error.status < 500) return new ApiError("route_not_found");
  return new ApiError("internal_error");
}

function language(c: Context): Language {
  return accepts(c, {
    header: "Accept-Language",
    supports: [...languages],
    default: "en",
    // es-CO and es are both Spanish to us.
    match: (accepted, { supports, default: fallback }) => {
      const wanted = accepted.sort((a, b) => b.q - a.q).map(({ type }) =>
        type.split("-")[0].toLowerCase()
      );
      return wanted.find((one) => supports.includes(one)) ?? fallback;
    },
  }) as Language;
}
