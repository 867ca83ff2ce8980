/** How a model's past forecasts turned out. Sums over every step that came, newer ones weighing more. */
export interface ModelScore {
  readonly name: string;
  /** Past forecasts that were compared with what came. */
  readonly forecasts: number;
  /** Weighted sum of |forecast - actual|. */
  readonly absoluteError: number;
  /** The same sum for "the newest rate goes on", made at the same moments: the common yardstick. */
  readonly lastValueError: number;
  /** Weighted sum of what came. */
  readonly actual: number;
}

export interface ChampionSituation {
  readonly scores: readonly ModelScore[];
  /** Who has a forecast to offer now. */
  readonly available: readonly string[];
  /** Who has been serving; null before the first choice. */
  readonly incumbent: string | null;
  /** Who serves as long as too little is known of it. */
  readonly starter: string;
}

export type ChampionDecision = {
  /** start: nothing is known yet; keep: the incumbent stays; switch: another one takes over. */
  readonly kind: "start" | "keep" | "switch";
  readonly model: string;
  readonly reason: string;
};

/** Fewer compared forecasts than this tell too little of a model. */
export const minForecasts = 30;
/** A challenger must err less than the incumbent by this factor, so that two equals do not take turns. */
const decisiveFactor = 0.97;

/** Error in units of the last value's error; silence, in which nobody can err, counts as equal. */
function relativeError({ absoluteError, lastValueError }: ModelScore): number {
  if (lastValueError > 0) return absoluteError / lastValueError;
  return absoluteError > 0 ? Number.POSITIVE_INFINITY : 1;
}

function describe(score: ModelScore): string {
  const { name, absoluteError, actual } = score;
  return actual > 0 ? `${name} ${((100 * absoluteError) / actual).toFixed(1)} %` : `${name} without traffic`;
}

/**
 * Which model serves: the one whose forecasts, made before what they foretold, came closest to what came (a rolling origin over the newest
 * hours). Models are compared by their error relative to the last value's at the same moments, so that one that joined late is judged fairly.
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
    const compared = scores.find(({ name }) => name === starter)?.forecasts ?? 0;
    const reason = `${compared} of ${minForecasts} forecasts compared with what came`;
    return { kind: "start", model: starter, reason };
  }
  const current = known.find(({ score }) => score.name === (incumbent ?? starter));
  const stays = current !== undefined && best.relative >= decisiveFactor * current.relative;
  const chosen = stays ? current : best;
  const others = known.filter(({ score }) => score.name !== chosen.score.name).slice(0, 3);
  const comparison = others.length === 0 ? "" : `, against ${others.map(({ score }) => describe(score)).join(", ")}`;
  const count = chosen.score.forecasts;
  return {
    kind: chosen.score.name === incumbent ? "keep" : "switch",
    model: chosen.score.name,
    reason: `WAPE of ${count} forecasts, the newest weighing most: ${describe(chosen.score)}${comparison}`,
  };
}
