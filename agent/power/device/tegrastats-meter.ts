import type { JetsonConfig } from "#agent/power/power-config.ts";
import type { PowerFaults } from "#agent/power/power-faults.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import type { PowerMeter, PowerSample } from "./device.ts";
import { parseNvidiaSmi, parseTegrastats } from "./parse-tegrastats.ts";
import { killIfAllowed, runCommand } from "./run-command.ts";

const firstRestartMs = 1000;
const longestRestartMs = 30_000;
/** A line of a Thor with all its rails has about 700 characters; more than this without an end is no line. */
const longestLine = 8192;
const nvidiaSmiPeriodMs = 5000;
/** A tegrastats that says nothing for this many intervals (and a while, for its start) hangs. */
const silentIntervals = 10;
const shortestSilenceMs = 2000;
/** After so many whole lines in a row that can't be read the tool speaks another language than the known ones. */
const foreignLines = 10;
const noReadings = "tegrastats gives no readings: energy has a gap until it does";

/**
 * When lines that came together were printed: evenly since the ones before. Without that, all but one of them would seem to have lasted no time, when the
 * tool's output is held up in a pipe or this process was busy.
 */
export function spreadTimes(lastMs: number | null, nowMs: number, count: number): number[] {
  const fromMs = lastMs === null || lastMs > nowMs ? nowMs : lastMs;
  return Array.from({ length: count }, (_, index) => fromMs + ((nowMs - fromMs) * (index + 1)) / count);
}

/** Sensor readings by a long-lived tegrastats, started again when it ends; GPU figures by nvidia-smi where tegrastats has none (Thor). */
export function createTegrastatsMeter(config: JetsonConfig, clock: Clock, faults: PowerFaults): PowerMeter {
  const abort = new AbortController();
  let child: Bun.Subprocess<"ignore", "pipe", "ignore"> | undefined;
  let stopReading = () => {};
  let done = Promise.resolve();
  let gpu: { gpuUtilization: number | null; gpuMemoryUsedMb: number | null } = {
    gpuUtilization: null,
    gpuMemoryUsedMb: null,
  };
  let unread = 0;
  /** Rails of a whole line, as far as any was seen since the tool was started. */
  let wholeRails = 0;
  let askedGpuAtMs = Number.NEGATIVE_INFINITY;

  const askGpu = () => {
    if (performance.now() - askedGpuAtMs < nvidiaSmiPeriodMs) return;
    askedGpuAtMs = performance.now();
    const query = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"];
    void runCommand([...config.nvidiaSmi, ...query], config.commandTimeoutMs).then((outcome) => {
      gpu = parseNvidiaSmi(outcome.exitCode === 0 ? outcome.output : "");
    });
  };

  /** @param atMs when it was printed, as far as that can be told. */
  const onLine = (line: string, atMs: number, onSample: (sample: PowerSample) => void) => {
    const reading = parseTegrastats(line);
    if (reading === null) {
      unread += 1;
      if (unread === foreignLines)
        faults.raise("sensors", `its lines can't be read: ${JSON.stringify(line.slice(0, 80))}`, noReadings);
      return false;
    }
    // Without the total rail its other rails would pass for the board's power. A board that names fewer from now on is believed after a while.
    if (reading.rails < wholeRails && unread < foreignLines) {
      unread += 1;
      return false;
    }
    unread = 0;
    wholeRails = reading.rails;
    faults.clear("sensors");
    if (reading.inputPowerMw !== null) faults.clear("power-reading");
    else faults.raise("power-reading", "tegrastats names no rail of input power", "energy is not counted");
    if (reading.gpuUtilization === null) askGpu();
    const { rails, ...measured } = reading;
    onSample({
      atMs,
      ...measured,
      gpuUtilization: reading.gpuUtilization ?? gpu.gpuUtilization,
      gpuMemoryUsedMb: gpu.gpuMemoryUsedMb,
    });
    return true;
  };

  /** Reads until the output ends, the meter is stopped, or nothing came for too long. */
  const readLines = async (output: ReadableStream<Uint8Array>, onSample: (sample: PowerSample) => void) => {
    const decoder = new TextDecoder();
    const reader = output.getReader();
    let ended = "it ended";
    let pending = "";
    let readings = 0;
    let lastMs: number | null = null;
    const endReading = (reason: string) => {
      ended = reason;
      void reader.cancel().catch(() => {});
    };
    stopReading = () => endReading("it was stopped");
    const silenceMs = Math.max(shortestSilenceMs, silentIntervals * config.sampleIntervalMs);
    const watchdog = setTimeout(() => endReading("it says nothing"), silenceMs);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      watchdog.refresh();
      const lines = (pending + decoder.decode(part.value, { stream: true })).split("\n");
      pending = lines.pop() ?? "";
      if (pending.length > longestLine) pending = "";
      if (lines.length === 0) continue;
      const nowMs = clock.nowMs();
      for (const [index, atMs] of spreadTimes(lastMs, nowMs, lines.length).entries())
        if (onLine(lines[index] as string, atMs, onSample)) readings += 1;
      lastMs = nowMs;
    }
    clearTimeout(watchdog);
    return { readings, ended };
  };

  const run = async (onSample: (sample: PowerSample) => void) => {
    let restartMs = firstRestartMs;
    while (!abort.signal.aborted) {
      let reason: string;
      try {
        wholeRails = 0;
        child = Bun.spawn([...config.tegrastats, "--interval", String(config.sampleIntervalMs)], {
          stdin: "ignore",
          stdout: "pipe",
          stderr: "ignore",
          env: childEnvironment("command", { LC_ALL: "C" }),
        });
        const { readings, ended } = await readLines(child.stdout, onSample);
        if (readings > 0) restartMs = firstRestartMs;
        reason = ended;
        killIfAllowed(child);
      } catch (error) {
        reason = (error as Error).message;
      }
      if (abort.signal.aborted) return;
      faults.raise("sensors", reason, noReadings);
      // The tool lives in real time, whatever the clock's speed.
      await systemClock.sleep(restartMs, abort.signal);
      restartMs = Math.min(longestRestartMs, restartMs * 2);
    }
  };

  return {
    async start(onSample) {
      done = run(onSample);
    },
    async stop() {
      abort.abort();
      stopReading();
      if (child !== undefined) killIfAllowed(child);
      await done;
    },
  };
}
