// What Supabase's management API answers to the CLI's calls, for one project whose database is a local one.
// Nothing of the CLI is replaced: it is pointed here by a profile, which is its own way to another host.
import type postgres from "postgres";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { cleanUpLater } from "./cleanup.ts";

interface Deployed {
  slug: string;
  version: number;
  /** The paths that were uploaded for it. */
  files: string[];
  metadata: Record<string, unknown>;
}

export interface Project {
  ref: string;
  url: string;
  /** What was asked for, as "POST secrets"; without what only reads, when it says writes. */
  requests: { method: string; path: string }[];
  secrets: Map<string, string>;
  functions: Map<string, Deployed>;
  /** Requests that begin so, as "POST secrets", are refused, and the refusal repeats what was sent. */
  broken: Set<string>;
  health: { status: number; body: unknown };
  /** The environment in which the CLI speaks to this project and to no other. */
  environment: Record<string, string>;
}

export interface ProjectDatabase {
  port: number;
  name: string;
  /** As postgres, as the management API's own queries are run. */
  sql: postgres.Sql;
  superuser: postgres.Sql;
}

/** The CLI insists on a host name that is its profile's, and there on port 5432. No such host is ever found. */
const POOLER = "pooler.invalid";
const TOKEN = "sbp_" + "0123456789abcdef".repeat(3).slice(0, 40);
const letters = (length: number) =>
  Array.from(
    crypto.getRandomValues(new Uint8Array(length)),
    (byte) => String.fromCharCode(97 + byte % 26),
  ).join("");

const refuse = (status: number, message: string) => Response.json({ message }, { status });
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export function startManagementApi(directory: string, database: ProjectDatabase): Project {
  const ref = letters(20);
  const project: Project = {
    ref,
    url: "",
    requests: [],
    secrets: new Map(),
    functions: new Map(),
    broken: new Set(),
    health: { status: 200, body: { status: "ok", checks: {} } },
    environment: {},
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => answer(project, database, request),
  );
  cleanUpLater(() => server.shutdown());
  project.url = `http://127.0.0.1:${server.addr.port}`;
  const profile = `${directory}/${ref}.json`;
  writeFileSync(
    profile,
    JSON.stringify({
      name: "fake",
      api_url: project.url,
      dashboard_url: project.url,
      project_host: "project.invalid",
      pooler_host: POOLER,
    }),
  );
  project.environment = {
    SUPABASE_ACCESS_TOKEN: TOKEN,
    SUPABASE_HOME: `${directory}/home`,
    SUPABASE_NO_KEYRING: "1",
    SUPABASE_PROFILE: profile,
    PGSSLMODE: "disable",
  };
  return project;
}

async function answer(
  project: Project,
  database: ProjectDatabase,
  request: Request,
): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/functions/v1/health") return health(project);
  const path = pathname.replace(`/v1/projects/${project.ref}`, "").slice(1);
  project.requests.push({ method: request.method, path });
  if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
    return refuse(401, "Unauthorized");
  }
  if ([...project.broken].some((start) => `${request.method} ${path}`.startsWith(start))) {
    return refuse(400, `The fake refuses this: ${(await request.text()).slice(0, 2000)}`);
  }
  switch (`${request.method} ${path}`) {
    case "GET ":
      return Response.json(describe(project.ref));
    case "GET api-keys":
      return Response.json([{ name: "anon", api_key: "eyJ", id: "anon", type: "legacy" }]);
    case "GET config/database/pooler":
      return Response.json([pooler(project.ref, database)]);
    case "POST cli/login-role":
      return await makeLoginRole(project.ref, database);
    case "POST database/query": {
      const { query } = await request.json();
      try {
        const result = await database.sql.unsafe(query);
        return Response.json(result.at(-1) instanceof Array ? result.at(-1) : result, {
          status: 201,
        });
      } catch (error) {
        return refuse(400, String(error));
      }
    }
    case "GET secrets":
      return Response.json(
        [...project.secrets].map(([name, value]) => ({ name, value: sha256(value) })),
      );
    case "POST secrets":
      for (const { name, value } of await request.json()) project.secrets.set(name, value);
      return new Response(null, { status: 201 });
    case "GET functions":
      return Response.json([...project.functions.values()].map(describeFunction));
    case "POST functions/deploy":
      return await bundle(project, searchParams, await request.formData());
    case "PUT functions":
      return publish(project, await request.json());
    default:
      return refuse(404, `The fake does not know ${request.method} ${pathname}`);
  }
}

function health({ functions, health }: Project): Response {
  if (!functions.get("health")?.version) return refuse(404, "Requested function was not found");
  return Response.json(health.body, { status: health.status });
}

const describe = (ref: string) => ({
  id: ref,
  ref,
  name: "raffle",
  organization_id: "organization",
  organization_slug: "organization",
  region: "eu-west-1",
  created_at: "2026-01-01T00:00:00Z",
  status: "ACTIVE_HEALTHY",
  database: {
    host: `db.${ref}.project.invalid`,
    version: "17.4.1.1",
    postgres_engine: "17",
    release_channel: "ga",
  },
});

/** As libpq, the CLI goes on to the next host where one is not found: that is the local server. */
function pooler(ref: string, { port, name }: ProjectDatabase) {
  const hosts = `${POOLER}:6543,127.0.0.1:${port}`;
  const connection = `postgresql://postgres.${ref}:[YOUR-PASSWORD]@${hosts}/${name}`;
  return {
    identifier: ref,
    database_type: "PRIMARY",
    is_using_scram_auth: true,
    db_user: `postgres.${ref}`,
    db_host: POOLER,
    db_port: 6543,
    db_name: name,
    connection_string: connection,
    connectionString: connection,
    default_pool_size: 15,
    max_client_conn: 200,
    pool_mode: "transaction",
  };
}

/** The passing role by which the CLI gets into the database without its password. */
async function makeLoginRole(ref: string, { superuser }: ProjectDatabase): Promise<Response> {
  const role = "cli_login_postgres";
  const password = crypto.randomUUID();
  await superuser.unsafe(`do $$ begin
    if to_regrole('"${role}.${ref}"') is null then
      create role "${role}.${ref}" login noinherit in role postgres;
    end if;
    alter role "${role}.${ref}" password '${password}';
  end $$`);
  return Response.json({ role, password, ttl_seconds: 300 }, { status: 201 });
}

/** With bundleOnly nothing is published yet: the CLI then publishes all of them by one PUT. */
async function bundle(project: Project, query: URLSearchParams, form: FormData) {
  const slug = query.get("slug")!;
  const files = form.getAll("file").map((file) => (file as File).name);
  const metadata = JSON.parse(await new Response(form.get("metadata")!).text());
  const version = project.functions.get(slug)?.version ?? 0;
  const deployed = { slug, version, files, metadata };
  project.functions.set(slug, deployed);
  if (query.get("bundleOnly") !== "true") deployed.version++;
  return Response.json(describeFunction(deployed), { status: 201 });
}

function publish(project: Project, given: { slug: string }[]) {
  for (const { slug } of given) project.functions.get(slug)!.version++;
  return Response.json({ functions: [...project.functions.values()].map(describeFunction) });
}

const describeFunction = ({ slug, version, metadata }: Deployed) => ({
  id: slug,
  slug,
  name: slug,
  status: "ACTIVE",
  version,
  created_at: 1,
  updated_at: 1,
  verify_jwt: metadata.verify_jwt,
  import_map: true,
  entrypoint_path: `file:///${metadata.entrypoint_path}`,
  import_map_path: `file:///${metadata.import_map_path}`,
});
