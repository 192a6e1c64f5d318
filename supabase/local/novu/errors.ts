/** An answer that Novu itself would give; the app turns it into Novu's error body. */
export class NovuError extends Error {
  status: 400 | 401 | 404 | 422 | 429 | 500 | 503;
  headers: Record<string, string>;

  constructor(
    status: NovuError["status"],
    message: string,
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
  }

  toResponse(request: Request): Response {
    const body = {
      statusCode: this.status,
      timestamp: new Date().toISOString(),
      path: new URL(request.url).pathname,
      message: this.message,
      error: NAMES[this.status],
    };
    return Response.json(body, { status: this.status, headers: this.headers });
  }
}

const NAMES: Record<NovuError["status"], string> = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  422: "Unprocessable Entity",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export async function readBody(request: Request): Promise<Record<string, unknown>> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new NovuError(400, "Unexpected end of JSON input");
  }
  if (!isObject(body)) throw new NovuError(400, "The body must be a JSON object");
  return body;
}
