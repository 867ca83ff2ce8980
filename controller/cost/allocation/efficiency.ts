import type { AllocationItem } from "./allocation-input.ts";

export interface Efficiency {
  readonly cpu: number;
  readonly ram: number;
  readonly gpu: number;
  /** Of cores and memory, by cost. */
  readonly total: number;
}

interface Use {
  requested: number;
  used: number;
  cost: number;
}

/** Used ÷ requested; without a request 0 where nothing was used or paid, else 1. */
function ratioOf({ requested, used, cost }: Use): number {
  if (requested > 0) return used / requested;
  return used === 0 || cost === 0 ? 0 : 1;
}

/** Efficiency of rows together, idle ones left out: sums of averages × minutes. It may be above 1. */
export function efficiencyOf(items: readonly AllocationItem[], windowMinutes: number): Efficiency {
  const none = (): Use => ({ requested: 0, used: 0, cost: 0 });
  const [cpu, ram, gpu] = [none(), none(), none()];
  for (const item of items) {
    const minutes = item.minutes ?? windowMinutes;
    const add = (use: Use, requested: number, used: number, cost: number) => {
      use.requested += requested * minutes;
      use.used += used * minutes;
      use.cost += cost;
    };
    add(cpu, item.cpuCoreRequestAverage, item.cpuCoreUsageAverage, item.cpuCost);
    add(ram, item.ramByteRequestAverage, item.ramByteUsageAverage, item.ramCost);
    add(gpu, item.gpuRequestAverage, item.gpuUsageAverage, item.gpuCost);
  }
  const cost = cpu.cost + ram.cost;
  return {
    ...{ cpu: ratioOf(cpu), ram: ratioOf(ram), gpu: ratioOf(gpu) },
    total: cost > 0 ? (ratioOf(cpu) * cpu.cost + ratioOf(ram) * ram.cost) / cost : 0,
  };
}
