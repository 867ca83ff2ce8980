import { childEnvironment } from "#platform/process/child-environment.ts";
import { type GpuReading, parseGpuReadings } from "./parse-gpu-readings.ts";

/** This machine's GPUs as nvidia-smi sees them. */
export interface GpuMonitor {
  /** In the order of their numbers; none where there is no nvidia-smi or it does not answer. */
  read(): Promise<readonly GpuReading[]>;
}

/** One that hangs (a driver in trouble) must not hold a scrape up. */
const answerWithinMs = 2_000;
/** Several scrapers and `/health` share a reading. */
const freshForMs = 5_000;
/** Where there was no GPU, one may come with a driver that is loaded later; looking costs a process. */
const absentForMs = 60_000;

const query = ["--query-gpu=name,utilization.gpu,memory.used", "--format=csv,noheader,nounits"];

/** @param command the program to ask, found on PATH */
export function createGpuMonitor(nowMs: () => number, command = "nvidia-smi"): GpuMonitor {
  let last: { readonly readings: readonly GpuReading[]; readonly untilMs: number } | undefined;
  let asking: Promise<readonly GpuReading[]> | null = null;

  const ask = async (): Promise<readonly GpuReading[]> => {
    const path = Bun.which(command, { PATH: process.env["PATH"] ?? "" });
    if (path === null) return [];
    try {
      const child = Bun.spawn([path, ...query], {
        env: childEnvironment("command"),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      });
      // One that waits for a driver can't be killed either: it must not be waited for.
      const gaveUp = Promise.withResolvers<null>();
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        child.unref();
        gaveUp.resolve(null);
      }, answerWithinMs);
      try {
        const answered = Promise.all([new Response(child.stdout).text(), child.exited]);
        const answer = await Promise.race([answered, gaveUp.promise]);
        return answer !== null && answer[1] === 0 ? parseGpuReadings(answer[0]) : [];
      } finally {
        clearTimeout(timer);
      }
    } catch {
      return []; // it can't be run: as good as absent
    }
  };

  return {
    async read() {
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
