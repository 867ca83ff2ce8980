import type { JetsonConfig } from "#agent/power/power-config.ts";
import type { PowerFaults } from "#agent/power/power-faults.ts";
import { cleanText } from "#platform/clean-text.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { killIfAllowed, runCommand } from "#platform/process/run-command.ts";
import type { PowerMeter, PowerSample } from "./device.ts";
import { parseNvidiaSmi, parseTegrastats } from "./parse-tegrastats.ts";

const firstRestartMs = 1000;
const maxRestartMs = 30_000;
/** Maximum characters without an end of line; a Thor's line with all its rails has about 700. */
const maxLineLength = 8192;
const nvidiaSmiPeriodMs = 5000;
/** Intervals without a line after which tegrastats counts as hanging; at least 2 s, for its start. */
const silentIntervals = 10;
const minSilenceMs = 2000;
/** Unreadable lines in a row that make an unknown format. */
const maxUnreadLines = 10;
const maxQuotedCharacters = 300;
/** Time for a tool to end after its output did. */
const exitMs = 1000;
const noReadings = "tegrastats gives no readings: energy has a gap until it does";

/**
 * Returns the assumed times of lines that were read together: spread evenly since the ones before. Otherwise all but one of them would
 * have lasted no time when the output was held up in a pipe or this process was busy.
 */
export function spreadTimes(lastMs: number | null, nowMs: number, count: number): number[] {
  const fromMs = lastMs === null || lastMs > nowMs ? nowMs : lastMs;
  return Array.from({ length: count }, (_, index) => fromMs + ((nowMs - fromMs) * (index + 1)) / count);
}

/** Reads a stream, of which the newest text is kept. */
function keepEnd(stream: ReadableStream<Uint8Array>): { readonly text: () => string } {
  let kept = "";
  const decoder = new TextDecoder();
  void (async () => {
    for await (const part of stream) kept = (kept + decoder.decode(part, { stream: true })).slice(-maxQuotedCharacters);
  })().catch(() => {});
  return { text: () => cleanText(kept.trim(), maxQuotedCharacters) };
}

/** Says how a tool ended whose output has ended, and what it said last. */
async function explainEnd(child: Bun.Subprocess, said: { readonly text: () => string }): Promise<string> {
  const code = await Promise.race([child.exited, systemClock.sleep(exitMs).then(() => null)]);
  const how = code === null ? "it closed its output" : `it ended with ${code}`;
  return said.text() === "" ? how : `${how}: ${said.text()}`;
}

type OnSample = (sample: PowerSample) => void;

/** Reads the sensors by a long-lived tegrastats, restarted when it ends; GPU figures by nvidia-smi where tegrastats has none (Thor). */
export class TegrastatsMeter implements PowerMeter {
  readonly #config: JetsonConfig;
  readonly #clock: Clock;
  readonly #faults: PowerFaults;
  readonly #abort = new AbortController();
  #child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  #stopReading = () => {};
  #done = Promise.resolve();
  #gpu: ReturnType<typeof parseNvidiaSmi> = { gpuUtilization: null, gpuMemoryUsedMb: null };
  #askedGpuAtMs = Number.NEGATIVE_INFINITY;
  #unreadLines = 0;
  /** Rails of a whole line, from the lines since the tool was started. */
  #wholeRails = 0;

  constructor(config: JetsonConfig, clock: Clock, faults: PowerFaults) {
    this.#config = config;
    this.#clock = clock;
    this.#faults = faults;
  }

