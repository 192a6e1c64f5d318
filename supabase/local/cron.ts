// Where Postgres has no pg_cron: a ticker that runs the same cron.job rows on the same schedule. Where it
// has, the rows are left to pg_cron.
import type postgres from "postgres";

export interface Job {
  jobid: number;
  schedule: string;
  command: string;
  jobname: string | null;
}

/** Does the schedule fall on this minute (five cron fields) or this second ("N seconds")? */
export function isDue(schedule: string, at: Date): boolean {
  const seconds = /^(\d+) seconds?$/.exec(schedule);
  if (seconds) return Math.floor(at.getTime() / 1000) % Number(seconds[1]) === 0;
  if (at.getUTCSeconds() !== 0) return false;
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== 5) throw new Error(`not a cron schedule: ${schedule}`);
  const [minute, hour, day, month, weekday] = fields;
  const dayMatches = matches(day, at.getUTCDate(), 1, 31);
  const weekdayMatches = matches(weekday, at.getUTCDay(), 0, 7);
  // As in every cron: when both days are restricted, either one is enough.
  const eitherDay = day !== "*" && weekday !== "*"
    ? dayMatches || weekdayMatches
    : dayMatches && weekdayMatches;
  return matches(minute, at.getUTCMinutes(), 0, 59) && matches(hour, at.getUTCHours(), 0, 23) &&
    matches(month, at.getUTCMonth() + 1, 1, 12) && eitherDay;
}

function matches(field: string, value: number, low: number, high: number): boolean {
  return field.split(",").some((part) => {
    const [range, step = "1"] = part.split("/");
    const [from, to] = range === "*" ? [low, high] : range.split("-").map(Number);
    const last = to ?? (part.includes("/") ? high : from);
    // In the weekday field 7 is Sunday too.
    const candidates = high === 7 && value === 0 ? [0, 7] : [value];
    return candidates.some((one) =>
      one >= from && one <= last && (one - from) % Number(step) === 0
    );
  });
}

/** Runs the job and notes it as pg_cron does. */
export async function runJob(
  sql: postgres.Sql,
  job: Job,
  log: (line: string) => void,
): Promise<void> {
  const started = new Date();
  let failure: string | null = null;
  try {
    await sql.unsafe(job.command);
  } catch (error) {
    failure = String(error);
    log(`cron ${job.jobname ?? job.jobid} failed: ${failure}`);
  }
  await sql`
    insert into cron.job_run_details (jobid, command, status, return_message, start_time, end_time)
    values (${job.jobid}, ${job.command}, ${
    failure ? "failed" : "succeeded"
  }, ${failure}, ${started}, now())`;
}

/** Runs every job that is due, each once a tick and never beside itself. */
export function startTicker(
  sql: postgres.Sql,
  log: (line: string) => void,
): { stop(): Promise<void> } {
  const running = new Map<number, Promise<void>>();
  let last = Math.floor(Date.now() / 1000);

  const tick = async () => {
    const now = Math.floor(Date.now() / 1000);
    // A tick may come late; every second since the last one is looked at, none twice.
    const seconds = Array.from(
      { length: now - last },
      (_, index) => new Date((last + 1 + index) * 1000),
    );
    const jobs = await sql<Job[]>`
      select jobid, schedule, command, jobname from cron.job
      where active and not exists (select from pg_extension where extname = 'pg_cron')`;
    last = now; // not before: seconds in which Postgres is away are left to the next tick
    for (const job of jobs) {
      if (running.has(job.jobid) || !seconds.some((at) => isDue(job.schedule, at))) continue;
      // Whoever cannot run a job cannot say so either where it is Postgres that is away.
      const ran = runJob(sql, job, log).catch((error) =>
        log(`cron ${job.jobname ?? job.jobid}: ${error}`)
      );
      running.set(job.jobid, ran.finally(() => running.delete(job.jobid)));
    }
  };

  let ticking: Promise<void> | undefined;
  const timer = setInterval(() => {
    ticking ??= tick().catch((error) => log(`cron: ${error}`)).finally(() => ticking = undefined);
  }, 1000);
  return {
    async stop() {
      clearInterval(timer);
      // A tick that has begun may still start a job.
      await ticking;
      await Promise.all(running.values());
    },
  };
}
