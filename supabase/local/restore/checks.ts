// Whether a restored database is one that can go on: asked of the database itself, and of the draws' verifier.
import postgres from "postgres";
import { writeFileSync } from "node:fs";
import type { Job } from "../cron.ts";
import { runJob } from "../cron.ts";
import { denoCommand } from "../process.ts";

/** What was found to be in order; throws with what is not. */
export type Check = (sql: postgres.Sql) => Promise<string>;

export const checkHead = (expected: string | null): Check => async (sql) => {
  const [{ head }] = await sql`
    select max(version) as head from supabase_migrations.schema_migrations`;
  if (expected === null) return `migrations end with ${head} (the dump does not say which it had)`;
  if (head !== expected) {
    throw new Error(`the dump's migrations end with ${expected}, ours with ${head}`);
  }
  return `migrations end with ${head}, as they did`;
};

export const checkInvariants: Check = async (sql) => {
  const violations = await sql`select rule, subject from app.check_invariants()`;
  if (violations.length > 0) {
    throw new Error(violations.map(({ rule, subject }) => `${rule}: ${subject}`).join("; "));
  }
  return "app.check_invariants() finds nothing";
};

/** Every number that the next row could get is free. */
export const checkSequences: Check = async (sql) => {
  const owned = await sql`
    select s.oid::regclass::text as sequence, c.oid::regclass::text as of, quote_ident(a.attname) as column
    from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
    join pg_class c on c.oid = d.refobjid join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
    where d.deptype in ('a', 'i') and c.relnamespace in ('public'::regnamespace, 'app'::regnamespace)`;
  const all = [...owned, {
    sequence: "app.ledger_transactions",
    of: "public.wallet_ledger",
    column: "transaction_id",
  }];
  for (const { sequence, of, column } of all) {
    const [{ behind }] = await sql.unsafe(`
      select coalesce(max(t.${column}) >= (select last_value + is_called::integer from ${sequence}), false) as behind
      from ${of} t`);
    if (behind) throw new Error(`${sequence} is behind ${of}`);
  }
  return `${all.length} sequences go on where they were`;
};

/** The newest draws, each made again by `npm run verify`. */
export const checkDraws = (directory: string, most = 20): Check => async (sql) => {
  const drawn = await sql`
    select d.raffle_id as id from public.draws d join public.raffles r on r.id = d.raffle_id
    where r.state in ('DRAWN', 'SETTLED') order by d.sealed_at desc limit ${most}`;
  for (const { id } of drawn) {
    const file = `${directory}/${id}.ndjson`;
    await writeProof(sql, id, file);
    const [command, ...args] = denoCommand(new URL("../verify.ts", import.meta.url));
    const { success, stdout } = await new Deno.Command(command, { args: [...args, file] }).output();
    if (!success) {
      const said = new TextDecoder().decode(stdout).trim().split("\n").at(-1);
      throw new Error(`the draw of ${id} does not verify: ${said}`);
    }
  }
  return `${drawn.length} draws verify`;
};

async function writeProof(sql: postgres.Sql, id: string, file: string): Promise<void> {
  writeFileSync(file, "");
  const page = 10_000;
  for (let skip = 0;; skip += page) {
    const [{ proof: { tickets, ...seal } }] = await sql`
      select app.describe_draw(${id}, ${skip}, ${page}) as proof`;
    const lines = [...skip === 0 ? [seal] : [], ...tickets];
    writeFileSync(file, lines.map((one) => `${JSON.stringify(one)}\n`).join(""), { flag: "a" });
    if (tickets.length < page) return;
  }
}

/** Each once, as the clock runs them. What they ask of functions is queued, and goes nowhere from here. */
export const checkJobs: Check = async (sql) => {
  await sql`insert into vault.decrypted_secrets (name, decrypted_secret)
    values ('functions_url', 'http://127.0.0.1:9'), ('scheduler_secret', 'of a drill')
    on conflict (name) do nothing`;
  const jobs = await sql<Job[]>`
    select jobid, schedule, command, jobname from cron.job order by jobname = 'watch-jobs', jobname`;
  const failed: string[] = [];
  for (const job of jobs) await runJob(sql, job, (line) => failed.push(line));
  await sql`select app.watch_jobs()`;
  if (failed.length > 0) throw new Error(failed.join("; "));
  const unseen = await sql`
    select name from public.jobs where last_run_at is null or last_run_at < clock_timestamp() - interval '5 minutes'
      or name = any (app.late_jobs())`;
  if (unseen.length > 0) {
    throw new Error(
      `these ran, and it was not noted: ${unseen.map(({ name }) => name).join(", ")}`,
    );
  }
  return `${jobs.length} jobs run`;
};
