// What a test file started is stopped at its end. Registered while the file is being imported: a hook
// that is registered from within another hook is never run.
import { afterAll } from "vitest";

const cleanups: (() => Promise<unknown>)[] = [];

export const cleanUpLater = (cleanup: () => Promise<unknown>) => void cleanups.push(cleanup);

/** Before the end, where what comes next is to have the machine for itself. */
export async function cleanUp(): Promise<void> {
  while (cleanups.length > 0) await cleanups.pop()!();
}

afterAll(cleanUp);
