import { existsSync } from "node:fs";
import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import type { UpdateConfig, UpdatedService } from "./update-config.ts";
import { UpdateError } from "./update-error.ts";

const commandWithinMs = 60_000;

async function run(command: readonly string[]): Promise<void> {
  const outcome = await runCommand(command, commandWithinMs);
  if (outcome.exitCode !== 0) throw new UpdateError(outcomeToText(command, outcome, commandWithinMs));
}

const isSystemd = () => existsSync("/run/systemd/system");

async function isActive(unit: string): Promise<boolean> {
  const { output } = await runCommand(["systemctl", "is-active", unit], commandWithinMs);
  return ["active", "activating", "reloading"].includes(output.trim());
}

/** Services that run now and can be started again by us; the others are none of an update's business. */
export async function runningServices(config: UpdateConfig): Promise<UpdatedService[]> {
  const running: UpdatedService[] = [];
  for (const service of config.services) {
    if (service.unit === null ? config.restartCommand !== null : isSystemd() && (await isActive(service.unit)))
      running.push(service);
  }
  return running;
}

/** Starts services again. @throws UpdateError when that can't be asked for; whether they come up is not waited for */
export async function restartServices(config: UpdateConfig, services: readonly UpdatedService[]): Promise<void> {
  for (const { unit } of services)
    if (unit !== null) {
      // A unit that failed too often would not be started again.
      await runCommand(["systemctl", "reset-failed", unit], commandWithinMs);
      await run(["systemctl", "restart", "--no-block", unit]);
    }
  if (config.restartCommand !== null && services.some(({ unit }) => unit === null)) await run(config.restartCommand);
}
