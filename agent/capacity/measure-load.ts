import type { Logger } from "#platform/log.ts";
import type { Power } from "../power/power.ts";
import { boardFirst, gpuLoad } from "../serving/gpu/board-first.ts";
import { createGpuMonitor } from "../serving/gpu/gpu-monitor.ts";
import type { Serving } from "../serving/serving.ts";
import { createProcReader } from "../utilization/system-counters.ts";
import { UtilizationMeter } from "../utilization/utilization-meter.ts";
import { CapacityEstimates } from "./capacity-estimates.ts";
import { CapacityWatch } from "./capacity-watch.ts";
import { createOverloadCheck } from "./overload-check.ts";

/** Creates what measures the device's load, and what it can carry. */
export function measureLoad(parts: {
  readonly memory: ConstructorParameters<typeof CapacityEstimates>[0];
  readonly power: Pick<Power, "statedCapacity" | "gpuLoad">;
  /** Power mode now; null: unknown. */
  readonly modeName: () => string | null;
  readonly serving: () => Pick<Serving, "watchedModels" | "inFlight" | "modelPids">;
  readonly refusals: ConstructorParameters<typeof CapacityWatch>[0]["refusals"];
  /** Speed of the agent's clock. */
  readonly speed: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}) {
  const { memory, power, modeName, serving, refusals, speed, nowMs, log } = parts;
  const estimates = new CapacityEstimates(memory, (model, mode) => power.statedCapacity(model, mode), nowMs);
  const capacity = new CapacityWatch({
    estimates,
    models: () => serving().watchedModels(),
    modeName,
    overloaded: createOverloadCheck({
      refusals,
      inFlight: () => serving().inFlight(),
      cpu: () => utilization.latest().cpu,
    }),
    refusals,
    realMs: () => performance.now(),
    speed,
    log,
  });
  const gpuMonitor = createGpuMonitor(() => performance.now());
  const boardLoad = () => power.gpuLoad();
  const utilization = new UtilizationMeter({
    read: createProcReader(),
    pids: () => [process.pid, ...serving().modelPids()],
    gpu: () => gpuLoad(gpuMonitor, boardLoad),
    nowMs,
  });
  return { estimates, capacity, utilization, gpus: boardFirst(gpuMonitor, boardLoad) };
}
