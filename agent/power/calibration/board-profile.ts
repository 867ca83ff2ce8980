import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

const Amount = Type.Number({ minimum: 0 });

/** Figures of one mode, measured under load. */
export const MeasuredMode = Type.Object(
  {
    id: Type.Integer({ minimum: 0 }),
    name: Type.String({ maxLength: 64 }),
    /** Highest rate, texts per second, whose p95 stayed within the target; 0 when even the lowest rate failed. */
    capacityQps: Amount,
    /** At that rate; null when no rate passed. */
    p95Ms: orNull(Amount),
    /** Mean input power at that rate; null where the board has no power readings. */
    busyWatts: orNull(Amount),
    /** Mean input power with the model loaded and no load. */
    idleWatts: orNull(Amount),
    maxTemperatureC: orNull(Type.Number()),
    measuredAtMs: Type.Integer({ minimum: 0 }),
    /** Reason why the figures can't be true, also when measured again; absent: none known. */
    doubt: Type.Optional(Type.String({ maxLength: 512 })),
  },
  strict,
);
export type MeasuredMode = Static<typeof MeasuredMode>;

/** The modes of a board with one model and one mix of texts. */
export const Calibration = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 128 }),
    /** Mix of texts: short, medium, long or mixed. */
    texts: Type.String({ minLength: 1, maxLength: 64 }),
    targetP95Ms: Type.Number({ exclusiveMinimum: 0 }),
    finishedAtMs: Type.Integer({ minimum: 0 }),
    /** Version of the program that measured. */
    program: Type.String({ maxLength: 64 }),
    modes: Type.Array(MeasuredMode, { minItems: 1, maxItems: 32 }),
  },
  strict,
);
export type Calibration = Static<typeof Calibration>;

/** The file that `thormesh calibrate` writes and the agent reads. */
export const BoardProfile = Type.Object(
  {
    version: Type.Literal(1),
    board: Type.String({ maxLength: 128 }),
    /** At most one for each model and mix of texts. */
    calibrations: Type.Array(Calibration, { maxItems: 256 }),
  },
  strict,
);
export type BoardProfile = Static<typeof BoardProfile>;

/**
 * Adds a calibration to the profile, in place of an older one of the same model and texts. Modes that were left out this time
 * keep their older figures if these were measured against the same target.
 */
export function withCalibration(profile: BoardProfile, calibration: Calibration): BoardProfile {
  const same = ({ model, texts }: Calibration) => model === calibration.model && texts === calibration.texts;
  const older = profile.calibrations.find(same);
  const kept = (older?.targetP95Ms === calibration.targetP95Ms ? older.modes : []).filter(
    ({ id }) => !calibration.modes.some((mode) => mode.id === id),
  );
  const merged = { ...calibration, modes: [...calibration.modes, ...kept] };
  return { ...profile, calibrations: [...profile.calibrations.filter((each) => !same(each)), merged] };
}

/**
 * Returns the most representative calibration for a model: with mixed texts before others, newest first. Null without one of
 * that model: another model's figures would be wrong by an unknown factor.
 */
export function calibrationFor(profile: BoardProfile | null, model: string): Calibration | null {
  const own = (profile?.calibrations ?? []).filter((calibration) => calibration.model === model);
  const rank = ({ texts }: Calibration) => (texts === "mixed" ? 0 : 1);
  return [...own].sort((a, b) => rank(a) - rank(b) || b.finishedAtMs - a.finishedAtMs)[0] ?? null;
}

/**
 * Returns a board's modes with measured figures in place of assumed ones. A mode that was not measured (another name under the same id
 * counts as another mode) keeps its figures; where all capacities are known the most capable mode comes first.
 */
export function applyCalibration(
  modes: readonly PowerModeProfile[],
  calibration: Calibration | null,
): readonly PowerModeProfile[] {
  if (calibration === null) return modes;
  const figuresOf = (mode: PowerModeProfile) =>
    calibration.modes.find(({ id, name }) => id === mode.id && name === mode.name);
  const measured = modes.map((mode, index): PowerModeProfile => {
    const found = figuresOf(mode);
    if (found === undefined) return mode;
    const { busyWatts, idleWatts, doubt } = found;
    // A doubtful mode carries at least what the less capable ones do.
    const lower = doubt === undefined ? [] : modes.slice(index + 1).map((each) => figuresOf(each)?.capacityQps ?? 0);
    const capacityQps = Math.max(found.capacityQps, ...lower);
    return {
      id: mode.id,
      name: mode.name,
      capacityQps,
      busyWatts: busyWatts ?? mode.busyWatts,
      idleWatts: idleWatts ?? mode.idleWatts,
    };
  });
  if (measured.some(({ capacityQps }) => capacityQps === null)) return measured;
  return measured.sort((a, b) => (b.capacityQps ?? 0) - (a.capacityQps ?? 0));
}
