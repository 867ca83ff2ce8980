import { createJetsonControl } from "#agent/power/device/jetson-control.ts";
import { JetsonConfig } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { selfCommand } from "#platform/process/self-command.ts";

/** A process of its own that sets the old mode again when the one that changed it is gone, however it ended. */
export interface BoardGuard {
  /** All is as it was: the guard has nothing to do any more. */
  release(): Promise<void>;
}

const released = "released";
const releaseGraceMs = 5_000;

/** Starts a guard; it waits for this process' end of a pipe, which the kernel closes also when this process is killed. */
export function startBoardGuard(jetson: JetsonConfig, returnToModeId: number): BoardGuard {
  const child = Bun.spawn([...selfCommand(), "calibrate-guard"], {
    env: childEnvironment("worker"),
    stdin: "pipe",
    stdout: "ignore",
    stderr: "inherit",
    // A group of its own: an interrupt at the terminal is for the sweep, which then sets the mode itself.
    detached: true,
  });
  child.stdin.write(`${JSON.stringify({ jetson, returnToModeId })}\n`);
  child.stdin.flush();
  return {
    async release() {
      child.stdin.write(`${released}\n`);
      await child.stdin.end();
      // It has nothing to do any more; one that does not notice must not keep the calibration from its end.
      const kill = setTimeout(() => child.kill("SIGKILL"), releaseGraceMs);
      await child.exited;
      clearTimeout(kill);
    },
  };
}

/** The guard's own process: reads what to return to, and returns to it unless it is released first. */
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
    parseConfig(JetsonConfig, jetson, "the guard's task"),
    createPowerFaults(log, Date.now),
  );
  const result = await control.setMode(returnToModeId);
  if (result.kind === "set") {
    log.warn({ modeId: returnToModeId }, "the calibration was killed: the board is in its old power mode again");
    return 0;
  }
  log.error(
    { modeId: returnToModeId, reason: result.reason },
    "the calibration was killed and left another power mode",
  );
  return 1;
}
