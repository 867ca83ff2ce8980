import type { GpuMonitor } from "./gpu-monitor.ts";

/**
 * Returns a monitor in which the board's own reading of its GPU goes before that of nvidia-smi, so that metrics, status and messages agree.
 * @param boardLoad 0 to 1; null: the board does not tell
 */
export function boardFirst(monitor: GpuMonitor, boardLoad: () => number | null): GpuMonitor {
  return {
    async read() {
      const readings = await monitor.read();
      const load = boardLoad();
      if (load === null) return readings;
      const [first = { name: "board", memoryUsedBytes: null }, ...others] = readings;
      return [{ ...first, utilizationPercent: load * 100 }, ...others];
    },
  };
}

/** Returns the load of the board's GPU, else of the busiest one, 0 to 1; null where none tells it. */
export async function gpuLoad(monitor: GpuMonitor, boardLoad: () => number | null): Promise<number | null> {
  const load = boardLoad();
  if (load !== null) return load;
  const loads = (await monitor.read()).flatMap(({ utilizationPercent }) => utilizationPercent ?? []);
  return loads.length === 0 ? null : Math.max(...loads) / 100;
}
