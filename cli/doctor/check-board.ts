import { userInfo } from "node:os";
import { createDevice } from "#agent/power/create-device.ts";
import type { Device, PowerSample } from "#agent/power/device.ts";
import type { PowerConfig } from "#agent/power/power-config.ts";
import { runCommand } from "#agent/power/run-command.ts";
import { systemClock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { CheckResult } from "./check.ts";

const firstSampleMs = 5_000;

async function checkModes(device: Device, config: PowerConfig): Promise<CheckResult> {
  const name = "power modes";
  const [modes, current] = [await device.control.modes(), await device.control.currentMode()];
  if (modes.length === 0) {
    return {
      name,
      status: "failed",
      detail: `no modes found in ${config.jetson.confPath}`,
      advice: "set power.jetson.confPath to the file that nvpmodel reads",
    };
  }
  if (current === null) {
    return {
      name,
      status: "failed",
      detail: `"${config.jetson.nvpmodel.join(" ")} -q" does not say which mode the board is in`,
      advice: "run it by hand and see what it says",
    };
  }
  return { name, status: "ok", detail: `${modes.map((mode) => mode.name).join(", ")}; now ${current.name}` };
}

/** Whether a mode could be set, without setting one. */
async function checkRights(config: PowerConfig): Promise<CheckResult> {
  const name = "right to set the power mode";
  const { uid, username } = userInfo();
  const { nvpmodelSet, nvpmodel, commandTimeoutMs } = config.jetson;
  if (uid === 0) return { name, status: "ok", detail: "runs as root" };
  const path = Bun.which(nvpmodel[0] ?? "") ?? "/usr/sbin/nvpmodel";
  const sudoersLine = `${username} ALL=(root) NOPASSWD: ${path} -m *`;
  if (nvpmodelSet[0] !== "sudo") {
    return {
      name,
      status: "failed",
      detail: `${username} is not root, and nvpmodel -m needs root`,
      advice: `add to /etc/sudoers.d/thormesh: ${sudoersLine}\nand to the configuration: power.jetson.nvpmodelSet: [sudo, -n, ${path}]`,
    };
  }
  const asked = await runCommand(["sudo", "-n", "-l", nvpmodelSet.at(-1) ?? path, "-m", "0"], commandTimeoutMs);
  if (asked.exitCode === 0) return { name, status: "ok", detail: `${username} may, through sudo` };
  return {
    name,
    status: "failed",
    detail: `sudo does not let ${username} run nvpmodel without a password`,
    advice: `add to /etc/sudoers.d/thormesh: ${sudoersLine}`,
  };
}

async function checkSensors(device: Device, config: PowerConfig): Promise<CheckResult> {
  const name = "sensors";
  const first = Promise.withResolvers<PowerSample | null>();
  await device.meter.start(first.resolve);
  const timer = setTimeout(() => first.resolve(null), firstSampleMs);
  const sample = await first.promise;
  clearTimeout(timer);
  await device.meter.stop();
  if (sample === null) {
    return {
      name,
      status: "failed",
      detail: `no reading within ${firstSampleMs / 1000} s`,
      advice: `run "${config.jetson.tegrastats.join(" ")}" by hand and see what it says`,
    };
  }
  const { inputPowerMw, junctionTemperatureC } = sample;
  if (inputPowerMw === null) {
    return { name, status: "note", detail: "this board does not tell its power: energy is not counted" };
  }
  return { name, status: "ok", detail: `${(inputPowerMw / 1000).toFixed(1)} W, ${junctionTemperatureC ?? "?"} °C` };
}

/** The board and what the agent may do with it. */
export async function checkBoard(config: PowerConfig, log: Logger): Promise<CheckResult[]> {
  const device = await createDevice(config, systemClock, log);
  const name = "board";
  if (device.kind === "none") {
    return [
      {
        name,
        status: "note",
        detail:
          "this is no Jetson (nvpmodel is not found): the agent serves and forecasts, power is neither measured nor set, and cost has no energy in it",
        advice: "on a Jetson, set power.jetson.nvpmodel to where nvpmodel is; for trials, --board simulated",
      },
    ];
  }
  const board: CheckResult = {
    name,
    status: device.kind === "simulated" ? "note" : "ok",
    detail: [device.name, device.release].filter((part) => part !== null).join(", "),
  };
  if (device.kind === "simulated") return [board, await checkModes(device, config)];
  return [board, await checkModes(device, config), await checkRights(config), await checkSensors(device, config)];
}
