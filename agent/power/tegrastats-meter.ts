import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { PowerMeter, PowerSample } from "./device.ts";
import { parseNvidiaSmi, parseTegrastats } from "./parse-tegrastats.ts";
import type { JetsonConfig } from "./power-config.ts";
import { runCommand } from "./run-command.ts";

const firstRestartMs = 1000;
const longestRestartMs = 30_000;
/** A line of a Thor with all its rails has about 700 characters; more than this without an end is no line. */
const longestLine = 8192;
const nvidiaSmiPeriodMs = 5000;

/** Sensor readings by a long-lived tegrastats, started again when it ends; GPU figures by nvidia-smi where tegrastats has none (Thor). */
export function createTegrastatsMeter(config: JetsonConfig, clock: Clock, log: Logger): PowerMeter {
  const abort = new AbortController();
  let child: Bun.Subprocess<"ignore", "pipe", "ignore"> | undefined;
  let done = Promise.resolve();
  let gpu: { gpuUtilization: number | null; gpuMemoryUsedMb: number | null } = {
    gpuUtilization: null,
    gpuMemoryUsedMb: null,
  };
  let askedGpuAtMs = Number.NEGATIVE_INFINITY;

  const askGpu = () => {
    if (performance.now() - askedGpuAtMs < nvidiaSmiPeriodMs) return;
    askedGpuAtMs = performance.now();
    const query = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"];
    void runCommand([...config.nvidiaSmi, ...query], config.commandTimeoutMs).then((outcome) => {
      gpu = parseNvidiaSmi(outcome.exitCode === 0 ? outcome.output : "");
    });
  };

  const onLine = (line: string, onSample: (sample: PowerSample) => void) => {
    const reading = parseTegrastats(line);
    if (reading === null) return;
    if (reading.gpuUtilization === null) askGpu();
    onSample({
      atMs: clock.nowMs(),
      ...reading,
      gpuUtilization: reading.gpuUtilization ?? gpu.gpuUtilization,
      gpuMemoryUsedMb: gpu.gpuMemoryUsedMb,
    });
  };

  const readLines = async (output: ReadableStream<Uint8Array>, onSample: (sample: PowerSample) => void) => {
    const decoder = new TextDecoder();
    let pending = "";
    let lines = 0;
    for await (const chunk of output) {
      pending += decoder.decode(chunk, { stream: true });
      const parts = pending.split("\n");
      pending = parts.pop() ?? "";
      if (pending.length > longestLine) pending = "";
      for (const line of parts) onLine(line, onSample);
      lines += parts.length;
    }
    return lines;
  };

  const run = async (onSample: (sample: PowerSample) => void) => {
    let restartMs = firstRestartMs;
    while (!abort.signal.aborted) {
      let reason = "it ended";
      try {
        child = Bun.spawn([...config.tegrastats, "--interval", String(config.sampleIntervalMs)], {
          stdin: "ignore",
          stdout: "pipe",
          stderr: "ignore",
          env: { ...process.env, LC_ALL: "C" },
        });
        const lines = await readLines(child.stdout, onSample);
        if (lines > 0) restartMs = firstRestartMs;
        reason = `it exited with ${await child.exited}`;
      } catch (error) {
        reason = (error as Error).message;
      }
      if (abort.signal.aborted) return;
      log.warn({ reason, restartInMs: restartMs }, "tegrastats gives no readings: energy has a gap until it does");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restartMs);
        abort.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve();
        });
      });
      restartMs = Math.min(longestRestartMs, restartMs * 2);
    }
  };

  return {
    async start(onSample) {
      done = run(onSample);
    },
    async stop() {
      abort.abort();
      child?.kill("SIGKILL");
      await done;
    },
  };
}
