/** A forecast as it is compared with the actual rates. */
export interface MadeForecast {
  readonly madeAtMs: number;
  readonly model: string;
  /** Start of the first forecast step. */
  readonly startMs: number;
  readonly stepMs: number;
  /** Texts per second before the forecast: what a scaler had sized for. */
  readonly levelQps: number;
  /** Texts per second in each step. */
  readonly qps: readonly number[];
  /** Expected rate of the highest step; the path's own maximum is nearly always too low. */
  readonly peakQps: number;
  /** 0.95 quantile of the highest step; null where it was unknown. */
  readonly upperPeakQps: number | null;
}

/**
 * Outcome for a rise that calls for more capacity. hit: forecast, and it came one step later or more; miss: it came but was not forecast
 * before it began; false-alarm: forecast but did not come; quiet: neither.
 */
export type RiseOutcome = "hit" | "miss" | "false-alarm" | "quiet";

export interface ForecastOutcome {
  /** Steps with an actual rate. */
  readonly steps: number;
  /** Sums over those steps, texts per second: of |forecast - actual|, of forecast - actual, of actual. */
  readonly absoluteError: number;
  readonly signedError: number;
  readonly actual: number;
  readonly peakForecastQps: number;
  readonly peakActualQps: number;
  /** true: the peak stayed within its 0.95 quantile; null: there was none. */
  readonly covered: boolean | null;
  readonly rise: RiseOutcome;
  /** Start of the rise; null when none came. */
  readonly onsetMs: number | null;
  /** Rate from which on it counts as a rise. */
  readonly riseQps: number;
}

/** A rise by a quarter calls for more capacity in every scaler that aims at 80 % utilisation. */
const riseFactor = 1.25;
/** Counts of a Poisson stream stay within three standard deviations in 99.9 % of the minutes: less than that is no rise. */
const noiseDeviations = 3;

/** Rate above which traffic has risen from `levelQps`: neither a handful of texts nor counting noise makes a rise. */
export function riseThresholdQps(levelQps: number, stepMs: number): number {
  const stepS = stepMs / 1000;
  const noiseQps = Math.sqrt(Math.max(1, levelQps * stepS)) / stepS;
  return Math.max(levelQps * riseFactor, levelQps + noiseDeviations * noiseQps);
}

/** Steps from this length on are means of several minutes themselves. */
const longStepMs = 120_000;

/** First step from which the mean of two steps (of one at the end) reaches the threshold: a single high minute is no rise, a long step is. */
function findOnset(rates: readonly (number | null)[], thresholdQps: number, stepMs: number): number | null {
  for (const [step, rate] of rates.entries()) {
    if (rate === null || rate < thresholdQps) continue;
    const next = stepMs >= longStepMs ? null : (rates[step + 1] ?? null);
    if (next === null || (rate + next) / 2 >= thresholdQps) return step;
  }
  return null;
}

/**
 * Compares a forecast with the actual rates.
 * @param actual the rate in each step; null: not counted.
 * @returns null when less than half of the steps were counted: too little to judge.
 */
export function decideForecastOutcome(made: MadeForecast, actual: readonly (number | null)[]): ForecastOutcome | null {
  let steps = 0;
  let absoluteError = 0;
  let signedError = 0;
  let sum = 0;
  let peakActualQps = 0;
  for (const [step, forecast] of made.qps.entries()) {
    const rate = actual[step] ?? null;
    if (rate === null) continue;
    steps += 1;
    absoluteError += Math.abs(forecast - rate);
    signedError += forecast - rate;
    sum += rate;
    peakActualQps = Math.max(peakActualQps, rate);
  }
  if (steps === 0 || steps < made.qps.length / 2) return null;
  const peakForecastQps = made.peakQps;
  const riseQps = riseThresholdQps(made.levelQps, made.stepMs);
  const wasForecast = peakForecastQps >= riseQps;
  const onset = findOnset(actual.slice(0, made.qps.length), riseQps, made.stepMs);
  const came = onset !== null;
  const rise: RiseOutcome = came ? (wasForecast && onset >= 1 ? "hit" : "miss") : wasForecast ? "false-alarm" : "quiet";
  return {
    steps,
    absoluteError,
    signedError,
    actual: sum,
    peakForecastQps,
    peakActualQps,
    covered: made.upperPeakQps === null ? null : peakActualQps <= made.upperPeakQps,
    rise,
    onsetMs: came ? made.startMs + onset * made.stepMs : null,
    riseQps,
  };
}
