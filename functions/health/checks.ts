// One check for each part the product stands on. A part that is slow to answer counts as degraded.
import type { Rpc } from "../../shared/database.ts";
import { env } from "../../shared/env.ts";

export interface Check {
  status: "ok" | "degraded";
  reason?: string;
}

const PATIENCE_MS = 3000;

export async function runChecks(rpc: Rpc) {
  const { STRIPE_API_URL, STRIPE_SECRET_KEY, NOVU_API_URL, NOVU_SECRET_KEY, DRAND_URLS } = env();
  const report = rpc("report_health");
  const [database, jobs, stripe, novu, beacon] = await Promise.all([
    check(() => report),
    check(async () => {
      const { failing_jobs: failing } = await report as { failing_jobs: string[] };
      if (failing.length > 0) throw new Error(`failing: ${failing.join(", ")}`);
    }),
    check(() =>
      reach(`${STRIPE_API_URL}/v1/balance`, { authorization: `Bearer ${STRIPE_SECRET_KEY}` })
    ),
    check(() =>
      reach(`${NOVU_API_URL}/v1/environments/me`, { authorization: `ApiKey ${NOVU_SECRET_KEY}` })
    ),
    check(() => Promise.any(DRAND_URLS.map((url) => reach(`${url}/chains`)))),
  ]);
  return { database, stripe, beacon, novu, jobs };
}

async function check(work: () => Promise<unknown>): Promise<Check> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), PATIENCE_MS);
  });
  try {
    await Promise.race([work(), late]);
    return { status: "ok" };
  } catch (error) {
    return { status: "degraded", reason: explain(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** Says what is wrong without addresses: this page is public. */
function explain(error: unknown): string {
  if (error instanceof AggregateError) return explain(error.errors[0]);
  if (error instanceof TypeError) return "not reachable";
  return error instanceof Error ? error.message : "failed";
}

async function reach(url: string, headers: Record<string, string> = {}): Promise<void> {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  await answer.body?.cancel();
  if (answer.status === 401) throw new Error("refused our key");
  if (answer.status >= 500) throw new Error(`answered ${answer.status}`);
}
