import { runCommand } from "#platform/process/run-command.ts";
import { minuteMs } from "#platform/time.ts";
import { type GpuReading, parseGpuReadings } from "./parse-gpu-readings.ts";

/** Monitor of this machine's GPUs, by nvidia-smi. */
export type GpuMonitor = ReturnType<typeof createGpuMonitor>;

/** Time for an answer: a driver in trouble must not hold up a scrape. */
const maxAnswerMs = 2_000;
/** Time for which scrapers and `/health` share a reading. */
const freshForMs = 5_000;
/** Time after which a machine without GPUs is asked again, as a driver may be loaded later; asking costs a process. */
const absentForMs = minuteMs;

const query = ["--query-gpu=name,utilization.gpu,memory.used", "--format=csv,noheader,nounits"];

/** @param command program on PATH */
export function createGpuMonitor(nowMs: () => number, command = "nvidia-smi") {
  let last: { readonly readings: readonly GpuReading[]; readonly untilMs: number } | undefined;
  let asking: Promise<readonly GpuReading[]> | null = null;

  const ask = async (): Promise<readonly GpuReading[]> => {
    const path = Bun.which(command, { PATH: process.env["PATH"] ?? "" });
    if (path === null) return [];
    const { exitCode, output } = await runCommand([path, ...query], maxAnswerMs);
    return exitCode === 0 ? parseGpuReadings(output) : [];
  };

  return {
    /** Returns the readings in the order of the GPUs' numbers; none without nvidia-smi or its answer. */
    async read(): Promise<readonly GpuReading[]> {
      if (last !== undefined && nowMs() < last.untilMs) return last.readings;
      asking ??= ask().finally(() => {
        asking = null;
      });
      const readings = await asking;
      last = { readings, untilMs: nowMs() + (readings.length === 0 ? absentForMs : freshForMs) };
      return readings;
    },
  };
}
