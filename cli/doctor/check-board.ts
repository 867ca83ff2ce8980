import { readFile } from "node:fs/promises";
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

/** What a line of sudoers calls a user: the name, or #uid where the machine knows none. */
export function sudoersName(uid: number, passwd: string): string {
  const entry = passwd.split("\n").find((line) => line.split(":")[2] === String(uid));
  return entry?.split(":")[0] || `#${uid}`;
}

/** Whether a mode could be set, without setting one. */
async function checkRights(config: PowerConfig): Promise<CheckResult> {
  const name = "right to set the power mode";
  const { uid } = userInfo();
  const { nvpmodelSet, commandTimeoutMs } = config.jetson;
  if (uid === 0) return { name, status: "ok", detail: "runs as root" };
  const user = sudoersName(uid, await readFile("/etc/passwd", "utf8").catch(() => ""));
  // Behind sudo, env and their like stands the tool itself.
  const tool = nvpmodelSet.at(-1) ?? "nvpmodel";
  const path = Bun.which(tool) ?? (tool.startsWith("/") ? tool : "/usr/sbin/nvpmodel");
  const sudoersLine = `add to /etc/sudoers.d/thormesh: ${user} ALL=(root) NOPASSWD: ${path} -m *`;
  const failed = (detail: string, advice: string): CheckResult => ({ name, status: "failed", detail, advice });
  if (nvpmodelSet[0] !== "sudo") {
    const setting = `and to the configuration: power.jetson.nvpmodelSet: [sudo, -n, ${path}]`;
    return failed(`${user} is not root, and nvpmodel -m needs root`, `${sudoersLine}\n${setting}`);
  }
  const asked = await runCommand(["sudo", "-n", "-l", path, "-m", "0"], commandTimeoutMs);
  if (asked.exitCode === 0) return { name, status: "ok", detail: `${user} may, through sudo` };
  if (asked.kind === "not-started")
    return failed("sudo, which is configured, is not installed", `install sudo, and ${sudoersLine}`);
  return failed(`sudo does not let ${user} run ${path} without a password`, sudoersLine);
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
