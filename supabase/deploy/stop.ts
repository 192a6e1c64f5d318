/** The deployment cannot go on: what happened, and what to do next. */
export class Stop extends Error {
  constructor(message: string, readonly next: string) {
    super(message);
  }
}
