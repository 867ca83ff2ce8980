import type { Registry } from "prom-client";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { GpuMonitor } from "./gpu-monitor.ts";

/** Registers the GPUs' gauges, which are read when they are scraped. A figure that a GPU does not report has no sample. */
export function registerGpuMetrics(registry: Registry, gpus: GpuMonitor): void {
  const samplesOf = async (figure: "memoryUsedBytes" | "utilizationPercent") =>
    [...(await gpus.read()).entries()].flatMap(([gpu, reading]) => {
      const value = reading[figure];
      return value === null ? [] : [[{ gpu: String(gpu) }, value] as const];
    });
  registerGauges(
    registry,
    "akidb_gpu_memory_used_bytes",
    "GPU memory in use by all programs; absent on boards whose GPU shares the system's memory",
    ["gpu"],
    () => samplesOf("memoryUsedBytes"),
  );
  registerGauges(
    registry,
    "akidb_gpu_utilization_percent",
    "Share of the last sample period in which the GPU worked, 0 to 100",
    ["gpu"],
    () => samplesOf("utilizationPercent"),
  );
}
