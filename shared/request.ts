// Reading what a client sent: well-formed JSON that the schema knows and the database can store.
import type { Context } from "hono";
import type { z } from "zod";
import { ApiError } from "./errors.ts";

const DEEPEST = 16;

export async function readBody(c: Context, schema: z.ZodType | undefined): Promise<unknown> {
  if (!schema) return undefined;
  const text = await c.req.text();
  const type = c.req.header("content-type")?.split(";")[0].trim().toLowerCase();
  if (text !== "" && type !== "application/json") throw new ApiError("content_type_unsupported");
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    throw new ApiError("json_invalid");
  }
  return check(value, schema);
}

export function readQuery(given: Record<string, string>, schema: z.ZodType | undefined): unknown {
  return schema ? check(given, schema) : undefined;
}

function check(value: unknown, schema: z.ZodType): unknown {
  refuseUnstorable(value);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(...parsed.error.issues.map((issue) => ({
    path: issue.code === "unrecognized_keys"
      ? [...issue.path, issue.keys[0]].join(".")
      : issue.path.join("."),
    message: issue.message,
  })));
}

export function invalid(...issues: { path: string; message: string }[]): ApiError {
  return new ApiError("request_invalid", { issues });
}

/** Postgres cannot store NUL or half a surrogate pair, and nobody needs deep nesting. No recursion. */
function refuseUnstorable(value: unknown): void {
  const waiting: { value: unknown; path: string[] }[] = [{ value, path: [] }];
  while (waiting.length > 0) {
    const { value, path } = waiting.pop()!;
    if (path.length > DEEPEST) {
      throw invalid({ path: path.join("."), message: "is nested too deeply" });
    }
    if (typeof value === "string") refuseText(value, path);
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw invalid({ path: path.join("."), message: "is too large a number" });
    }
    if (typeof value !== "object" || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "__proto__") {
        throw invalid({ path: [...path, key].join("."), message: "is not a name" });
      }
      refuseText(key, path);
      waiting.push({ value: inner, path: [...path, key] });
    }
  }
}

function refuseText(text: string, path: string[]): void {
  if (!text.isWellFormed() || text.includes("\0")) {
    throw invalid({ path: path.join("."), message: "has characters that are not text" });
  }
}
