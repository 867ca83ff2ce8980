import { readFile } from "node:fs/promises";
import type { PowerConfig } from "#agent/power/power-config.ts";
import { createPowerFaults, type PowerFaults } from "#agent/power/power-faults.ts";
import { openGate } from "#agent/serving/ports.ts";
import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import { withAllowedModes } from "./allowed-modes.ts";
import type { Device, PowerControl } from "./device.ts";
import { createJetsonControl } from "./jetson-control.ts";
import { readRails } from "./read-sysfs.ts";
import { createSimulatedDevice } from "./simulated-device.ts";
import { SysfsMeter } from "./sysfs-meter.ts";
import { TegrastatsMeter } from "./tegrastats-meter.ts";

/** Major JetPack version by that of its Linux for Tegra release. */
const jetPackByRelease: Readonly<Record<string, string>> = { "32": "4", "34": "5", "35": "5", "36": "6", "38": "7" };

/**
 * Parses the release in /etc/nv_tegra_release ("# R38 (release), REVISION: 2.0, …"), and adds its JetPack where known. Returns null for a
 * text without one.
 */
export function parseRelease(text: string): string | null {
  const match = /\bR(\d+) \(release\), REVISION: ([\d.]+)/.exec(text);
  if (match === null) return null;
  const [, major = "", revision = ""] = match;
  const jetPack = jetPackByRelease[major];
  return `L4T ${major}.${revision}${jetPack === undefined ? "" : ` (JetPack ${jetPack})`}`;
}

/** Control of a machine without nvpmodel. */
export const noModes: PowerControl = {
  modes: async () => [],
  currentMode: async () => null,
  setMode: async () => ({ kind: "failed", reason: "this machine has no power modes" }),
};

/** Machine without power readings and modes: everything else works. */
function createPlainDevice(): Device {
  return {
    kind: "none",
    name: "no Jetson",
    release: null,
    control: noModes,
    meter: { start: async () => {}, stop: async () => {} },
    gate: openGate,
  };
}

const readIfThere = (path: string) => readFile(path, "utf8").catch(() => "");
/** Limit of the birth message. */
const maxNameLength = 128;

/**
 * Opens the board that is configured; `auto` is a Jetson where nvpmodel is found or the kernel has power rails, else a machine without power.
 */
export async function createDevice(
  config: PowerConfig,
  clock: Clock,
  log: Logger,
  faults: PowerFaults = createPowerFaults(log, clock.nowMs),
): Promise<Device> {
  const { jetson } = config;
  const isThere = (command: readonly string[]) => Bun.which(command[0] ?? "") !== null;
  const setsModes = config.board === "jetson" || (config.board === "auto" && isThere(jetson.nvpmodel));
  // Tegrastats comes first: it has more. In a container there may be neither tool, but the kernel's files are.
  const readsFiles = config.board !== "none" && !isThere(jetson.tegrastats) && (await readRails(jetson)).size > 0;
  const limited = (control: PowerControl) => withAllowedModes(control, config.policy, faults);
  if (config.board === "simulated") {
    const device = createSimulatedDevice(config.simulated, clock);
    return { ...device, control: limited(device.control) };
  }
  if (readsFiles)
    log.info({ hwmonPath: jetson.hwmonPath }, "tegrastats is not found: power is read from the kernel's files");
  if (!setsModes && !readsFiles) {
    log.info("no Jetson here (nvpmodel is not found): power is neither measured nor set");
    return createPlainDevice();
  }
  return {
    kind: "jetson",
    name: (await readIfThere(config.jetson.modelPath)).replaceAll("\0", "").trim().slice(0, maxNameLength) || "Jetson",
    release: parseRelease(await readIfThere(config.jetson.releasePath)),
    control: setsModes ? limited(createJetsonControl(jetson, faults)) : noModes,
    meter: readsFiles ? new SysfsMeter(jetson, clock, faults) : new TegrastatsMeter(jetson, clock, faults),
    gate: openGate,
  };
}
