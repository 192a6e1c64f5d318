// A Postgres with pg_cron itself, which runs the jobs of its one database by the real clock.
import { ownServer } from "./server.ts";

export const cronServer = () =>
  ownServer({
    name: "postgres",
    settings: [
      "shared_preload_libraries=pg_cron",
      "cron.database_name=postgres",
      // Else it would connect as any client does, and have no password.
      "cron.use_background_workers=on",
      "max_worker_processes=32",
    ],
  });