  async start(onSample: OnSample): Promise<void> {
    this.#done = this.#run(onSample);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#stopReading();
    if (this.#child !== undefined) killIfAllowed(this.#child);
    await this.#done;
  }

  async #run(onSample: OnSample): Promise<void> {
    const { tegrastats, sampleIntervalMs } = this.#config;
    const { signal } = this.#abort;
    let restartMs = firstRestartMs;
    while (!signal.aborted) {
      let reason: string;
      try {
        this.#wholeRails = 0;
        this.#child = Bun.spawn([...tegrastats, "--interval", String(sampleIntervalMs)], {
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe",
          env: childEnvironment("command", { LC_ALL: "C" }),
        });
        const said = keepEnd(this.#child.stderr);
        const { readings, stopped } = await this.#readLines(this.#child.stdout, onSample);
        if (readings > 0) restartMs = firstRestartMs;
        reason = stopped ?? (await explainEnd(this.#child, said));
        killIfAllowed(this.#child);
      } catch (error) {
        reason = (error as Error).message;
      }
      if (signal.aborted) return;
      this.#faults.raise("sensors", reason, noReadings);
      // The tool lives in real time, whatever the clock's speed.
      await systemClock.sleep(restartMs, signal);
      restartMs = Math.min(maxRestartMs, restartMs * 2);
    }
  }

  /** Reads until the output ends, the meter is stopped, or the output is silent for too long. */
  async #readLines(output: ReadableStream<Uint8Array>, onSample: OnSample) {
    const decoder = new TextDecoder();
    const reader = output.getReader();
    let stopped: string | null = null;
    let pending = "";
    let readings = 0;
    let lastMs: number | null = null;
    const endReading = (reason: string) => {
      stopped = reason;
      void reader.cancel().catch(() => {});
    };
    this.#stopReading = () => endReading("it was stopped");
    const silenceMs = Math.max(minSilenceMs, silentIntervals * this.#config.sampleIntervalMs);
    const watchdog = setTimeout(() => endReading("it is silent"), silenceMs);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      watchdog.refresh();
      const lines = (pending + decoder.decode(part.value, { stream: true })).split("\n");
      pending = lines.pop() ?? "";
      if (pending.length > maxLineLength) pending = "";
      if (lines.length === 0) continue;
      const nowMs = this.#clock.nowMs();
      for (const [index, atMs] of spreadTimes(lastMs, nowMs, lines.length).entries())
        if (this.#onLine(lines[index] as string, atMs, onSample)) readings += 1;
      lastMs = nowMs;
    }
    clearTimeout(watchdog);
    return { readings, stopped };
  }

  /** @param atMs assumed time of the line */
  #onLine(line: string, atMs: number, onSample: OnSample): boolean {
    const faults = this.#faults;
    const reading = parseTegrastats(line);
    if (reading === null) {
      this.#unreadLines += 1;
      if (this.#unreadLines === maxUnreadLines)
        faults.raise("sensors", `its lines can't be read: ${JSON.stringify(line.slice(0, 80))}`, noReadings);
      return false;
    }
    const { rails, ...measured } = reading;
    // Without its total rail the sum of the others would pass for the board's power. Fewer rails are believed after ten lines.
    if (rails < this.#wholeRails && this.#unreadLines < maxUnreadLines) {
      this.#unreadLines += 1;
      return false;
    }
    this.#unreadLines = 0;
    this.#wholeRails = rails;
    faults.clear("sensors");
    if (measured.inputPowerMw !== null) faults.clear("power-reading");
    else faults.raise("power-reading", "tegrastats has no rail of input power", "energy is not counted");
    if (measured.gpuUtilization === null) this.#askGpu();
    const { gpuUtilization, gpuMemoryUsedMb } = this.#gpu;
    onSample({ atMs, ...measured, gpuUtilization: measured.gpuUtilization ?? gpuUtilization, gpuMemoryUsedMb });
    return true;
  }

  #askGpu(): void {
    const { nvidiaSmi, commandTimeoutMs } = this.#config;
    if (performance.now() - this.#askedGpuAtMs < nvidiaSmiPeriodMs) return;
    this.#askedGpuAtMs = performance.now();
    const query = ["--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"];
    void runCommand([...nvidiaSmi, ...query], commandTimeoutMs).then((outcome) => {
      this.#gpu = parseNvidiaSmi(outcome.exitCode === 0 ? outcome.output : "");
    });
  }
}
