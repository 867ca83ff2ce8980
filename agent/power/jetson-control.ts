import { readFile } from "node:fs/promises";
import type { Logger } from "#platform/log.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { PowerControl, SetModeResult } from "./device.ts";
import { asksForReboot, byCapability, parseNvpmodelConf, parseNvpmodelQuery } from "./parse-nvpmodel.ts";
import type { JetsonConfig } from "./power-config.ts";
import { type CommandOutcome, runCommand } from "./run-command.ts";

function describeOutcome(command: readonly string[], outcome: CommandOutcome, timeoutMs: number): string {
  const name = command.join(" ");
  const output = outcome.output.trim().split("\n").at(-1) ?? "";
  switch (outcome.kind) {
    case "not-started":
      return `${name} can't be run: ${output}`;
    case "timed-out":
      return `${name} did not end within ${timeoutMs} ms`;
    case "exited":
      return `${name} exited with ${outcome.exitCode}${output === "" ? "" : `: ${output}`}`;
    default:
      return outcome.kind satisfies never;
  }
}

/** Power modes by nvpmodel. A mode that asks for a reboot is left out from then on. */
export function createJetsonControl(config: JetsonConfig, log: Logger): PowerControl {
  const needReboot = new Set<number>();
  const { commandTimeoutMs } = config;
  let saidReason = "";

  const currentMode = async () => {
    const command = [...config.nvpmodel, "-q"];
    const outcome = await runCommand(command, commandTimeoutMs);
    const mode = parseNvpmodelQuery(outcome.output);
    if (mode === null)
      log.debug({ outcome: describeOutcome(command, outcome, commandTimeoutMs) }, "the power mode can't be told");
    return mode;
  };

  return {
    currentMode,
    async modes() {
      let text: string;
      try {
        text = await readFile(config.confPath, "utf8");
      } catch (error) {
        const reason = (error as Error).message;
        if (reason !== saidReason)
          log.error({ path: config.confPath, err: reason }, "no power modes: the list can't be read");
        saidReason = reason;
        return [];
      }
      saidReason = "";
      const usable = byCapability(parseNvpmodelConf(text).modes).filter(({ id }) => !needReboot.has(id));
      return usable.map(
        ({ id, name }): PowerModeProfile => ({ id, name, capacityQps: null, busyWatts: null, idleWatts: null }),
      );
    },
    async setMode(modeId): Promise<SetModeResult> {
      const command = [...config.nvpmodelSet, "-m", String(modeId)];
      const outcome = await runCommand(command, commandTimeoutMs);
      if (asksForReboot(outcome.output)) {
        needReboot.add(modeId);
        return { kind: "reboot-required", reason: `mode ${modeId} needs a reboot, which is never done by itself` };
      }
      if (outcome.kind !== "exited" || outcome.exitCode !== 0) {
        return { kind: "failed", reason: describeOutcome(command, outcome, commandTimeoutMs) };
      }
      const now = await currentMode();
      if (now === null)
        return { kind: "failed", reason: "the mode was set, but the board does not say which it is in" };
      if (now.id !== modeId) {
        return {
          kind: "failed",
          reason: `mode ${modeId} was set without complaint, but the board is in ${now.name} (${now.id})`,
        };
      }
      return { kind: "set" };
    },
  };
}
