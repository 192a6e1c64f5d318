// What was measured, as it stands in RESULTS.md and as the long test says it.
import type { Outcome } from "./clients.ts";
import { tabulate } from "./measure.ts";
import type { Memory } from "./memory.ts";
import { trend } from "./memory.ts";

export function describeRush({ answered, answers, seconds }: Outcome, memory: Memory): string {
  const all = Object.values(answers).reduce((sum, times) => sum + times, 0);
  const errors = Object.entries(answers).filter(([answer]) => / [45]\d\d /.test(answer)).sort();
  const processes = Object.entries(memory).map(([name, samples]) => {
    const { early, late } = trend(samples);
    return `| ${name} | ${early.toFixed(0)} | ${late.toFixed(0)} |`;
  });
  return `${Math.round(all / seconds)} requests a second.

${tabulate(answered)}

Errors, each of them justified: ${
    errors.map(([answer, times]) => `${answer} (${times})`).join(", ")
  }.

| private memory, MB | second quarter | last quarter |
| --- | --- | --- |
${processes.join("\n")}`;
}

export function describeFlood(outcome: Outcome, seconds: number, recovery: number): string {
  const times = {
    "answered": Object.values(outcome.answered).flat(),
    "refused with 429 or 503": Object.values(outcome.refused).flat(),
  };
  return `${tabulate(times)}

Not sent, because every client was still waiting: ${outcome.unsent}. The last answer came ${
    (outcome.seconds - seconds).toFixed(1)
  } s after the last
request, and a purchase was as quick as before ${recovery.toFixed(1)} s later.`;
}
