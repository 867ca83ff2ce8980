import type { PowerSample, SensorDetails } from "./device.ts";
import { totalPowerMw } from "./total-power.ts";

/** Figures of one line of tegrastats; null where it lacks them. */
export interface TegrastatsLine extends Omit<PowerSample, "atMs" | "gpuMemoryUsedMb"> {
  /** Number of power rails in the line; fewer than usual in a line that was cut. */
  readonly rails: number;
  readonly details: SensorDetails;
}

/** Load of each core, as in `CPU [12%@972,off]`; null: it is off. */
function cpuLoads(line: string): (number | null)[] {
  const cores = /(?:^|\s)CPU \[([^\]]*)\]/.exec(line)?.[1] ?? "";
  return cores.split(",").flatMap((core) => {
    const percent = /^(\d+)%/.exec(core.trim())?.[1];
    if (percent !== undefined) return Math.min(1, Number(percent) / 100);
    return core.trim() === "off" ? [null] : [];
  });
}

/**
 * Parses one line of tegrastats of any known board and release. Of a rail's figures the first counts: the second is the average
 * since the start. Returns null for any other line (half a line, a message).
 */
export function parseTegrastats(line: string): TegrastatsLine | null {
  const ram = /(?:^|\s)RAM (\d+)\/(\d+)MB(?:\s|$)/.exec(line);
  if (ram === null) return null;
  const rails = new Map<string, number>();
  for (const [, name, milliwatts] of line.matchAll(/(?:^|\s)([A-Z][A-Z0-9_]*) (-?\d+)mW(?:\/-?\d+mW){1,2}(?=\s|$)/g)) {
    rails.set(name as string, Number(milliwatts));
  }
  // Releases before R34 print milliwatts without a unit, on boards with a total rail (POM_5V_IN, VDD_IN) and without one (AGX Xavier).
  if (rails.size === 0) {
    for (const [, name, milliwatts] of line.matchAll(/(?:^|\s)([A-Z][A-Z0-9_]*) (-?\d+)\/-?\d+(?=\s|$)/g)) {
      rails.set(name as string, Number(milliwatts));
    }
  }
  const gpu = /(?:^|\s)GR3D(?:_FREQ)? (\d+)%/.exec(line)?.[1];
  const temperatures = new Map<string, number>();
  for (const [, name, celsius] of line.matchAll(/(?:^|\s)([A-Za-z][A-Za-z0-9_-]*)@(-?\d+(?:[.,]\d+)?)C/g)) {
    // Some locales have a comma.
    temperatures.set((name as string).toLowerCase(), Number((celsius as string).replace(",", ".")));
  }
  // The PMIC of older boards always reads 50 or 100 °C: it is not measured. An unpowered sensor reads -256.
  temperatures.delete("pmic");
  for (const [name, celsius] of temperatures) if (celsius <= -100) temperatures.delete(name);
  const hottest = temperatures.size === 0 ? null : Math.max(...temperatures.values());
  return {
    inputPowerMw: totalPowerMw(rails),
    rails: rails.size,
    gpuUtilization: gpu === undefined ? null : Math.min(1, Number(gpu) / 100),
    ramUsedMb: Number(ram[1]),
    ramTotalMb: Number(ram[2]),
    junctionTemperatureC: temperatures.get("tj") ?? hottest,
    details: {
      railsMw: Object.fromEntries(rails),
      temperaturesC: Object.fromEntries(temperatures),
      cpuLoads: cpuLoads(line),
    },
  };
}

/** Parses the answer of `nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits`; "[N/A]" becomes null. */
export function parseNvidiaSmi(output: string): { gpuUtilization: number | null; gpuMemoryUsedMb: number | null } {
  const [utilization, memory] = (output.trim().split(/\r?\n/)[0] ?? "").split(",").map((field) => field.trim());
  const number = (field: string | undefined) =>
    field !== undefined && /^\d+(\.\d+)?$/.test(field) ? Number(field) : null;
  const percent = number(utilization);
  return { gpuUtilization: percent === null ? null : Math.min(1, percent / 100), gpuMemoryUsedMb: number(memory) };
}
