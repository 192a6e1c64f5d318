// From an event and its facts to what Novu is sent.
import type { z } from "zod";
import { catalogue, type Event, type Facts, type Texts } from "./catalogue.ts";
import { en } from "./en.ts";
import { es } from "./es.ts";
import { it } from "./it.ts";
import { type Say, sayIn } from "./say.ts";

const languages: Record<string, Texts> = { en, es, it };

export interface Notification {
  workflow: string;
  payload: { locale: string; title: string; body: string } & Record<string, unknown>;
}

/** Throws what names the event and the field, never the value: errors are logged, facts are private. */
export function renderNotification(event: string, facts: unknown, locale: string): Notification {
  requireEvent(event);
  const { workflow, facts: schema } = catalogue[event];
  const { data, error } = schema.safeParse(facts);
  if (error) throw new Error(`${event}: ${error.issues.map(describe).join("; ")}`);
  // Languages and countries as profiles.locale has them; what is spoken nowhere here is English.
  const spoken = /^(en|es|it)(-[A-Z]{2})?$/.test(locale) ? locale : "en";
  const text = write(languages[spoken.slice(0, 2)], event, data as Facts<Event>, sayIn(spoken));
  return { workflow, payload: { ...data, locale: spoken, ...text } };
}

/** Whether it is sent whatever the person's preferences say. */
export function isEssential(event: string): boolean {
  requireEvent(event);
  return catalogue[event].essential;
}

function requireEvent(event: string): asserts event is Event {
  if (!Object.hasOwn(catalogue, event)) throw new Error(`${event}: no such event`);
}

function write<E extends Event>(texts: Texts, event: E, facts: Facts<E>, say: Say) {
  return texts[event](facts, say);
}

function describe(issue: z.core.$ZodIssue): string {
  const fields = issue.code === "unrecognized_keys"
    ? issue.keys.map((key) => [...issue.path, key].join("."))
    : [issue.path.join(".") || "facts"];
  return `${fields.join(", ")} (${issue.code})`;
}
