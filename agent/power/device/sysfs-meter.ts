import type { JetsonConfig } from "#agent/power/power-config.ts";
import type { PowerFaults } from "#agent/power/power-faults.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import type { PowerMeter, PowerSample } from "./device.ts";
import { readSysfs } from "./read-sysfs.ts";

/** Reads the sensors from the kernel's files, where there is no tegrastats: in a container, say. */
export class SysfsMeter implements PowerMeter {
  readonly #config: JetsonConfig;
  readonly #clock: Clock;
  readonly #faults: PowerFaults;
  readonly #abort = new AbortController();
  #done = Promise.resolve();

  constructor(config: JetsonConfig, clock: Clock, faults: PowerFaults) {
    this.#config = config;
    this.#clock = clock;
    this.#faults = faults;
  }

  async start(onSample: (sample: PowerSample) => void): Promise<void> {
    this.#done = this.#run(onSample);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  async #run(onSample: (sample: PowerSample) => void): Promise<void> {
    const { hwmonPath, sampleIntervalMs } = this.#config;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const reading = await readSysfs(this.#config);
      if (signal.aborted) return;
      if (reading === null)
        this.#faults.raise("sensors", `no power rail can be read in ${hwmonPath}`, "energy has a gap until one can");
      else {
        this.#faults.clear("sensors");
        onSample({ atMs: this.#clock.nowMs(), ...reading });
      }
      // The board lives in real time, whatever the clock's speed.
      await systemClock.sleep(sampleIntervalMs, signal);
    }
  }
}
