import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import type { Logger } from "#platform/log.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";
import { record, TimeMs } from "#protocol/bounds.ts";
import type { Birth, PowerModeProfile } from "#protocol/messages.ts";
import { applyCalibration, type Calibration, calibrationFor } from "./board-profile.ts";
import {
  correctionBounds,
  correctMode,
  decideCorrection,
  type ModeCorrection,
  type ObservedMinute,
  uncorrected,
} from "./decide-correction.ts";
import { profileFileName, readProfile, readSweep, sweepFileName } from "./profile-file.ts";

export interface Memory {
  load(): string | null;
  save(text: string): void;
}

/** Origin of a board's figures, for people and for the fleet. */
export interface FiguresOrigin extends NonNullable<Birth["board"]["figures"]> {
  /** Factors learnt in service, by the mode's name. */
  readonly corrections: Readonly<Record<string, ModeCorrection>>;
}

/** Figures of the board's modes: as calibrated and corrected by service, else as the board states them. */
export type BoardFigures = ReturnType<typeof createBoardFigures>;

const Factor = Type.Number({ minimum: correctionBounds.lowest, maximum: correctionBounds.highest });
const Corrections = Type.Object({
  calibratedAtMs: TimeMs,
  byMode: record(64, Type.Object({ capacity: Factor, busyWatts: Factor, idleWatts: Factor }), 256),
});

function recall(memory: Memory): Static<typeof Corrections> | null {
  try {
    const content: unknown = JSON.parse(memory.load() ?? "null");
    return explainMistakes(Corrections, content).length === 0 ? (content as Static<typeof Corrections>) : null;
  } catch {
    return null; // unreadable corrections are learnt again
  }
}

/** Nothing is read before `refresh`. @param options.model id of the served model, read at every refresh */
export function createBoardFigures(options: {
  readonly stateDir: string;
  readonly model: () => string;
  readonly memory: Memory;
  readonly log: Logger;
}) {
  const { stateDir, memory, log } = options;
  const profilePath = join(stateDir, profileFileName);
  const sweepPath = join(stateDir, sweepFileName);
  let calibration: Calibration | null = null;
  let corrections = new Map<string, ModeCorrection>();
  let readVersion = "";

  const adopt = (next: Calibration | null) => {
    calibration = next;
    const kept = next === null ? null : recall(memory);
    corrections = new Map(kept?.calibratedAtMs === next?.finishedAtMs ? Object.entries(kept?.byMode ?? {}) : []);
  };

  return {
    /** Reads the profile again when its file has changed. Never rejects. */
    async refresh(): Promise<void> {
      const model = options.model();
      const version = await stat(profilePath).then(
        ({ mtimeMs, size, ino }) => `${model} ${mtimeMs} ${size} ${ino}`,
        () => "absent",
      );
      if (version === readVersion) return;
      readVersion = version;
      const read = await readProfile(profilePath);
      if (read.kind === "unreadable") log.error({ reason: read.reason }, "the board's profile can't be used");
      const found = read.kind === "read" ? calibrationFor(read.content, model) : null;
      if (read.kind === "read" && found === null)
        log.warn({ model, path: profilePath }, "the board's profile lacks this model: run thormesh calibrate");
      if (found !== null)
        log.info(
          { model, texts: found.texts, modes: found.modes.length },
          "choosing power modes by this board's profile",
        );
      adopt(found);
    },
    apply(modes: readonly PowerModeProfile[]): readonly PowerModeProfile[] {
      return applyCalibration(modes, calibration).map((mode) =>
        correctMode(mode, corrections.get(mode.name) ?? uncorrected),
      );
    },
    /** Corrects a mode's figures by a minute spent in it from end to end. */
    observe(modeId: number, minute: ObservedMinute) {
      const measured = calibration?.modes.find(({ id }) => id === modeId);
      if (calibration === null || measured === undefined) return;
      const before = corrections.get(measured.name) ?? uncorrected;
      const after = decideCorrection(measured, before, minute, calibration.targetP95Ms);
      if (Object.entries(after).every(([key, factor]) => before[key as keyof ModeCorrection] === factor)) return;
      corrections.set(measured.name, after);
      memory.save(
        JSON.stringify({ calibratedAtMs: calibration.finishedAtMs, byMode: Object.fromEntries(corrections) }),
      );
    },
    origin: (): FiguresOrigin => ({
      kind: calibration === null ? "board" : "calibrated",
      model: calibration?.model ?? null,
      texts: calibration?.texts ?? null,
      targetP95Ms: calibration?.targetP95Ms ?? null,
      calibratedAtMs: calibration?.finishedAtMs ?? null,
      corrections: Object.fromEntries(corrections),
    }),
    /** Returns the reason to leave the board alone while a calibration uses it; null when it is free. */
    async busyReason(): Promise<string | null> {
      const sweep = await readSweep(sweepPath);
      if (sweep.kind !== "read" || sweep.content.pid === process.pid || !isProcessAlive(sweep.content.pid)) return null;
      return `thormesh calibrate is using the board (process ${sweep.content.pid})`;
    },
  };
}
