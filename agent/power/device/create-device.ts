import { readFile } from "node:fs/promises";
import type { PowerConfig } from "#agent/power/power-config.ts";
import { createPowerFaults, type PowerFaults } from "#agent/power/power-faults.ts";
import { openGate } from "#agent/serving/ports.ts";
import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { Device } from "./device.ts";
import { createJetsonControl } from "./jetson-control.ts";
import { parseRelease } from "./parse-release.ts";
import { createSimulatedDevice } from "./simulated-device.ts";
import { createTegrastatsMeter } from "./tegrastats-meter.ts";

/** A machine whose power is neither known nor set: everything else works. */
function createPlainDevice(): Device {
  return {
    kind: "none",
    name: "no Jetson",
    release: null,
    control: {
      modes: async () => [],
      currentMode: async () => null,
      setMode: async () => ({ kind: "failed", reason: "this machine has no power modes" }),
    },
    meter: { start: async () => {}, stop: async () => {} },
    gate: openGate,
  };
}

const readIfThere = (path: string) => readFile(path, "utf8").catch(() => "");
/** What the fleet is told of a board at most. */
const longestName = 128;

/**
 * The board that configuration names; `auto` is a Jetson where nvpmodel is found, else a machine without power modes.
 * @param faults is told what of it does not work.
 */
export async function createDevice(
  config: PowerConfig,
  clock: Clock,
  log: Logger,
  faults: PowerFaults = createPowerFaults(log, clock.nowMs),
): Promise<Device> {
  const isJetson =
    config.board === "jetson" || (config.board === "auto" && Bun.which(config.jetson.nvpmodel[0] ?? "") !== null);
  if (config.board === "simulated") return createSimulatedDevice(config.simulated, clock);
  if (!isJetson) {
    log.info("no Jetson here (nvpmodel is not found): power is neither measured nor set");
    return createPlainDevice();
  }
  return {
    kind: "jetson",
    name: (await readIfThere(config.jetson.modelPath)).replaceAll("\0", "").trim().slice(0, longestName) || "Jetson",
    release: parseRelease(await readIfThere(config.jetson.releasePath)),
    control: createJetsonControl(config.jetson, faults),
    meter: createTegrastatsMeter(config.jetson, clock, faults),
    gate: openGate,
  };
}
