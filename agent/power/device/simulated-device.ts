import type { KnownMode } from "#agent/power/energy/mode-energy.ts";
import type { SimulatedConfig } from "#agent/power/power-config.ts";
import type { Clock } from "#platform/clock.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { assumedPhysics, type BoardPreset, boardPresets } from "./board-presets.ts";
import type { Device, PowerSample } from "./device.ts";

/**
 * Virtual server that works on one text after another, `1000 / capacityQps` ms each, with a burst ahead of the pace (generic cell rate
 * algorithm, ITU-T I.371, with a delay instead of a refusal).
 * @param burst texts that may come at once without a delay
 */
export function createPace(burst: number) {
  let freeAtMs = Number.NEGATIVE_INFINITY;
  let workMs = 0;
  return {
    /** Takes a turn for `texts` more texts. Returns its delay from `nowMs`. */
    take(texts: number, nowMs: number, capacityQps: number): number {
      const eachMs = 1000 / capacityQps;
      const waitMs = Math.max(0, freeAtMs - burst * eachMs - nowMs);
      freeAtMs = Math.max(freeAtMs, nowMs) + texts * eachMs;
      workMs += texts * eachMs;
      return waitMs;
    },
    giveBack(texts: number, capacityQps: number) {
      const backMs = texts * (1000 / capacityQps);
      freeAtMs -= backMs;
      workMs = Math.max(0, workMs - backMs);
    },
    /** Returns the milliseconds of work taken since the last call, up to `periodMs`; the rest counts for the next call. */
    workedMs(periodMs: number): number {
      const done = Math.min(workMs, periodMs);
      workMs -= done;
      return done;
    },
  };
}

/** Texts that a board takes at once before callers wait: one batch. */
const burstTexts = 8;
/** Minimum sampling period in real time: more would only load the machine that simulates the board. */
const minSampleRealMs = 100;
/** Maximum time between two checks of a waiting caller, in real time: a new mode may have made it free. */
const maxWaitRealMs = 250;

/**
 * Board model: per mode a capacity, watts, and a temperature that follows them. It slows the real serving path down to its capacity.
 * Its parameters are in board-presets.ts.
 */
export function createSimulatedDevice(config: SimulatedConfig, clock: Clock): Device {
  const preset: BoardPreset = boardPresets[config.preset];
  const highestWatts = Math.max(...preset.modes.map((mode) => mode.busyWatts));
  const modeOf = (id: number) => preset.modes.find((mode) => mode.id === id);
  const pace = createPace(burstTexts);
  let mode = modeOf(preset.defaultModeId) as KnownMode;
  let temperatureC: number = config.ambientC;
  let sampledAtMs = 0;
  let sampling: PeriodicTask | undefined;

  const capacityQps = () => {
    const throttled = temperatureC >= assumedPhysics.throttleAboveC ? assumedPhysics.throttledShare : 1;
    const actual = clock.nowMs() >= (config.actualShareFromMs ?? 0) ? config.actualShare : 1;
    return mode.capacityQps * config.capacityScale * actual * throttled;
  };

  const sample = (): PowerSample => {
    const nowMs = clock.nowMs();
    const elapsedMs = Math.max(1, nowMs - sampledAtMs);
    sampledAtMs = nowMs;
    const utilization = pace.workedMs(elapsedMs) / elapsedMs;
    const watts = mode.idleWatts + (mode.busyWatts - mode.idleWatts) * utilization;
    const targetC = config.ambientC + assumedPhysics.fullLoadRiseC * (watts / highestWatts);
    temperatureC += (targetC - temperatureC) * (1 - Math.exp(-elapsedMs / assumedPhysics.thermalTimeConstantMs));
    return {
      atMs: nowMs,
      inputPowerMw: watts * 1000,
      gpuUtilization: utilization,
      gpuMemoryUsedMb: null,
      ramUsedMb: null,
      ramTotalMb: null,
      junctionTemperatureC: temperatureC,
    };
  };

  return {
    kind: "simulated",
    name: preset.name,
    release: null,
    control: {
      modes: async () =>
        preset.modes.map((each) => ({ ...each, capacityQps: each.capacityQps * config.capacityScale })),
      currentMode: async () => ({ id: mode.id, name: mode.name }),
      async setMode(modeId) {
        const wanted = modeOf(modeId);
        if (wanted === undefined) return { kind: "failed", reason: `the board has no mode ${modeId}` };
        await clock.sleep(assumedPhysics.modeSwitchMs);
        mode = wanted;
        return { kind: "set" };
      },
    },
    meter: {
      async start(onSample) {
        sampledAtMs = clock.nowMs();
        const periodMs = Math.max(1000, minSampleRealMs * clock.speed);
        sampling = runPeriodically(
          clock,
          periodMs,
          () => onSample(sample()),
          () => {},
        );
      },
      async stop() {
        await sampling?.stop();
      },
    },
    gate: {
      async enter(texts, signal) {
        signal?.throwIfAborted();
        const capacity = capacityQps();
        let waitMs = pace.take(texts, clock.nowMs(), capacity);
        const maxWaitMs = maxWaitRealMs * clock.speed;
        while (waitMs > 0) {
          await clock.sleep(Math.min(waitMs, maxWaitMs), signal);
          if (signal?.aborted) {
            pace.giveBack(texts, capacity);
            throw signal.reason;
          }
          waitMs -= maxWaitMs * Math.max(1, capacityQps() / capacity);
        }
      },
      msFor: (texts) => (texts * 1000) / (capacityQps() * clock.speed),
    },
  };
}
