import { type Static, Type } from "@sinclair/typebox";
import { cloudTerms } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { integer, number } from "#platform/config-fields.ts";
import { strict } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/messages.ts";

/** Capacity that can be rented, and the agents that are its units, if the controller may switch them. */
export const CloudOfferConfig = Type.Object(
  {
    ...cloudTerms,
    id: { ...Identifier, description: "name of the offer" },
    kind: { ...cloudTerms.kind, description: "spot: may be withdrawn; serverless: paid by request" },
    capacityQps: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e12,
      description: "texts per second that one unit carries",
    }),
    p95Ms: number(0, [0, 1e12], "95th percentile latency at the target utilisation"),
    usdPerHour: number(0, [0, 1e6], "cost of one unit, from the order on"),
    usdPerRequest: number(0, [0, 1e6], "cost of each request, on top"),
    startupS: number(0, [0, 86_400], "seconds from the order until it serves"),
    max: integer(1, [1, 10_000], "number of units; with agents: as many as these"),
    agents: Type.Array(Identifier, {
      default: [],
      maxItems: 10_000,
      description: "ids of the agents that are its units, switched on and off as set in scaling.capacity",
    }),
    reachable: Type.Boolean({
      default: false,
      description: "true: requests reach it without the controller (a load balancer's overflow), so plans count on it",
    }),
  },
  strict,
);
export type CloudOfferConfig = Static<typeof CloudOfferConfig>;

export const CloudConfig = Type.Array(CloudOfferConfig, {
  default: [],
  maxItems: 100,
  description: "capacity that can be rented in addition to the fleet's own devices; used with policy: fleet-plan",
});

/** Checks what the schema can't say: ids used once, an agent is a unit of one offer and something can switch it on. One line per mistake, path first. */
export function checkCloudConfig(offers: readonly CloudOfferConfig[], switched: ReadonlySet<string>): string[] {
  const lines: string[] = [];
  const ids = new Set<string>();
  const taken = new Set<string>();
  for (const [index, { id, agents }] of offers.entries()) {
    if (ids.has(id)) lines.push(`cloud.${index}.id: expected an id used once, got "${id}" again`);
    ids.add(id);
    for (const [place, agentId] of agents.entries()) {
      const path = `cloud.${index}.agents.${place}`;
      if (taken.has(agentId)) lines.push(`${path}: expected an agent of one offer, got "${agentId}" again`);
      else if (!switched.has(agentId)) {
        lines.push(`${path}: expected an agent that capacity.process or capacity.webhooks switches, got "${agentId}"`);
      }
      taken.add(agentId);
    }
  }
  return lines;
}
