import { accessSync, constants, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { createDevice, noModes } from "#agent/power/device/create-device.ts";
import type { Device, PowerSample } from "#agent/power/device/device.ts";
import type { PowerConfig } from "#agent/power/power-config.ts";
import { createPowerFaults, type PowerFaultKind, type PowerFaults } from "#agent/power/power-faults.ts";
import { systemClock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import { runCommand } from "#platform/process/run-command.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

const firstSampleMs = 5_000;

/** Reason that the agent's own code found, as it stands in its /health; "" without one. */
function because(faults: PowerFaults, kind: PowerFaultKind): string {
  const fault = faults.list().find((each) => each.fault === kind);
  return fault === undefined ? "" : `: ${fault.reason}`;
}

async function checkModes(device: Device, config: PowerConfig, faults: PowerFaults): Promise<CheckResult> {
  const name = "power modes";
  const [modes, current] = [await device.control.modes(), await device.control.currentMode()];
  if (modes.length === 0) {
    return failed(
      name,
      `no modes found in ${config.jetson.confPath}${because(faults, "mode-list")}`,
      "set power.jetson.confPath to the file that nvpmodel reads",
    );
  }
  if (current === null) {
    return failed(
      name,
      `"${config.jetson.nvpmodel.join(" ")} -q" does not print the current mode${because(faults, "mode-query")}`,
      "run the command by hand and read its output",
    );
  }
  return ok(name, `${modes.map((mode) => mode.name).join(", ")}; now ${current.name}`);
}

/** Name of a user; #uid without an entry in passwd. */
export function userName(uid: number, passwd: string): string {
  const entry = passwd.split("\n").find((line) => line.split(":")[2] === String(uid));
  return entry?.split(":")[0] || `#${uid}`;
}

const rightName = "setting the power mode";
const noRight = (detail: string, advice: string): CheckResult => failed(rightName, detail, advice);

const installHelper =
  "install the power helper: sudo /usr/local/lib/thormesh/install.sh does it on a Jetson; by hand, deploy/thormesh-power.socket and " +
  "deploy/thormesh-power@.service to /etc/systemd/system, then: sudo systemctl enable --now thormesh-power.socket";

/** Checks the power helper's socket; a request would set a mode. */
function checkHelper(socketPath: string, user: string): CheckResult {
  try {
    if (!statSync(socketPath).isSocket()) return noRight(`${socketPath} is not a socket`, installHelper);
    accessSync(socketPath, constants.W_OK);
    return ok(rightName, `${user} can, with the power helper (${socketPath})`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EACCES")
      return noRight(
        `${user} can't use the power helper's socket ${socketPath}`,
        `run the agent as the user of its unit, or add ${user} to the socket's group: sudo usermod --append --groups thormesh-agent ${user}`,
      );
    return noRight(`the power helper is not installed: ${message}`, installHelper);
  }
}

/** Checks that sudo lets a user set modes and nothing else. */
async function checkSudo(path: string, user: string, timeoutMs: number): Promise<CheckResult> {
  const asked = await runCommand(["sudo", "-n", "-l", path, "-m", "0"], timeoutMs);
  if (asked.kind === "not-started")
    return noRight(
      "power.jetson.nvpmodelSet uses sudo, which is not installed",
      `remove power.jetson.nvpmodelSet and ${installHelper}`,
    );
  if (asked.exitCode !== 0)
    return noRight(
      `sudo does not let ${user} run ${path} without a password`,
      `remove power.jetson.nvpmodelSet and ${installHelper}`,
    );
  const more = await runCommand(["sudo", "-n", "-l", path, "-m", "0", "-f", "/nowhere"], timeoutMs);
  if (more.exitCode === 0)
    return noRight(
      `sudo lets ${user} run ${path} with any arguments, including -f FILE, which amounts to root access`,
      `remove the line from /etc/sudoers.d, remove power.jetson.nvpmodelSet and ${installHelper}`,
    );
  return note(
    rightName,
    `${user} can, with sudo`,
    "sudo does not work in a unit with NoNewPrivileges=, as deploy/thormesh-agent.service is; the power helper does",
  );
}

/** Checks the right to set a mode, without setting one. */
async function checkRights(config: PowerConfig): Promise<CheckResult> {
  const { uid } = userInfo();
  const { nvpmodelSet, helperSocket, commandTimeoutMs } = config.jetson;
  if (uid === 0) return ok(rightName, "runs as root");
  const user = userName(uid, await readFile("/etc/passwd", "utf8").catch(() => ""));
  if (nvpmodelSet === null) return checkHelper(helperSocket, user);
  if (nvpmodelSet[0] !== "sudo")
    return noRight(
      `${user} is not root, and nvpmodel -m needs root`,
      `remove power.jetson.nvpmodelSet and ${installHelper}`,
    );
  // The tool is the last word, after sudo and its options.
  const tool = nvpmodelSet.at(-1) ?? "nvpmodel";
  const path = Bun.which(tool) ?? (tool.startsWith("/") ? tool : "/usr/sbin/nvpmodel");
  return await checkSudo(path, user, commandTimeoutMs);
}

async function checkSensors(device: Device, config: PowerConfig, faults: PowerFaults): Promise<CheckResult> {
  const name = "sensors";
  const first = Promise.withResolvers<PowerSample | null>();
  await device.meter.start(first.resolve);
  const timer = setTimeout(() => first.resolve(null), firstSampleMs);
  const sample = await first.promise;
  clearTimeout(timer);
  await device.meter.stop();
  if (sample === null) {
    return failed(
      name,
      `no reading within ${firstSampleMs / 1000} s${because(faults, "sensors")}`,
      `run "${config.jetson.tegrastats.join(" ")}" by hand and read its output`,
    );
  }
  const { inputPowerMw, junctionTemperatureC } = sample;
  if (inputPowerMw === null) {
    return note(name, `this board reports no power: energy is not counted${because(faults, "power-reading")}`);
  }
  return ok(name, `${(inputPowerMw / 1000).toFixed(1)} W, ${junctionTemperatureC ?? "?"} °C`);
}

/** Checks the board and the agent's rights to it. */
export async function checkBoard(config: PowerConfig, log: Logger): Promise<CheckResult[]> {
  // The agent's own device and faults, so that the check says what the agent would report.
  const faults = createPowerFaults(log, systemClock.nowMs);
  const device = await createDevice(config, systemClock, log, faults);
  const name = "board";
  if (device.kind === "none") {
    return [
      note(
        name,
        "this is not a Jetson (nvpmodel was not found): the agent serves and forecasts, but power is neither measured nor controlled, and cost excludes energy",
        "on a Jetson, set power.jetson.nvpmodel to the path of nvpmodel; for trials, use --board simulated",
      ),
    ];
  }
  const board: CheckResult = {
    name,
    status: device.kind === "simulated" ? "note" : "ok",
    detail: [device.name, device.release].filter((part) => part !== null).join(", "),
  };
  if (device.control === noModes) {
    const without = `nvpmodel was not found: power is measured, and the mode stays as it is`;
    return [board, note("power modes", without), await checkSensors(device, config, faults)];
  }
  if (device.kind === "simulated") return [board, await checkModes(device, config, faults)];
  return [
    board,
    await checkModes(device, config, faults),
    await checkRights(config),
    await checkSensors(device, config, faults),
  ];
}
