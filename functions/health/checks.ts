// One check for each part the product stands on. A part that is slow to answer counts as degraded.
import type { Rpc } from "../../shared/database.ts";
import { env } from "../../shared/env.ts";
import { ApiError } from "../../shared/errors.ts";

export interface Check {
  status: "ok" | "degraded";
  reason?: string;
}

interface Report {
  violations: number;
  /** For a quarter of an hour, and none was sent. */
  messages_wait: boolean;
  failing_jobs: string[];
  late_jobs: string[];
  /** For each job, the seconds since it last succeeded. */
  ages: Record<string, number | null>;
}

const PATIENCE_MS = 3000;

export async function runChecks(rpc: Rpc) {
  const { STRIPE_API_URL, STRIPE_SECRET_KEY, NOVU_API_URL, NOVU_SECRET_KEY, DRAND_URLS } = env();
  const report = inTime(rpc("report_health") as unknown as Promise<Report>);
  const [database, jobs, stripe, novu, beacon] = await Promise.all([
    check(async () => {
      const { violations } = await report;
      if (violations > 0) throw new Error(`${violations} violated invariants`);
    }),
    check(async () => {
      const { failing_jobs: failing, late_jobs: late } = await report;
      const wrong = [
        failing.length > 0 ? `failing: ${failing.join(", ")}` : "",
        late.length > 0 ? `late: ${late.join(", ")}` : "",
      ].filter(Boolean);
      if (wrong.length > 0) throw new Error(wrong.join("; "));
    }),
    check(() =>
      reach(`${STRIPE_API_URL}/v1/balance`, { authorization: `Bearer ${STRIPE_SECRET_KEY}` })
    ),
    check(async () => {
      await reach(`${NOVU_API_URL}/v1/environments/me`, {
        authorization: `ApiKey ${NOVU_SECRET_KEY}`,
      });
      // A database that cannot say is not Novu's failure.
      const { messages_wait } = await report.catch(() => ({ messages_wait: false }));
      if (messages_wait) throw new Error("messages wait to be sent");
    }),
    check(() => Promise.any(DRAND_URLS.map((url) => reach(`${url}/chains`)))),
  ]);
  const { ages } = await report.catch(() => ({ ages: {} }));
  return { database, stripe, beacon, novu, jobs: { ...jobs, ages } };
}

async function check(work: () => Promise<unknown>): Promise<Check> {
  try {
    await inTime(work());
    return { status: "ok" };
  } catch (error) {
    return { status: "degraded", reason: explain(error) };
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Says what is wrong without addresses: this page is public. */
function explain(error: unknown): string {
  if (error instanceof AggregateError) return explain(error.errors[0]);
  if (error instanceof TypeError) return "not reachable";
  if (error instanceof ApiError) return "too busy, or not reachable";
  return error instanceof Error ? error.message : "failed";
}

const asking = new Map<string, Promise<void>>();

/** However many ask at once, each part is asked once: anybody may call this page, with our keys behind it. */
function reach(url: string, headers: Record<string, string> = {}): Promise<void> {
  const answer = asking.get(url) ?? ask(url, headers).finally(() => asking.delete(url));
  asking.set(url, answer);
  return answer;
}

async function ask(url: string, headers: Record<string, string>): Promise<void> {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  await answer.body?.cancel();
  if (answer.status === 401) throw new Error("refused our key");
  if (answer.status >= 500) throw new Error(`answered ${answer.status}`);
}
