import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import type { SetModeResult } from "./device.ts";
import { asksForReboot } from "./parse-nvpmodel.ts";

/**
 * Sets a mode by nvpmodel, whose question for a reboot is never answered.
 * @param environment as of {@link runCommand}
 */
export async function runNvpmodel(
  nvpmodel: readonly string[],
  modeId: number,
  timeoutMs: number,
  environment?: Parameters<typeof runCommand>[2],
): Promise<SetModeResult> {
  const command = [...nvpmodel, "-m", String(modeId)];
  const outcome = await runCommand(command, timeoutMs, environment);
  if (asksForReboot(outcome.output))
    return { kind: "reboot-required", reason: `mode ${modeId} needs a reboot, which is never done automatically` };
  if (outcome.kind === "exited" && outcome.exitCode === 0) return { kind: "set" };
  return { kind: "failed", reason: outcomeToText(command, outcome, timeoutMs) };
}
