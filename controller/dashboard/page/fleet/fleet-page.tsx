import { Figure, Figures } from "#platform/page/figure.tsx";
import { formatDuration, formatNumber, formatRate, formatWatts } from "#platform/page/format.ts";
import { FleetActions } from "../acting/fleet-actions.tsx";
import { fleet } from "../fleet-state.ts";
import { AgentTable } from "./agent-table.tsx";

const count = (value: number | undefined) => ({ value: formatNumber(value), unit: "" });

/** The fleet: how many serve, what they do, and what is coming. */
export function FleetPage() {
  const view = fleet.value;
  return (
    <>
      <h1 class="hidden">Fleet</h1>
      <FleetActions freeze={view?.freeze ?? null} />
      <Figures label="The fleet now">
        <Figure label="serving" quantity={count(view?.agents.active)} />
        <Figure label="standby" quantity={count(view?.agents.standby)} />
        <Figure label="draining" quantity={count(view?.agents.draining)} />
        <Figure label="offline" quantity={count(view?.agents.offline)} />
        <Figure label="rate" quantity={formatRate(view?.qps)} />
        <Figure label="capacity" quantity={formatRate(view?.activeCapacityQps)} />
        <Figure label="forecast peak" quantity={formatRate(view?.forecastPeakQps)} />
        <Figure label="p95 latency" quantity={formatDuration(view?.p95LatencyMs)} />
        <Figure label="power" quantity={formatWatts(view?.watts)} />
      </Figures>
      <AgentTable />
    </>
  );
}
