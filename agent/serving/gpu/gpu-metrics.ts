import type { Registry } from "prom-client";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { GpuMonitor } from "./gpu-monitor.ts";

/** Registers the GPUs' gauges, which ask when they are scraped. What a GPU does not tell has no sample. */
export function registerGpuMetrics(registry: Registry, gpus: GpuMonitor): void {
  const told = async (figure: "memoryUsedBytes" | "utilizationPercent") =>
    [...(await gpus.read()).entries()].flatMap(([gpu, reading]) => {
      const value = reading[figure];
      return value === null ? [] : [[{ gpu: String(gpu) }, value] as const];
    });
  registerGauges(
    registry,
    "akidb_gpu_memory_used_bytes",
    "Memory of the GPU that is in use, by all programs; none on boards whose GPU shares the system's",
    ["gpu"],
    () => told("memoryUsedBytes"),
  );
  registerGauges(
    registry,
    "akidb_gpu_utilization_percent",
    "Share of the last moments in which the GPU worked, 0 to 100",
    ["gpu"],
    () => told("utilizationPercent"),
  );
}
