import { createJetsonControl } from "#agent/power/device/jetson-control.ts";
import { JetsonConfig } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { selfCommand } from "#platform/process/self-command.ts";

const released = "released";
const releaseGraceMs = 5_000;

/**
 * Starts a child process that restores the old mode when this process ends for any reason: it waits for the end of a pipe from here, which the
 * kernel closes even when this process is killed.
 */
export function startBoardGuard(jetson: JetsonConfig, returnToModeId: number) {
  const child = Bun.spawn([...selfCommand(), "calibrate-guard"], {
    env: childEnvironment("worker"),
    stdin: "pipe",
    stdout: "ignore",
    stderr: "inherit",
    // In its own process group: Ctrl-C at the terminal is for the sweep, which then restores the mode itself.
    detached: true,
  });
  child.stdin.write(`${JSON.stringify({ jetson, returnToModeId })}\n`);
  child.stdin.flush();
  return {
    /** Ends the guard: the board is in its old mode. */
    async release(): Promise<void> {
      child.stdin.write(`${released}\n`);
      await child.stdin.end();
      // A guard that does not exit must not block the end of the calibration.
      const kill = setTimeout(() => child.kill("SIGKILL"), releaseGraceMs);
      await child.exited;
      clearTimeout(kill);
    },
  };
}

/** Runs the guard's process: reads the mode to restore, and restores it unless released first. */
export async function runBoardGuard(input: AsyncIterable<Uint8Array>): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of input) text += decoder.decode(part, { stream: true });
  const [task = "", last = ""] = text.split("\n");
  if (last === released || task === "") return 0;
  const { jetson, returnToModeId } = JSON.parse(task) as { jetson: unknown; returnToModeId: number };
  const log = createLogger("calibrate", "warn");
  const control = createJetsonControl(
    parseConfig(JetsonConfig, jetson, "the guard's input"),
    createPowerFaults(log, Date.now),
  );
  const result = await control.setMode(returnToModeId);
  if (result.kind === "set") {
    log.warn({ modeId: returnToModeId }, "the calibration was killed: restored the board's power mode");
    return 0;
  }
  log.error(
    { modeId: returnToModeId, reason: result.reason },
    "the calibration was killed: the board's power mode could not be restored",
  );
  return 1;
}
