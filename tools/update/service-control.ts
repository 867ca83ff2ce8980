import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import type { UpdateConfig, UpdatedService } from "./update-config.ts";
import { UpdateError } from "./update-error.ts";

const commandWithinMs = 60_000;

async function run(command: readonly string[]): Promise<void> {
  const outcome = await runCommand(command, commandWithinMs);
  if (outcome.exitCode !== 0) throw new UpdateError(outcomeToText(command, outcome, commandWithinMs));
}

/** Places where it is seen what runs on a machine. */
export interface MachinePlaces {
  /** Directory that is there only where systemd has started the machine. */
  readonly systemd: string;
  /** Directory with the process ids of what scripts/install.sh starts where there is no systemd. */
  readonly run: string;
}

const machinePlaces: MachinePlaces = { systemd: "/run/systemd/system", run: "/run" };

async function isActive(unit: string): Promise<boolean> {
  const { output } = await runCommand(["systemctl", "is-active", unit], commandWithinMs);
  return ["active", "activating", "reloading"].includes(output.trim());
}

/** Process id of the script that keeps a service running without systemd; null: none does. */
function runnerOf({ kind }: UpdatedService, { run }: MachinePlaces): number | null {
  try {
    const pid = Number(readFileSync(join(run, `thormesh-${kind}.run`), "utf8"));
    // The number may be another program's by now.
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`/run-${kind}\0`) ? pid : null;
  } catch {
    return null;
  }
}

/** Services that run now and can be started again by us; the others are none of an update's business. */
export async function runningServices(config: UpdateConfig, places = machinePlaces): Promise<UpdatedService[]> {
  const running: UpdatedService[] = [];
  for (const service of config.services) {
    const { unit } = service;
    if (unit === null) {
      if (config.restartCommand !== null) running.push(service);
    } else if (existsSync(places.systemd) ? await isActive(unit) : runnerOf(service, places) !== null)
      running.push(service);
  }
  return running;
}

/** Starts services again. @throws UpdateError when that can't be asked for; whether they come up is not waited for */
export async function restartServices(
  config: UpdateConfig,
  services: readonly UpdatedService[],
  places = machinePlaces,
): Promise<void> {
  for (const service of services) {
    const { unit } = service;
    if (unit === null) continue;
    if (existsSync(places.systemd)) {
      // A unit that failed too often would not be started again.
      await runCommand(["systemctl", "reset-failed", unit], commandWithinMs);
      await run(["systemctl", "restart", "--no-block", unit]);
    } else {
      const runner = runnerOf(service, places);
      if (runner !== null) process.kill(runner, "SIGUSR1");
    }
  }
  if (config.restartCommand !== null && services.some(({ unit }) => unit === null)) await run(config.restartCommand);
}
