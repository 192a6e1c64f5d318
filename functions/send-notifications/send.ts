// Takes what is due in batches, gives it to Novu, and records what became of it. SQL decides what is due and
// when it is tried again; a sender that breaks off anywhere leaves nothing undone.
import type { Rpc } from "../../shared/database.ts";
import type { Person } from "../../shared/novu.ts";
import { deleteSubscriber, sendEvents, updateSubscribers } from "../../shared/novu.ts";
import { isEssential, renderNotification } from "../../shared/notifications/render.ts";
import { logFailure } from "../../shared/report.ts";

interface Notification {
  id: string;
  event: string;
  user_id: string;
  person: Person | null;
  facts: Record<string, unknown> | null;
}

interface Outcome {
  sent: string[];
  skipped: string[];
  failed: Record<string, string>;
}

const AT_ONCE = 100;
const BATCHES = 20;
/** The clock calls again soon: a Novu that is slow shall not keep more and more senders busy. */
const LONGEST_MS = 20_000;

export async function sendDue(system: Rpc, requestId: string) {
  const total = { sent: 0, skipped: 0, failed: 0 };
  const began = performance.now();
  for (let batch = 0; batch < BATCHES && performance.now() - began < LONGEST_MS; batch++) {
    const due = await system("claim_notifications", { max_rows: AT_ONCE }) as unknown;
    const outcome = await send(due as Notification[], requestId);
    await system("record_notifications", outcome);
    total.sent += outcome.sent.length;
    total.skipped += outcome.skipped.length;
    total.failed += Object.keys(outcome.failed).length;
    // Whatever is wrong with Novu is likely to be wrong for the next as well.
    const nothingWorked = outcome.sent.length === 0 && Object.keys(outcome.failed).length > 0;
    if ((due as Notification[]).length < AT_ONCE || nothingWorked) break;
  }
  return total;
}

async function send(due: Notification[], requestId: string): Promise<Outcome> {
  const outcome: Outcome = { sent: [], skipped: [], failed: {} };
  const record = (ids: string[], failures: Map<string, unknown>) => {
    for (const id of ids) {
      const failure = failures.get(id);
      if (failure === undefined) outcome.sent.push(id);
      else outcome.failed[id] = String(failure instanceof Error ? failure.message : failure);
    }
    for (const failure of new Set(failures.values())) logFailure(failure, requestId);
  };

  const people = [];
  const messages = [];
  const unsayable = new Map<string, unknown>();
  for (const { id, event, user_id, person, facts } of due) {
    if (event === "subscriber_deleted") record([id], await deleteSubscriber(id, user_id));
    else if (!person || !facts) outcome.skipped.push(id);
    else if (event === "subscriber_changed") people.push({ id, person });
    else {
      try {
        const message = renderNotification(event, facts, person.locale);
        const channels = channelsOf(event, person);
        if (!channels.email && !channels.in_app) outcome.skipped.push(id);
        else messages.push({ id, person, ...message, payload: { ...message.payload, channels } });
      } catch (error) {
        unsayable.set(id, error);
      }
    }
  }
  record(people.map(({ id }) => id), await updateSubscribers(people));
  record([...unsayable.keys()], unsayable);
  record(messages.map(({ id }) => id), await sendEvents(messages));
  return outcome;
}

/** What people have chosen not to hear they do not hear, but for what they must know. */
function channelsOf(event: string, person: Person) {
  const wants = (channel: string) => isEssential(event) || person.channels[channel] !== false;
  return { email: wants("email"), in_app: wants("in_app") };
}
