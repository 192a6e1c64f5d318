// The way to the database: one RPC, as the caller, in one transaction. SQL knows the user by their
// token; nothing here adds a rule.
import type { PostgrestError } from "@supabase/supabase-js";
import type { Database } from "./database.types.ts";
import { env } from "./env.ts";
import { ApiError, isErrorCode } from "./errors.ts";

type Functions = Database["public"]["Functions"];

type Args<Name extends keyof Functions> = Functions[Name]["Args"];

export interface Rpc {
  <Name extends keyof Functions & string>(
    name: Name,
    ...args: Args<Name> extends Record<PropertyKey, never> ? [] : [args: Args<Name>]
  ): Promise<Functions[Name]["Returns"]>;
}

/** Calls as whoever holds the token, or as anon without one. */
export function callerDatabase(token: string | null, requestId: string): Rpc {
  return rpcWith(env().SUPABASE_ANON_KEY, token, requestId);
}

/** Calls as service_role. For what no user may do; every use says why. */
export function systemDatabase(requestId: string): Rpc {
  return rpcWith(env().SUPABASE_SERVICE_ROLE_KEY, null, requestId);
}

const TRIES = 3;
const PASSING = new Set(["40001", "40P01"]);

function rpcWith(key: string, token: string | null, requestId: string): Rpc {
  const headers = {
    apikey: key,
    authorization: `Bearer ${token ?? key}`,
    "content-type": "application/json",
    "x-request-id": requestId,
  };
  return async (name, ...args) => {
    for (let attempt = 1;; attempt++) {
      const { data, error, status } = await post(name, args[0] ?? {}, headers);
      if (!error) return data as never;
      if (!PASSING.has(error.code ?? "") || attempt === TRIES) throw translate(error, status);
      await new Promise((resolve) => setTimeout(resolve, attempt * 20 * Math.random()));
    }
  };
}

interface Answer {
  status: number;
  data?: unknown;
  error?: Partial<PostgrestError>;
}

/** One call of PostgREST. Plain fetch: what supabase-js puts around it takes longer than the call. */
async function post(name: string, args: object, headers: HeadersInit): Promise<Answer> {
  try {
    const url = `${env().SUPABASE_URL}/rest/v1/rpc/${name}`;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(args) });
    const { ok, status } = answer;
    const text = await answer.text();
    if (ok) return { status, data: text === "" ? null : JSON.parse(text) };
    return { status, error: text.startsWith("{") ? JSON.parse(text) : { message: text } };
  } catch (error) {
    return { status: 0, error: { message: String(error) } };
  }
}

/**
 * PostgREST's answer in terms of the catalogue; what it does not know stays a failure of ours. What
 * is logged of it is code and message: its details quote whole rows, and so people's data.
 */
export function translate(error: Partial<PostgrestError>, status: number): Error {
  const { code = "", message = "", details } = error;
  if (code.startsWith("PT") && isErrorCode(message)) return new ApiError(message, context(details));
  if (status === 401) return new ApiError("not_authenticated");
  if (code === "42501") return new ApiError("not_permitted");
  // Values that passed the schema but not the database: bad input all the same, and nothing written.
  if (code.startsWith("22")) return new ApiError("request_invalid", undefined, { cause: { code } });
  if (code === "23514") return new ApiError("request_invalid", violated(message));
  const cause = { status, code, message };
  if (PASSING.has(code) || BUSY.has(code) || isUnreachable(code, status)) {
    return new ApiError("try_again", undefined, { cause });
  }
  return new Error(`the database answered ${status} ${code}: ${message}`);
}

/** Statement and lock timeouts, too many connections, a server that is shutting down or starting. */
const BUSY = new Set(["57014", "55P03", "53300", "57P01", "57P02", "57P03"]);

/**
 * PGRST00x: PostgREST has no connection; 400 without any code: it has lost the one it was using; 503 or no
 * status: there is no PostgREST.
 */
function isUnreachable(code: string, status: number): boolean {
  return /^PGRST00[0-3]$/.test(code) || code.startsWith("08") || status === 0 || status === 503 ||
    code === "" && status === 400;
}

/** Constraints are named <table>_<column or rule>: enough to say what was wrong. */
function violated(message: string): Record<string, unknown> {
  const [, table = "", constraint = ""] =
    /"(\w+)" violates check constraint "(\w+)"/.exec(message) ?? [];
  return { issues: [{ path: constraint.replace(`${table}_`, ""), message: "is not valid" }] };
}

function context(details?: string | null): Record<string, unknown> | undefined {
  return details ? JSON.parse(details) : undefined;
}
