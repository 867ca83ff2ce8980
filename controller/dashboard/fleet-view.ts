import type { ApiParts } from "../api/api-parts.ts";
import type { FleetView } from "../api/schemas.ts";
import { eventId } from "./fleet-events.ts";

/** Overview of the fleet now, as the API, the page and `thormesh status` show it. */
export function fleetView({
  watch,
  capacityPerReplicaQps,
}: Pick<ApiParts, "watch" | "capacityPerReplicaQps">): FleetView {
  watch.look();
  const { figures } = watch;
  const { serving, standby, draining, offline } = figures;
  const of = ({ value }: { readonly value: number | null }) => value ?? 0;
  const online = of(serving) + of(standby) + of(draining);
  let activeCapacityQps = 0;
  for (const { condition, isMeant, facts } of watch.agents.values())
    if (condition !== "offline" && isMeant) activeCapacityQps += facts.capacityPerS ?? capacityPerReplicaQps;
  return {
    ...(watch.sections as Pick<
      FleetView,
      | "fleet"
      | "controller"
      | "forecast"
      | "forecastPeakQps"
      | "latestDecision"
      | "freeze"
      | "rollout"
      | "policy"
      | "alerts"
    >),
    nowMs: watch.lookedAtMs,
    eventId: eventId(watch.run, watch.event),
    agents: {
      ...{ total: watch.agents.size, online, offline: of(offline) },
      ...{ active: of(serving), standby: of(standby), draining: of(draining) },
    },
    figures,
    qps: figures.textsPerS.value,
    p95LatencyMs: figures.p95Ms.value,
    watts: figures.watts.value,
    activeCapacityQps,
  };
}
