// Gives the database what it calls our functions with, and looks whether its clock is set.
import { supabaseJson, withSecretFile } from "./cli.ts";
import type { Deployment, Outcome, Step } from "./step.ts";
import { Stop } from "./stop.ts";

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

const query = <T>(sql: string) =>
  withSecretFile(
    sql,
    (file) => supabaseJson<T[]>("db", "query", "--remote", "--yes", "--file", file),
  );

const PARTS = `select
  to_regprocedure('cron.schedule(text,text,text)') is not null as pg_cron,
  exists (select from pg_proc where pronamespace = to_regnamespace('net') and proname = 'http_post') as pg_net,
  to_regclass('vault.decrypted_secrets') is not null as vault`;

/** Each secret is made, changed or left; what is compared stays in the database. */
const vaultSql = (wanted: Record<string, string>) => `
  select w.name, case
    when s.id is null then 'created' || left(vault.create_secret(w.secret, w.name)::text, 0)
    when s.decrypted_secret is distinct from w.secret then 'changed' || coalesce(vault.update_secret(s.id, w.secret)::text, '')
    else 'unchanged' end as outcome
  from (values ${
  Object.entries(wanted).map(([name, secret]) => `(${literal(name)}, ${literal(secret)})`).join(
    ", ",
  )
}) as w (name, secret)
  left join vault.decrypted_secrets s on s.name = w.name`;

const JOBS = `select j.name, c.jobid is not null as scheduled, coalesce(c.active, false) as active
  from public.jobs j left join cron.job c on c.jobname = j.name order by j.name`;

interface Job {
  name: string;
  scheduled: boolean;
  active: boolean;
}

export const database: Step = {
  name: "database",
  plan: ({ apiUrl }) => [
    `Vault: functions_url = ${apiUrl}/functions/v1, scheduler_secret = SCHEDULER_SECRET, where they differ`,
    "check pg_cron, pg_net and Vault, and that every job is scheduled",
  ],
  async run(deployment) {
    const [parts] = await query<Record<string, boolean>>(PARTS);
    const absent = Object.keys(parts).filter((name) => !parts[name]);
    if (absent.length > 0) {
      throw new Stop(
        `The database does not have ${absent.join(", ")}.`,
        "Switch them on in the dashboard (Database, Extensions), then run the same again.",
      );
    }
    const vault = await setVault(deployment);
    const jobs = await scheduleJobs();
    return { changed: vault.changed || jobs.changed, said: [...vault.said, ...jobs.said] };
  },
};

async function setVault({ apiUrl, settings }: Deployment): Promise<Outcome> {
  const rows = await query<{ name: string; outcome: string }>(vaultSql({
    functions_url: `${apiUrl}/functions/v1`,
    scheduler_secret: settings.SCHEDULER_SECRET,
  }));
  const said = `Vault: ${rows.map(({ name, outcome }) => `${name} ${outcome}`).join(", ")}`;
  return { changed: rows.some(({ outcome }) => outcome !== "unchanged"), said: [said] };
}

/** Migrations that were applied before pg_cron was switched on had nobody to give the jobs to. */
async function scheduleJobs(): Promise<Outcome> {
  const missing = (jobs: Job[]) =>
    jobs.filter(({ scheduled }) => !scheduled).map(({ name }) => name);
  let jobs = await query<Job>(JOBS);
  const scheduled = missing(jobs);
  if (scheduled.length > 0) {
    await query("select app.schedule_jobs()");
    jobs = await query<Job>(JOBS);
  }
  if (missing(jobs).length > 0) {
    throw new Stop(
      `These jobs are not scheduled: ${missing(jobs).join(", ")}.`,
      "Run select app.schedule_jobs() in the SQL editor; its error says why.",
    );
  }
  const off = jobs.filter(({ active }) => !active).map(({ name }) => name);
  return {
    changed: scheduled.length > 0,
    said: [
      `${jobs.length} jobs, ${
        scheduled.length > 0 ? `now scheduled: ${scheduled.join(", ")}` : "all scheduled"
      }`,
      ...off.length > 0 ? [`note: switched off in cron.job: ${off.join(", ")}`] : [],
    ],
  };
}
