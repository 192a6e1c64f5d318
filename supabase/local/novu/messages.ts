/** One message as it would be delivered: the first trigger that brought its transaction id. */
export interface Message {
  transactionId: string;
  kind: "trigger" | "bulk" | "broadcast";
  workflow: string;
  /** The subscribers named in `to`; empty for a broadcast, which goes to everybody. */
  subscriberIds: string[];
  /** What was sent, untouched. */
  request: Record<string, unknown>;
  idempotencyKey: string | null;
  receivedAt: string;
  /** How often a trigger with this transaction id arrived. Only the first is delivered. */
  attempts: number;
  /** How many of the later ones said something else: those messages were lost. */
  differing: number;
  cancelled: boolean;
}

export interface MessageFilter {
  transactionId?: string;
  subscriberId?: string;
  workflow?: string;
  skip: number;
  limit: number;
}

export type Arrival = Omit<Message, "attempts" | "differing" | "cancelled">;

/**
 * The messages in memory, at most `limit`, oldest forgotten first. Novu answers every trigger alike
 * and drops one whose transaction id it has already seen, whatever it says; so does this. An id is
 * remembered as long as its message.
 */
export class Messages {
  #byId = new Map<string, Message>();
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  receive(arrival: Arrival): Message {
    const known = this.#byId.get(arrival.transactionId);
    if (known) {
      known.attempts++;
      if (JSON.stringify(known.request) !== JSON.stringify(arrival.request)) known.differing++;
      return known;
    }
    const message = { ...arrival, attempts: 1, differing: 0, cancelled: false };
    this.#byId.set(message.transactionId, message);
    if (this.#byId.size > this.#limit) this.#byId.delete(this.#byId.keys().next().value!);
    return message;
  }

  cancel(transactionId: string): boolean {
    const message = this.#byId.get(transactionId);
    if (!message || message.cancelled) return false;
    return message.cancelled = true;
  }

  /** Newest first. */
  find(filter: MessageFilter): { items: Message[]; total: number } {
    const { transactionId, subscriberId, workflow, skip, limit } = filter;
    const found = [...this.#byId.values()].reverse().filter((message) =>
      (transactionId === undefined || message.transactionId === transactionId) &&
      (subscriberId === undefined || message.subscriberIds.includes(subscriberId)) &&
      (workflow === undefined || message.workflow === workflow)
    );
    return { items: found.slice(skip, skip + limit), total: found.length };
  }

  clear(): void {
    this.#byId.clear();
  }
}
