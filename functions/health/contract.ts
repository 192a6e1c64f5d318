import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

const check = z.object({
  status: z.enum(["ok", "degraded"]),
  reason: z.string().optional(),
});

export const contract = defineContract("health", {
  readHealth: {
    method: "get",
    path: "/",
    summary: "Whether everything works (200), or which part does not (503)",
    caller: "anyone",
    reserved: true,
    response: z.object({
      status: z.enum(["ok", "degraded"]),
      version: z.string(),
      checks: z.object({
        database: check,
        stripe: check,
        beacon: check,
        novu: check,
        // Seconds since each job last succeeded.
        jobs: check.extend({ ages: z.record(z.string(), z.int().nullable()) }),
      }),
    }),
  },
  readOpenApi: {
    method: "get",
    path: "/openapi.json",
    summary: "This API as OpenAPI 3.1",
    caller: "anyone",
    response: z.record(z.string(), z.unknown()),
  },
  readDocs: {
    method: "get",
    path: "/docs",
    summary: "A page to browse this API",
    caller: "anyone",
    response: z.string(),
  },
});
