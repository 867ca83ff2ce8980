import { type Static, Type } from "@sinclair/typebox";
import type { PowerModeProfile } from "#protocol/messages.ts";

const strict = { additionalProperties: false } as const;
const Amount = Type.Number({ minimum: 0 });
const orNull = <T extends typeof Amount>(schema: T) => Type.Union([schema, Type.Null()]);

/** What one mode was seen to do under load. */
export const MeasuredMode = Type.Object(
  {
    id: Type.Integer({ minimum: 0 }),
    name: Type.String({ maxLength: 64 }),
    /** The highest rate, texts a second, whose p95 stayed within the target; 0 = not even the lowest one that was tried. */
    capacityQps: Amount,
    /** At that rate; null when no rate was good enough. */
    p95Ms: orNull(Amount),
    /** Mean input power at that rate; null where the board doesn't tell its power. */
    busyWatts: orNull(Amount),
    /** Mean input power with the model loaded and nothing to do. */
    idleWatts: orNull(Amount),
    maxTemperatureC: Type.Union([Type.Number(), Type.Null()]),
    measuredAtMs: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type MeasuredMode = Static<typeof MeasuredMode>;

/** The modes of a board with one model and one mix of texts. */
export const Calibration = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 128 }),
    /** What the texts were: short, medium, long or mixed. */
    texts: Type.String({ minLength: 1, maxLength: 64 }),
    targetP95Ms: Type.Number({ exclusiveMinimum: 0 }),
    finishedAtMs: Type.Integer({ minimum: 0 }),
    /** Of the program that measured. */
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
 * The profile with one more calibration, in the place of an older one of the same model and texts. Modes that were left out this time
 * keep their older figures when these were held to the same target.
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
 * The calibration that says most of what an agent will see: of its model, with mixed texts before others, the newest first. Null when
 * the board never ran the model: another model's figures would be wrong by an unknown factor.
 */
export function calibrationFor(profile: BoardProfile | null, model: string): Calibration | null {
  const own = (profile?.calibrations ?? []).filter((calibration) => calibration.model === model);
  const rank = ({ texts }: Calibration) => (texts === "mixed" ? 0 : 1);
  return [...own].sort((a, b) => rank(a) - rank(b) || b.finishedAtMs - a.finishedAtMs)[0] ?? null;
}

/**
 * A board's modes with what was measured in place of what was assumed. A mode that was not measured (another name under the same id
 * counts as another mode) keeps its figures; where all capacities are known the most capable comes first.
 */
export function applyCalibration(
  modes: readonly PowerModeProfile[],
  calibration: Calibration | null,
): readonly PowerModeProfile[] {
  if (calibration === null) return modes;
  const measured = modes.map((mode): PowerModeProfile => {
    const found = calibration.modes.find(({ id, name }) => id === mode.id && name === mode.name);
    if (found === undefined) return mode;
    const { capacityQps, busyWatts, idleWatts } = found;
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
