// Asks the project itself whether everything works.
import type { Step } from "./step.ts";
import { unchanged } from "./step.ts";
import { Stop } from "./stop.ts";

interface Check {
  status: string;
  reason?: string;
}

const PATIENCE_MS = 90_000;
const PAUSE_MS = 5_000;

export const health: Step = {
  name: "health",
  plan: ({ apiUrl }) => [`GET ${apiUrl}/functions/v1/health`],
  async run({ apiUrl }) {
    const url = `${apiUrl}/functions/v1/health`;
    const until = Date.now() + PATIENCE_MS;
    let degraded = await ask(url);
    // After a first deployment the jobs have yet to run, or to succeed after they could not.
    while (
      degraded.every(([name]) => name === "jobs") && degraded.length > 0 && Date.now() < until
    ) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      degraded = await ask(url);
    }
    if (degraded.length === 0) return unchanged("everything works");
    throw new Stop(
      `Everything is deployed, but ${
        degraded.map(([name, { reason }]) => `${name} is degraded (${reason ?? "no reason given"})`)
          .join(", ")
      }.`,
      "stripe and novu: is the key right? beacon: are the relays reachable? database, jobs: look at operator_alerts and public.jobs. Then run the same again: it only looks.",
    );
  },
};

async function ask(url: string): Promise<[string, Check][]> {
  const next =
    `curl ${url} shows what it says; the functions' log is in the dashboard. Then run the same again.`;
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    throw new Stop(`${url} cannot be reached: ${(error as Error).message}`, next);
  }
  const body = await answer.json().catch(() => null);
  if (![200, 503].includes(answer.status) || !body?.checks) {
    throw new Stop(`${url} answers ${answer.status}, and no report.`, next);
  }
  return Object.entries(body.checks as Record<string, Check>)
    .filter(([, { status }]) => status !== "ok");
}
