import type Stripe from "stripe";
import type { EndpointDefinition } from "../endpoint.ts";
import { badParameter, noSuch } from "../errors.ts";
import { newId } from "../ids.ts";
import { LIST_PARAMETERS, listOf } from "../lists.ts";
import { missing, readBoolean, readMetadata, readString, readStrings } from "../params.ts";
import { requireString } from "../params.ts";
import type { Simulator } from "../simulator.ts";
import type { Endpoint } from "../state.ts";

/** The endpoint that the host gives: it sees everything. */
export function configuredEndpoint(
  sim: Simulator,
  { url, secret }: { url: string; secret: string },
): Endpoint {
  return { value: build(sim, url, ["*"]), secret, scope: "all" };
}

function build(sim: Simulator, url: string, enabled_events: string[]): Stripe.WebhookEndpoint {
  return {
    id: newId("we"),
    object: "webhook_endpoint",
    api_version: null,
    application: null,
    created: sim.seconds(),
    description: null,
    enabled_events,
    livemode: false,
    metadata: {},
    status: "enabled",
    url,
  };
}

function find(sim: Simulator, id: string): Endpoint {
  const endpoint = sim.state.endpoints.get(id);
  if (!endpoint) throw noSuch("webhook endpoint", id);
  return endpoint;
}

export const webhookEndpoints: EndpointDefinition[] = [
  {
    method: "POST",
    path: "/v1/webhook_endpoints",
    accepts: ["url", "enabled_events", "connect", "description", "metadata", "api_version"],
    run({ sim, params }) {
      const url = requireString(params, "url");
      if (!URL.canParse(url) || !/^https?:/.test(url)) {
        throw badParameter("Invalid URL: an explicit scheme must be provided.", "url");
      }
      const types = readStrings(params, "enabled_events");
      if (types.length === 0) throw missing("enabled_events");
      const value = {
        ...build(sim, url, types),
        api_version: readString(params, "api_version") ?? null,
        description: readString(params, "description") ?? null,
        metadata: readMetadata(params),
      };
      const secret = newId("whsec", 32);
      const scope = readBoolean(params, "connect") ? "connect" : "own";
      sim.addEndpoint({ value, secret, scope });
      // The only answer that ever shows the secret.
      return { ...value, secret };
    },
  },
  {
    method: "GET",
    path: "/v1/webhook_endpoints",
    accepts: LIST_PARAMETERS,
    run(call) {
      const all = [...call.sim.state.endpoints.values()].map((endpoint) => endpoint.value);
      return listOf(call, "webhook endpoint", all.reverse());
    },
  },
  {
    method: "GET",
    path: "/v1/webhook_endpoints/:id",
    run: ({ sim }, { id }) => find(sim, id).value,
  },
  {
    method: "POST",
    path: "/v1/webhook_endpoints/:id",
    accepts: ["url", "enabled_events", "description", "metadata", "disabled"],
    run({ sim, params }, { id }) {
      const { value } = find(sim, id);
      const types = readStrings(params, "enabled_events");
      if (types.length > 0) value.enabled_events = types;
      value.url = readString(params, "url") ?? value.url;
      value.metadata = readMetadata(params, value.metadata);
      const disabled = readBoolean(params, "disabled");
      if (disabled !== undefined) value.status = disabled ? "disabled" : "enabled";
      return value;
    },
  },
  {
    method: "DELETE",
    path: "/v1/webhook_endpoints/:id",
    run({ sim }, { id }) {
      find(sim, id);
      sim.state.endpoints.delete(id);
      return { id, object: "webhook_endpoint", deleted: true };
    },
  },
];
