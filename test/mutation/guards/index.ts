// Every guard there is, by theme.
import { locks } from "./locks.ts";
import { order } from "./order.ts";
import { uniqueness } from "./uniqueness.ts";
import { appendOnly } from "./append-only.ts";
import { states } from "./states.ts";
import { draw } from "./draw.ts";
import { access } from "./access.ts";
import { limits } from "./limits.ts";
import { purchases } from "./purchases.ts";
import { money } from "./money.ts";
import { webhooks } from "./webhooks.ts";
import { terms } from "./terms.ts";
import { jobs } from "./jobs.ts";
import { messages } from "./messages.ts";

export const themes = {
  locks,
  order,
  uniqueness,
  "append-only": appendOnly,
  states,
  draw,
  access,
  limits,
  purchases,
  money,
  webhooks,
  terms,
  jobs,
  messages,
};

export const guards = Object.values(themes).flat();
