import { join } from "node:path";
import { calibrationFor } from "#agent/power/calibration/board-profile.ts";
import {
  isAlive,
  profileFileName,
  readProfile,
  readSweep,
  sweepFileName,
} from "#agent/power/calibration/profile-file.ts";
import type { CheckResult } from "./check.ts";

const advice = "run thormesh calibrate while no agent serves here";

/**
 * Whether the modes are chosen by what this board was measured to do.
 * @param model the id of the model that is served.
 */
export async function checkProfile(stateDir: string, model: string): Promise<CheckResult> {
  const name = "profile of the power modes";
  const sweep = await readSweep(join(stateDir, sweepFileName));
  if (sweep.kind === "read") {
    const done = sweep.content.done.map((mode) => mode.name).join(", ") || "no mode yet";
    if (isAlive(sweep.content.pid)) return { name, status: "note", detail: `a calibration is at work: ${done} done` };
    return {
      name,
      status: "note",
      detail: `a calibration was interrupted: ${done} done`,
      advice: "run thormesh calibrate to go on with it",
    };
  }
  const read = await readProfile(join(stateDir, profileFileName));
  if (read.kind === "unreadable") return { name, status: "failed", detail: read.reason, advice };
  if (read.kind === "absent")
    return { name, status: "note", detail: "none: modes are chosen by thresholds, or by assumed figures", advice };
  const found = calibrationFor(read.content, model);
  if (found === null) {
    const known = [...new Set(read.content.calibrations.map((calibration) => calibration.model))].join(", ");
    return { name, status: "note", detail: `none of ${model}, only of ${known || "no model"}`, advice };
  }
  const day = new Date(found.finishedAtMs).toISOString().slice(0, 10);
  const modes = found.modes.map((mode) => `${mode.name} ${mode.capacityQps.toFixed(0)} qps`).join(", ");
  return { name, status: "ok", detail: `${found.model}, ${found.texts} texts, ${day}: ${modes}` };
}
