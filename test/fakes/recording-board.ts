import type { Device, PowerControl, PowerSample, SetModeResult } from "#agent/power/device/device.ts";
import { openGate } from "#agent/serving/ports.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

/** A board that records what is set, takes scripted results, and reads its sensors when a test says so. */
export function createRecordingBoard(modes: readonly PowerModeProfile[]) {
  const state = {
    modeId: (modes.at(-1)?.id ?? null) as number | null,
    sets: [] as number[],
    results: [] as SetModeResult[],
    rebootModes: new Set<number>(),
    modes,
  };
  const control: PowerControl = {
    modes: async () => state.modes.filter(({ id }) => !state.rebootModes.has(id)),
    currentMode: async () => modes.find(({ id }) => id === state.modeId) ?? null,
    async setMode(modeId) {
      state.sets.push(modeId);
      const result = state.results.shift() ?? { kind: "set" };
      if (result.kind === "set") state.modeId = modeId;
      if (result.kind === "reboot-required") state.rebootModes.add(modeId);
      return result;
    },
  };
  let deliver: ((sample: PowerSample) => void) | null = null;
  const device: Device = {
    kind: "simulated",
    name: "a board",
    release: "R1",
    control,
    meter: {
      async start(onSample) {
        deliver = onSample;
      },
      async stop() {
        deliver = null;
      },
    },
    gate: openGate,
  };
  return {
    state,
    control,
    device,
    isMetered: () => deliver !== null,
    read(atMs: number, watts: number | null, change: Partial<PowerSample> = {}) {
      deliver?.({
        atMs,
        inputPowerMw: watts === null ? null : watts * 1000,
        gpuUtilization: null,
        gpuMemoryUsedMb: null,
        ramUsedMb: null,
        ramTotalMb: null,
        junctionTemperatureC: null,
        ...change,
      });
    },
  };
}
