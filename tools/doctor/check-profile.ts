import { join } from "node:path";
import { calibrationFor } from "#agent/power/calibration/board-profile.ts";
import { profileFileName, readProfile, readSweep, sweepFileName } from "#agent/power/calibration/profile-file.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

const advice = "run thormesh calibrate while no agent is serving here";

/**
 * Checks for a calibration profile of this board.
 * @param model id of the served model
 */
export async function checkProfile(stateDir: string, model: string): Promise<CheckResult> {
  const name = "calibration profile";
  const sweep = await readSweep(join(stateDir, sweepFileName));
  if (sweep.kind === "read") {
    const done = sweep.content.done.map((mode) => mode.name).join(", ") || "no mode yet";
    if (isProcessAlive(sweep.content.pid)) return note(name, `a calibration is running: ${done} done`);
    return note(name, `a calibration was interrupted: ${done} done`, "run thormesh calibrate to resume it");
  }
  const read = await readProfile(join(stateDir, profileFileName));
  if (read.kind === "unreadable") return failed(name, read.reason, advice);
  if (read.kind === "absent") return note(name, "none: modes are chosen by thresholds or assumed figures", advice);
  const found = calibrationFor(read.content, model);
  if (found === null) {
    const known = [...new Set(read.content.calibrations.map((calibration) => calibration.model))].join(", ");
    return note(name, `none for ${model}, only for ${known || "no model"}`, advice);
  }
  const day = new Date(found.finishedAtMs).toISOString().slice(0, 10);
  const modes = found.modes.map((mode) => `${mode.name} ${mode.capacityQps.toFixed(0)} qps`).join(", ");
  const doubtful = found.modes.flatMap((mode) => mode.doubt ?? []);
  if (doubtful.length > 0)
    return note(
      name,
      `${found.model}, ${day}: in doubt: ${doubtful.join("; ")}`,
      `stop other programs, and ${advice} (--modes measures only some modes)`,
    );
  return ok(name, `${found.model}, ${found.texts} texts, ${day}: ${modes}`);
}
