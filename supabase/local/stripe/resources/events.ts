import Stripe from "stripe";
import type { EndpointDefinition } from "../endpoint.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { badParameter } from "../errors.ts";
import { readBoolean, readString, readStrings } from "../params.ts";
import { type Caller, PLATFORM } from "../simulator.ts";

/** Records what happened, with the object as it is now, and hands it to the webhooks. */
export function emit(
  caller: Caller,
  type: Stripe.Event.Type,
  object: object,
  previous_attributes?: object,
): Stripe.Event {
  return publish(caller, {
    type,
    data: { object, ...(previous_attributes ? { previous_attributes } : {}) },
  });
}

/** Also for events that never happened: /_control forges them to see that they are refused. */
export function publish(
  caller: Caller,
  parts: { type: string; data: object },
): Stripe.Event {
  const { sim, account } = caller;
  const event = structuredClone({
    id: newId("evt"),
    object: "event",
    ...(account === PLATFORM ? {} : { account }),
    api_version: Stripe.API_VERSION,
    created: sim.seconds(),
    livemode: false,
    pending_webhooks: 0,
    request: caller.request,
    ...parts,
  }) as unknown as Stripe.Event;
  sim.state.events.add(account, event);
  sim.webhooks.enqueue(event);
  return event;
}

function wanted(type: string, patterns: string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith(".*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern
  );
}

export const events: EndpointDefinition[] = [
  {
    method: "GET",
    path: "/v1/events",
    accepts: [...LIST_PARAMETERS, "type", "types", "delivery_success"],
    run(call) {
      const type = readString(call.params, "type");
      const types = readStrings(call.params, "types");
      if (type && types.length > 0) {
        throw badParameter("You may not specify both `type` and `types`.", "type");
      }
      const patterns = type ? [type] : types;
      const delivered = readBoolean(call.params, "delivery_success");
      const rows = call.sim.state.events.all(call.account).filter((event) =>
        (patterns.length === 0 || wanted(event.type, patterns)) &&
        (delivered === undefined || delivered === (event.pending_webhooks === 0))
      );
      return listOf(call, "event", rows);
    },
  },
  {
    method: "GET",
    path: "/v1/events/:id",
    run: (call, { id }) => call.sim.state.events.get(call.account, id),
  },
];
