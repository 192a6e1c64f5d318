import { callerDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { env } from "../../shared/env.ts";
import { describeApi } from "../../shared/openapi.ts";
import { VERSION } from "../../shared/version.ts";
import { runChecks } from "./checks.ts";
import { contract } from "./contract.ts";
import { contracts } from "./contracts.ts";
import { docsPage } from "./docs.ts";

// The page's own script and style, and nothing from elsewhere.
const PAGE_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";

export const app = endpoint(contract, {
  async readHealth({ context, requestId }) {
    // As anon, whoever asks: a bad token is not a bad database.
    const checks = await runChecks(callerDatabase(null, requestId));
    const healthy = Object.values(checks).every((check) => check.status === "ok");
    const status = healthy ? "ok" : "degraded";
    context.header("cache-control", "no-store");
    return context.json({ status, version: VERSION, checks }, healthy ? 200 : 503);
  },
  readOpenApi: () =>
    Promise.resolve(describeApi(contracts, VERSION, `${env().SUPABASE_URL}/functions/v1`)),
  readDocs: ({ context }) => {
    context.header("content-security-policy", PAGE_POLICY);
    return Promise.resolve(context.html(docsPage));
  },
});

Deno.serve(app.fetch);
