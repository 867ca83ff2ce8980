import { Gauge, type Registry } from "prom-client";
import type { GpuMonitor } from "./gpu-monitor.ts";

/** Registers the GPUs' gauges, which ask when they are scraped. What a GPU does not tell has no sample. */
export function registerGpuMetrics(registry: Registry, gpus: GpuMonitor): void {
  const registers = [registry];
  const labelNames = ["gpu"] as const;
  new Gauge({
    name: "akidb_gpu_memory_used_bytes",
    help: "Memory of the GPU that is in use, by all programs; none on boards whose GPU shares the system's",
    labelNames,
    registers,
    async collect() {
      this.reset();
      for (const [gpu, { memoryUsedBytes }] of (await gpus.read()).entries())
        if (memoryUsedBytes !== null) this.set({ gpu }, memoryUsedBytes);
    },
  });
  new Gauge({
    name: "akidb_gpu_utilization_percent",
    help: "Share of the last moments in which the GPU worked, 0 to 100",
    labelNames,
    registers,
    async collect() {
      this.reset();
      for (const [gpu, { utilizationPercent }] of (await gpus.read()).entries())
        if (utilizationPercent !== null) this.set({ gpu }, utilizationPercent);
    },
  });
}
