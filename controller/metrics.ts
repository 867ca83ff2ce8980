import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { registerGauge, registerGauges } from "#platform/fetch/scraped-metrics.ts";
import { registerProcessMetrics } from "#platform/process/process-metrics.ts";
import { hourMs } from "#platform/time.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { type Prices, priceMinute } from "./cost/price-minute.ts";
import type { IngestOutcome } from "./fleet/ingest.ts";
import type { ActiveAgentsDecision } from "./scaling/active-agents/scaling-inputs.ts";

/**
 * Agents that have series of their own; those that come later are counted together. Each has up to ten series, and Prometheus, like this process,
 * keeps all that there ever were; figures of every agent are in the API.
 */
const maxNamedAgents = 1000;
/** Name of all the others together: no agent can have it. */
const otherAgents = "(other)";

/** Figures that are read at each scrape. */
export interface MeasuredFleet {
  agentCounts(): Readonly<Record<"active" | "standby" | "draining" | "offline", number>>;
  liveQps(): number | null;
  forecastPeakQps(): number | null;
  brokerConnected(): boolean;
  unreadableRows(): readonly { readonly table: string; readonly rows: number }[];
  storeBytes(): number;
  storeUsable(): boolean;
}

export function createControllerMetrics(registry: Registry, fleet: MeasuredFleet) {
  registerProcessMetrics(registry, "controller");
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers });
  const messages = counter("thormesh_controller_messages_total", "MQTT messages from agents, by what became of them", [
    "channel",
    "outcome",
  ]);
  const decisions = counter("thormesh_decisions_total", "Decisions about which agents serve, holds included", [
    "kind",
    "rule",
  ]);
  const rounds = new Histogram({
    name: "thormesh_decision_seconds",
    help: "Time that a round of deciding took, from looking at the fleet until agents were told",
    labelNames: ["urgent"],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const needed = new Gauge({ name: "thormesh_needed_agents", help: "Agents that the peak needs", registers });
  registerGauges(registry, "thormesh_agents", "Agents by what they do", ["state"], () =>
    Object.entries(fleet.agentCounts()).map(([state, count]) => [{ state }, count] as const),
  );
  const gauge = (name: string, help: string, read: () => number | null) => registerGauge(registry, name, help, read);
  gauge("thormesh_fleet_qps", "Texts per second of the whole fleet", fleet.liveQps);
  gauge("thormesh_fleet_forecast_peak_qps", "The highest rate forecast within the horizon", fleet.forecastPeakQps);
  gauge("thormesh_broker_connected", "1 while connected to the MQTT broker", () => (fleet.brokerConnected() ? 1 : 0));
  registerGauges(
    registry,
    "thormesh_controller_unreadable_rows",
    "Rows of the store that can't be read and are skipped",
    ["table"],
    () => fleet.unreadableRows().map(({ table, rows }) => [{ table }, rows] as const),
  );
  gauge("thormesh_controller_store_bytes", "Disk space taken by the store's rows", fleet.storeBytes);
  gauge("thormesh_controller_store_up", "1: the store's server, or its file, can be used", () =>
    fleet.storeUsable() ? 1 : 0,
  );
  const energy = counter("akidb_cost_energy_kwh_total", "Energy measured by the agents", ["agent"]);
  const cost = counter("akidb_cost_usd_total", "Cost of the agents' minutes, US$", ["agent", "kind", "use"]);
  const hourlyCost = new Gauge({
    name: "node_total_hourly_cost",
    help: "Cost of an hour of an agent as OpenCost has it, US$: its amortisation, and energy as in its newest measured minute",
    labelNames: ["node"],
    registers,
  });
  const requests = counter("akidb_cost_requests_total", "Requests that the cost is for", ["agent"]);
  const named = new Set<string>();
  const labelOf = (agent: string) => {
    if (named.has(agent)) return agent;
    if (named.size >= maxNamedAgents) return otherAgents;
    named.add(agent);
    return agent;
  };
  return {
    message: (channel: string, outcome: IngestOutcome) => messages.inc({ channel, outcome }),
    minute(data: MinuteData, prices: Prices): void {
      const agent = labelOf(data.agentId);
      const minute = priceMinute(data, prices);
      energy.inc({ agent }, minute.energyKwh);
      cost.inc({ agent, kind: "energy", use: minute.use }, minute.energyUsd);
      cost.inc({ agent, kind: "amortisation", use: minute.use }, minute.amortisationUsd);
      requests.inc({ agent }, minute.requests);
      // Rates of many agents have no sum that would mean one of them.
      if (agent !== otherAgents && !data.historical && minute.measuredMs > 0) {
        const energyUsdPerHour = (minute.energyUsd * hourMs) / minute.measuredMs;
        hourlyCost.set({ node: agent }, prices.amortisationUsdPerHour + energyUsdPerHour);
      }
    },
    /** Forgets an agent that was retired. */
    forget(agent: string): void {
      if (!named.delete(agent)) return;
      energy.remove({ agent });
      hourlyCost.remove({ node: agent });
      requests.remove({ agent });
      for (const kind of ["energy", "amortisation"]) {
        for (const use of ["serving", "idle", "standby"]) cost.remove({ agent, kind, use });
      }
    },
    /** @param isUrgent it was about what users felt, not one of the regular ones */
    round: (tookMs: number, isUrgent: boolean) => rounds.observe({ urgent: String(isUrgent) }, tookMs / 1000),
    decision({ kind, rule, figures }: ActiveAgentsDecision): void {
      decisions.inc({ kind, rule });
      needed.set(figures.need);
    },
  };
}
