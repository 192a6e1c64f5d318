// Runs that are compared take turns, so that what else the machine does meets all of them alike.

export interface Load {
  rounds: number;
  seconds: number;
}

export type Run = { tps: number; p95: number };

/** The medians of each run over several rounds. */
export async function interleave<Name extends string, R extends Run>(
  { rounds }: Load,
  runs: Record<Name, () => Promise<R>>,
): Promise<Record<Name, R>> {
  const names = Object.keys(runs) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    R[]
  >;
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      const run = await runs[name]();
      results[name].push(run);
      console.error(`${round}/${rounds} ${name}: ${Math.round(run.tps)} a second`);
    }
  }
  const medians = names.map((name) => [name, medianOf(results[name])]);
  return Object.fromEntries(medians) as Record<Name, R>;
}

function medianOf<R extends Run>(runs: R[]): R {
  const fields = Object.keys(runs[0]) as (keyof R)[];
  return Object.fromEntries(
    fields.map((field) => [field, median(runs.map((run) => Number(run[field])))]),
  ) as R;
}

const median = (list: number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

export function p95(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? 0;
}

export const ratio = (one: Run, other: Run) => (one.tps / other.tps).toFixed(2);
