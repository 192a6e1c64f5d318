// Novu: one client for the process, made when it is first needed, because importing it takes a while.
import { createHmac } from "node:crypto";
import type { Novu } from "@novu/node";
import { env } from "./env.ts";

/** Whom a message goes to, as the database describes them. */
export interface Person {
  id: string;
  email: string;
  name: string | null;
  phone: string | null;
  locale: string;
  /** Channels by Novu's names; false where the person wants nothing by it. */
  channels: Record<string, unknown>;
}

/** What failed, by the id of what it was for. */
type Failures = Map<string, unknown>;

let client: Promise<Novu> | undefined;

const novu = (): Promise<Novu> => client ??= connect();

async function connect(): Promise<Novu> {
  const { Novu } = await import("@novu/node");
  const { NOVU_SECRET_KEY, NOVU_API_URL, NOVU_TIMEOUT_MS } = env();
  const made = new Novu(NOVU_SECRET_KEY, { backendUrl: NOVU_API_URL });
  // It has no settings for these: it would wait for ever, and Deno's node:http sends a request twice when the
  // one before it was given up.
  Object.assign(made["http"].defaults, { timeout: NOVU_TIMEOUT_MS, adapter: "fetch" });
  return made;
}

/** Proves to Novu's inbox that we know who is looking. */
export const signSubscriber = (id: string): string =>
  createHmac("sha256", env().NOVU_SECRET_KEY).update(id).digest("hex");

/**
 * Sends each event under the id of its notification, so that sending it again is not a second message. Novu
 * learns with it who the person is.
 */
export async function sendEvents(
  events: { id: string; person: Person; workflow: string; payload: object }[],
): Promise<Failures> {
  if (events.length === 0) return new Map();
  const { events: api } = await novu();
  const requests = events.map(({ id, person, workflow, payload }) => ({
    name: workflow,
    to: describe(person),
    payload: { ...payload },
    transactionId: id,
  }));
  try {
    const { data } = await api.bulkTrigger(requests);
    const failures: Failures = new Map();
    (data.data as { error?: unknown }[]).forEach(({ error }, at) => {
      if (error && !isRepeated(error)) {
        failures.set(events[at].id, `Novu refused: ${[error].flat().join("; ")}`);
      }
    });
    return failures;
  } catch (error) {
    // One that Novu cannot read must not keep the others.
    if (isRefused(error) && events.length > 1) {
      return await merge(events.map((one) => sendEvents([one])));
    }
    return allFailed(events, error);
  }
}

/** Creates or updates what Novu knows of these people. */
export async function updateSubscribers(
  changed: { id: string; person: Person }[],
): Promise<Failures> {
  if (changed.length === 0) return new Map();
  const { subscribers } = await novu();
  try {
    await subscribers.bulkCreate(changed.map(({ person }) => describe(person)));
    return new Map();
  } catch (error) {
    if (isRefused(error) && changed.length > 1) {
      return await merge(changed.map((one) => updateSubscribers([one])));
    }
    return allFailed(changed, error);
  }
}

/** Makes Novu forget somebody; once is enough. */
export async function deleteSubscriber(id: string, userId: string): Promise<Failures> {
  const { subscribers } = await novu();
  try {
    await subscribers.delete(userId);
    return new Map();
  } catch (error) {
    return statusOf(error) === 404 ? new Map() : allFailed([{ id }], error);
  }
}

/** What is empty is said to be: Novu keeps what it is not told of. */
const describe = ({ id, email, name, phone, locale }: Person) => ({
  subscriberId: id,
  email,
  locale,
  firstName: name ?? "",
  phone: phone ?? "",
});

/** Some versions of Novu say so, others take a message's id again and drop the message. */
const isRepeated = (error: unknown) => /transactionId.*not unique/i.test(String(error));

const statusOf = (error: unknown) => (error as { response?: { status: number } }).response?.status;

/** Whether Novu took offence at what was said, not at us or at the moment. */
const isRefused = (error: unknown) => [400, 404, 413, 422].includes(statusOf(error) ?? 0);

/** What the SDK throws holds the whole request, with our key: what is kept is what happened. */
function allFailed(list: { id: string }[], error: unknown): Failures {
  const status = statusOf(error);
  const reason = status ? `Novu answered ${status}` : `Novu: ${(error as Error).message}`;
  return new Map(list.map(({ id }) => [id, reason]));
}

async function merge(parts: Promise<Failures>[]): Promise<Failures> {
  return new Map((await Promise.all(parts)).flatMap((part) => [...part]));
}
