// A guard is a line that keeps a promise; the mutation takes the line away or weakens it, and the test that
// is named must turn red.

export interface Edit {
  /** Occurs once in the file. */
  from: string;
  to: string;
}

export interface Guard extends Edit {
  /** What the guard is for, in plain words. */
  name: string;
  file: string;
  /** Where two guards keep the same promise, both must go before it breaks. */
  and?: Edit[];
  test: string;
  /** The beginning of the title of the test that notices, as it is written in that file. */
  noticed: string;
}

export const editsOf = ({ from, to, and = [] }: Guard): Edit[] => [{ from, to }, ...and];
