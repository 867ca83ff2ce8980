import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { JetsonConfig } from "#agent/power/power-config.ts";
import type { PowerFaults } from "#agent/power/power-faults.ts";
import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { PowerControl, SetModeResult } from "./device.ts";
import { byCapability, parseNvpmodelConf, parseNvpmodelQuery } from "./parse-nvpmodel.ts";
import { runNvpmodel } from "./run-nvpmodel.ts";
import { askPowerHelper } from "./set-mode/ask-power-helper.ts";

/** Way to set modes: a command, or the power helper. */
export type ModeSetter =
  | { readonly kind: "command"; readonly command: readonly string[] }
  | { readonly kind: "helper"; readonly socketPath: string };

/** Returns the configured setter; without one root runs nvpmodel itself, and other users ask the helper if it is installed. */
export function modeSetter({ nvpmodelSet, nvpmodel, helperSocket }: JetsonConfig, isRoot: boolean): ModeSetter {
  if (nvpmodelSet !== null) return { kind: "command", command: nvpmodelSet };
  if (isRoot || !existsSync(helperSocket)) return { kind: "command", command: nvpmodel };
  return { kind: "helper", socketPath: helperSocket };
}

async function runSetter(setter: ModeSetter, modeId: number, timeoutMs: number): Promise<SetModeResult> {
  if (setter.kind === "helper") return await askPowerHelper(setter.socketPath, modeId, timeoutMs);
  return await runNvpmodel(setter.command, modeId, timeoutMs);
}

/** Controls power modes by nvpmodel. A mode that asks for a reboot is left out from then on. */
export function createJetsonControl(config: JetsonConfig, faults: PowerFaults): PowerControl {
  const needReboot = new Set<number>();
  const { commandTimeoutMs } = config;

  const currentMode = async () => {
    const command = [...config.nvpmodel, "-q"];
    const outcome = await runCommand(command, commandTimeoutMs);
    const mode = parseNvpmodelQuery(outcome.output);
    if (mode !== null) faults.clear("mode-query");
    else {
      const reason = outcomeToText(command, outcome, commandTimeoutMs);
      faults.raise("mode-query", reason, "the power mode can't be read; serving goes on");
    }
    return mode;
  };

  return {
    currentMode,
    async modes() {
      let text: string;
      try {
        text = await readFile(config.confPath, "utf8");
      } catch (error) {
        faults.raise("mode-list", (error as Error).message, "no power modes: their list can't be read");
        return [];
      }
      const listed = byCapability(parseNvpmodelConf(text).modes);
      if (listed.length > 0) faults.clear("mode-list");
      else faults.raise("mode-list", `${config.confPath} names no power mode`, "no power modes: the list has none");
      const usable = listed.filter(({ id }) => !needReboot.has(id));
      return usable.map(
        ({ id, name }): PowerModeProfile => ({ id, name, capacityQps: null, busyWatts: null, idleWatts: null }),
      );
    },
    async setMode(modeId): Promise<SetModeResult> {
      const outcome = await runSetter(modeSetter(config, process.geteuid?.() === 0), modeId, commandTimeoutMs);
      if (outcome.kind === "reboot-required") needReboot.add(modeId);
      if (outcome.kind !== "set") return outcome;
      const now = await currentMode();
      if (now === null) return { kind: "failed", reason: "the mode was set, but the present mode can't be read" };
      if (now.id !== modeId) {
        return {
          kind: "failed",
          reason: `mode ${modeId} was set without an error, but the board is in ${now.name} (${now.id})`,
        };
      }
      return { kind: "set" };
    },
  };
}
