export const quantile = (list: number[], part: number): number =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? NaN;

/** p50, p95 and p99 of each endpoint, as a table. */
export function tabulate(times: Record<string, number[]>): string {
  const rows = Object.entries(times).sort(([a], [b]) => a < b ? -1 : 1).map(([name, list]) =>
    `| ${name} | ${list.length} | ${
      [0.5, 0.95, 0.99].map((part) => quantile(list, part).toFixed(1)).join(" | ")
    } |`
  );
  return `| endpoint | answers | p50, ms | p95, ms | p99, ms |\n| --- | --- | --- | --- | --- |\n${
    rows.join("\n")
  }`;
}
