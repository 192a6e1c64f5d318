// OpenAPI 3.1 made from the contracts that the functions check requests with, so it cannot differ.
import { z } from "zod";
import type { Contract, Route } from "./contract.ts";
import type { ErrorCode } from "./errors.ts";
import { catalogue } from "./errors.ts";

const everywhere: ErrorCode[] = ["internal_error", "try_again"];
const withInput: ErrorCode[] = ["request_invalid"];
const withBody: ErrorCode[] = ["json_invalid", "content_type_unsupported", "body_too_large"];
const withKey: ErrorCode[] = [
  "idempotency_key_required",
  "idempotency_key_reused",
  "request_in_progress",
];

export function describeApi(contracts: Contract[], version: string, server: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const contract of contracts) {
    for (const [name, route] of Object.entries(contract.routes)) {
      const path = `/${contract.name}${route.path === "/" ? "" : route.path}`.replace(
        /:(\w+)/g,
        "{$1}",
      );
      (paths[path] ??= {})[route.method] = describeRoute(contract.name, name, route);
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Rafflebase", version, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: server }],
    paths,
    components: {
      securitySchemes: {
        session: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        scheduler: { type: "http", scheme: "bearer", description: "The scheduler's secret" },
      },
      schemas: { Error: errorSchema },
    },
  };
}

const securityOf = { user: "session", scheduler: "scheduler" };

function describeRoute(tag: string, operationId: string, route: Route) {
  const status = String(route.status ?? 200);
  return {
    tags: [tag],
    operationId,
    summary: route.summary,
    security: route.caller === "anyone" ? [] : [{ [securityOf[route.caller]]: [] }],
    parameters: [
      ...parameters("path", route.params),
      ...parameters("query", route.query),
      ...(route.idempotent ? [idempotencyKey] : []),
      ...(route.cached ? [ifNoneMatch] : []),
    ],
    ...(route.body && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: jsonSchema(route.body, "input") } },
      },
    }),
    responses: {
      [status]: {
        description: "Done.",
        content: { "application/json": { schema: jsonSchema(route.response, "output") } },
      },
      ...(route.cached && { 304: { description: "Nothing has changed since that ETag." } }),
      ...errorResponses(route),
    },
  };
}

function errorResponses(route: Route) {
  const codes = new Set<ErrorCode>([
    ...(route.errors ?? []),
    ...(route.caller === "anyone" ? [] : ["not_authenticated" as const]),
    ...(route.body || route.query || route.params ? withInput : []),
    ...(route.body ? withBody : []),
    ...(route.idempotent ? withKey : []),
    ...everywhere,
  ]);
  const byStatus = Object.groupBy(codes, (code) => String(catalogue[code].status));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, list]) => [status, {
      description: list!.map((code) => `${code}: ${catalogue[code].en}`).join(" "),
      content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
    }]),
  );
}

function parameters(place: "path" | "query", schema: z.ZodType | undefined) {
  if (!schema) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, "input");
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: one,
  }));
}

function jsonSchema(schema: z.ZodType, io: "input" | "output") {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: true,
  description:
    "The same key and body get the first answer again, with the header Idempotent-Replayed.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

const ifNoneMatch = {
  name: "If-None-Match",
  in: "header",
  required: false,
  description: "The ETag of an earlier answer.",
  schema: { type: "string" },
};

const errorSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "request_id"],
      properties: {
        code: { type: "string", enum: Object.keys(catalogue) },
        message: { type: "string" },
        request_id: { type: "string" },
        details: { type: "object" },
      },
    },
  },
};
