import type { Registry } from "prom-client";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { registerGauge, registerGauges, registerTotal, registerTotals } from "#platform/fetch/scraped-metrics.ts";
import type { StorageStatus } from "#platform/files/storage-watch.ts";
import { registerProcessMetrics } from "#platform/process/process-metrics.ts";
import type { CapacityEstimate, ForecastReport, Utilization } from "#protocol/messages.ts";

export interface AgentFigures {
  brokerConnected(): boolean;
  outboxRecords(): number;
  storage(): StorageStatus;
  refusedMessages(): number;
  refusedOrders(): ReadonlyMap<string, number>;
  lastForecast(): ForecastReport | null;
  active(): boolean;
  hungProcesses(): ReadonlyMap<string, number>;
  utilization(): Utilization;
  capacity(): readonly CapacityEstimate[];
}

/** Registers the process's metrics and those of the agent as a member of its fleet; serving and power register theirs. */
export function registerAgentMetrics(metrics: Registry, figures: AgentFigures): void {
  registerProcessMetrics(metrics, "agent");
  registerGauge(metrics, "thormesh_broker_connected", "1 while connected to the MQTT broker", () =>
    figures.brokerConnected() ? 1 : 0,
  );
  registerGauge(metrics, "thormesh_agent_active", "1 while the agent accepts requests", () =>
    figures.active() ? 1 : 0,
  );
  registerGauge(metrics, "thormesh_outbox_records", "Minute records that wait to be sent", figures.outboxRecords);
  registerGauge(metrics, "thormesh_forecast_peak_qps", "The highest rate forecast for the next 15 minutes", () => {
    const forecast = figures.lastForecast();
    return forecast === null ? null : medianPeakQps(forecast);
  });
  registerGauges(
    metrics,
    "thormesh_forecast_peak_quantile_qps",
    "Rate that, with this probability, the peak of the next 15 minutes will not exceed",
    // Prometheus keeps the name "quantile" for summaries.
    ["level"],
    () => {
      const peak = figures.lastForecast()?.peakQps;
      if (peak === undefined) return [];
      return [
        [{ level: "0.5" }, peak.q50],
        [{ level: "0.9" }, peak.q90],
        [{ level: "0.95" }, peak.q95],
      ];
    },
  );
  registerGauges(metrics, "thormesh_forecast_share", "Share of each model in the forecast", ["model"], () =>
    Object.entries(figures.lastForecast()?.shares ?? {}).map(([model, share]) => [{ model }, share] as const),
  );
  registerTotals(
    metrics,
    "thormesh_outbox_dropped_total",
    "Minute records that were lost, by cause: outbox-full, too-old, memory-full (the disk could not be written), unreadable, unsendable, refused (by the controller)",
    ["cause"],
    () => Object.entries(figures.storage().lost).map(([cause, records]) => [{ cause }, records] as const),
  );
  registerTotals(
    metrics,
    "thormesh_orders_refused_total",
    "Orders rejected by a device that has joined: unsigned, forged, expired or replayed",
    ["reason"],
    () => [...figures.refusedOrders()].map(([reason, count]) => [{ reason }, count] as const),
  );
  registerGauge(metrics, "thormesh_storage_failing", "1 while the state can't be written to disk", () =>
    figures.storage().failing === null ? 0 : 1,
  );
  registerGauge(
    metrics,
    "thormesh_storage_waiting_records",
    "Records that wait in memory because they can't be written to disk",
    () => figures.storage().waiting.records,
  );
  registerGauges(
    metrics,
    "thormesh_utilization_ratio",
    "Load, 0 to 1: cpu, gpu and memory of the device; process_cpu and process_memory: the share of this program and its models",
    ["resource"],
    () => {
      const { cpu, gpu, memory, processCpu, processMemory } = figures.utilization();
      const loads = { cpu, gpu, memory, process_cpu: processCpu, process_memory: processMemory };
      return Object.entries(loads).flatMap(([resource, load]) =>
        load === null ? [] : [[{ resource }, load] as const],
      );
    },
  );
  registerGauges(
    metrics,
    "thormesh_capacity_qps",
    "Texts per second that the device carries with this model in the present power mode, as measured",
    ["model"],
    () => figures.capacity().map(({ model, qps }) => [{ model }, qps] as const),
  );
  registerGauges(
    metrics,
    "thormesh_capacity_confidence_ratio",
    "Confidence in the measured capacity, 0 to 1",
    ["model"],
    () => figures.capacity().map(({ model, confidence }) => [{ model }, confidence] as const),
  );
  registerTotals(
    metrics,
    "thormesh_hung_processes_total",
    "Processes killed because they did not answer, by purpose",
    ["process"],
    () => [...figures.hungProcesses()].map(([process, count]) => [{ process }, count] as const),
  );
  registerTotal(
    metrics,
    "thormesh_refused_messages_total",
    "MQTT messages that did not match their schema",
    figures.refusedMessages,
  );
}
