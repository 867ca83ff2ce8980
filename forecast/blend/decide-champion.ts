/** Score of a model by its past forecasts: sums over every step that was counted, newer ones weighing more. */
export interface ModelScore {
  readonly name: string;
  /** Past forecasts that were compared with the actual rates. */
  readonly forecasts: number;
  /** Weighted sum of |forecast - actual|. */
  readonly absoluteError: number;
  /** The same sum for the last value carried forward from the same moments: the common yardstick. */
  readonly lastValueError: number;
  /** Weighted sum of the actual rates. */
  readonly actual: number;
}

export interface ChampionSituation {
  readonly scores: readonly ModelScore[];
  /** Models with a forecast for now. */
  readonly available: readonly string[];
  /** The model that has been serving; null before the first choice. */
  readonly incumbent: string | null;
  /** The model that serves while too little is known of it. */
  readonly starter: string;
}

export interface ModelError {
  readonly name: string;
  /** null: no traffic to measure it by. */
  readonly wapePercent: number | null;
}

export type ChampionDecision = {
  /** start: the starter serves until it can be compared; keep: the incumbent stays; switch: another model takes over. */
  readonly kind: "start" | "keep" | "switch";
  readonly model: string;
  /** Past forecasts of this model that were compared. */
  readonly forecasts: number;
  /** Errors that the choice rests on, the chosen model's first, then the best three others'; empty at the start. */
  readonly errors: readonly ModelError[];
};

/** Compared forecasts that a model needs before it is judged. */
export const minForecasts = 30;
/** Ratio of errors below which a challenger replaces the incumbent, so that two equals don't take turns. */
const decisiveFactor = 0.97;
const namedChallengers = 3;

/** Error in units of the last value's error. Without traffic no model can err, so all count as equal. */
function relativeError({ absoluteError, lastValueError }: ModelScore): number {
  if (lastValueError > 0) return absoluteError / lastValueError;
  return absoluteError > 0 ? Number.POSITIVE_INFINITY : 1;
}

const errorOf = ({ name, absoluteError, actual }: ModelScore): ModelError => ({
  name,
  wapePercent: actual > 0 ? (100 * absoluteError) / actual : null,
});

/**
 * Chooses the model that serves: the one whose forecasts came closest to the actual rates (a rolling origin over the newest hours). Errors
 * are relative to the last value's at the same moments, so that a model that joined late is judged fairly.
 */
export function decideChampion(situation: ChampionSituation): ChampionDecision {
  const { scores, available, incumbent, starter } = situation;
  const isAvailable = (name: string) => available.includes(name);
  const known = scores
    .filter(({ name, forecasts }) => forecasts >= minForecasts && isAvailable(name))
    .map((score) => ({ score, relative: relativeError(score) }))
    .filter(({ relative }) => !Number.isNaN(relative))
    .sort((a, b) => a.relative - b.relative);
  const best = known[0];
  const starterIsNew = isAvailable(starter) && !known.some(({ score }) => score.name === starter);
  if (best === undefined || starterIsNew) {
    const forecasts = scores.find(({ name }) => name === starter)?.forecasts ?? 0;
    return { kind: "start", model: starter, forecasts, errors: [] };
  }
  const current = known.find(({ score }) => score.name === (incumbent ?? starter));
  const stays = current !== undefined && best.relative >= decisiveFactor * current.relative;
  const chosen = (stays ? current : best).score;
  const challengers = known.map(({ score }) => score).filter(({ name }) => name !== chosen.name);
  return {
    kind: chosen.name === incumbent ? "keep" : "switch",
    model: chosen.name,
    forecasts: chosen.forecasts,
    errors: [chosen, ...challengers.slice(0, namedChallengers)].map(errorOf),
  };
}
