import { createPace } from "#agent/power/mode/pace.ts";
import type { SimulatedConfig } from "#agent/power/power-config.ts";
import type { Clock } from "#platform/clock.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { assumedPhysics, type BoardPreset, boardPresets, type SimulatedMode } from "./board-presets.ts";
import type { Device, PowerSample } from "./device.ts";

/** Texts that a board takes at once before it makes callers wait: what a batch holds. */
const burstTexts = 8;
/** Sampling more often than this in real time would only load the machine that plays the board. */
const shortestSampleRealMs = 100;
/** Waiting callers look again this often, in real time: a new mode may have freed their turn. */
const longestWaitRealMs = 250;

/**
 * A board model: per mode a capacity, watts and a temperature that follows them. It holds the real serving path back to its capacity.
 * Its parameters, and what of them is assumed, are in board-presets.ts.
 */
export function createSimulatedDevice(config: SimulatedConfig, clock: Clock): Device {
  const preset: BoardPreset = boardPresets[config.preset];
  const highestWatts = Math.max(...preset.modes.map((mode) => mode.busyWatts));
  const modeOf = (id: number) => preset.modes.find((mode) => mode.id === id);
  const pace = createPace(burstTexts);
  let mode: SimulatedMode = modeOf(preset.defaultModeId) as SimulatedMode;
  let temperatureC: number = config.ambientC;
  let sampledAtMs = 0;
  let sampling: PeriodicTask | undefined;

  const capacityQps = () => {
    const throttled = temperatureC >= assumedPhysics.throttleAboveC ? assumedPhysics.throttledShare : 1;
    return mode.capacityQps * config.capacityScale * throttled;
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
        preset.modes.map((each) => ({
          id: each.id,
          name: each.name,
          capacityQps: each.capacityQps * config.capacityScale,
          busyWatts: each.busyWatts,
          idleWatts: each.idleWatts,
        })),
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
        const periodMs = Math.max(1000, shortestSampleRealMs * clock.speed);
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
        const longestWaitMs = longestWaitRealMs * clock.speed;
        while (waitMs > 0) {
          await clock.sleep(Math.min(waitMs, longestWaitMs), signal);
          if (signal?.aborted) {
            pace.giveBack(texts, capacity);
            throw signal.reason;
          }
          waitMs -= longestWaitMs * Math.max(1, capacityQps() / capacity);
        }
      },
    },
  };
}
