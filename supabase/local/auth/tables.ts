// Auth makes its own tables, as it does on a hosted project before any migration runs.
import { createAuth } from "./app.ts";

export async function createAuthTables(databaseUrl: string): Promise<void> {
  const { app } = createAuth({ databaseUrl, jwtSecret: "unused", apiUrl: "http://localhost" });
  await app.ensureSystemSchema();
  await app.connection.close();
}
