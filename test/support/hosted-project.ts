// A hosted project as far as one can be had here: the management API is our own, the database is a real
// one, as empty as a new project's.
import postgres from "postgres";
import { mkdirSync, rmSync } from "node:fs";
import { inject } from "vitest";
import { prepareDatabase } from "../../supabase/local/postgres/database.ts";
import { SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { copyCheckout } from "./checkout.ts";
import { cleanUpLater } from "./cleanup.ts";
import { asSuperuser, type TestDatabase, urlOf } from "./database.ts";
import { type Project, startManagementApi } from "./management-api.ts";

export interface HostedProject extends Project, TestDatabase {
  checkout: string;
  /** `npm run deploy` with these arguments, in a checkout of its own. */
  deploy(args?: string[], env?: Record<string, string>): Promise<{ code: number; said: string }>;
}

export async function hostedProject(): Promise<HostedProject> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
  await prepareDatabase({ port: inject("postgresPort"), url: urlOf }, name);
  const connect = (role: string) => postgres(urlOf(role, name), { max: 3, onnotice: () => {} });
  const database = { name, sql: connect("postgres"), superuser: connect(SUPERUSER) };
  const directory = `${inject("directory")}/${name}`;
  mkdirSync(directory);
  const project = startManagementApi(directory, {
    ...database,
    port: inject("postgresPort"),
  });
  const checkout = copyCheckout();
  cleanUpLater(async () => {
    rmSync(checkout, { recursive: true });
    await Promise.all([database.sql.end({ timeout: 5 }), database.superuser.end({ timeout: 5 })]);
    await asSuperuser(async (sql) => {
      await sql.unsafe(`drop database ${name} with (force)`);
      await sql.unsafe(`drop role if exists "cli_login_postgres.${project.ref}"`);
    });
  });
  const deploy = async (args: string[] = [], env: Record<string, string> = {}) => {
    const command = new Deno.Command("node", {
      args: [
        "supabase/local/run.mjs",
        "supabase/deploy/main.ts",
        ...["--project-ref", project.ref, "--api-url", project.url],
        ...args,
      ],
      cwd: checkout,
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH")!, HOME: directory, ...project.environment, ...env },
      stdin: "null",
    });
    const { code, stdout, stderr } = await command.output();
    return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  return Object.assign(project, database, { checkout, deploy });
}
