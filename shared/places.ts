// How much the process works on at once. What comes on top is told to try again before anything is done for
// it: in a queue all would wait, and those who gave up waiting would be served all the same.
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";

let taken = 0;

export type Claim = "ordinary" | "reserved" | "unrefusable";

/** What has a reserve finds a place when a quarter more than the ordinary ones are taken. */
const SHARE = { ordinary: 1, reserved: 1.25, unrefusable: Infinity };

export async function inPlace<T>(claim: Claim, work: () => Promise<T>): Promise<T> {
  if (taken >= env().REQUESTS_AT_ONCE * SHARE[claim]) throw new ApiError("try_again");
  taken++;
  try {
    return await work();
  } finally {
    taken--;
  }
}

/** Whoever only waits for somebody else leaves the place to others meanwhile. */
export async function outOfPlace<T>(wait: () => Promise<T>): Promise<T> {
  taken--;
  try {
    return await wait();
  } finally {
    taken++;
  }
}
