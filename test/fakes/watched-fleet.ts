import { FleetWatch } from "#controller/dashboard/fleet-watch.ts";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import type { Override } from "#controller/store/store.ts";
import type { Desired } from "#protocol/messages.ts";
import { someSources } from "./fleet-figures.ts";

/** A fleet in memory that is watched, with a clock of its own. */
export function watchedFleet(agents: readonly AgentState[] = []) {
  const fleet = createFleet();
  const documents = new Map<string, Desired>();
  const overrides = new Map<string, Override>();
  const at = { nowMs: 1_000_000 };
  const sections: Record<string, unknown> = { fleet: "hall" };
  for (const agent of agents) fleet.put(agent);
  const watch = new FleetWatch({
    fleet,
    desired: { documents, overrides },
    pricesAt: () => ({ tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 }),
    capacities: () => new Map(),
    staleAfterMs: 180_000,
    sources() {
      const { nowMs: _, ...sources } = someSources();
      return sources;
    },
    sections: () => sections,
    nowMs: () => at.nowMs,
  });
  return { fleet, documents, overrides, at, sections, watch };
}
