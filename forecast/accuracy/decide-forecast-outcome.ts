/** What was foretold at one moment, as it is compared with what comes. */
export interface MadeForecast {
  readonly madeAtMs: number;
  readonly model: string;
  /** The start of the first step that was forecast. */
  readonly startMs: number;
  readonly stepMs: number;
  /** Texts a second before the forecast: what a scaler had sized for. */
  readonly levelQps: number;
  /** Texts a second in each step. */
  readonly qps: readonly number[];
  /** What the highest step was expected to be: a path's own maximum is nearly always too low. */
  readonly peakQps: number;
  /** What the highest step was to stay below with a probability of 0.95; null where nobody could say. */
  readonly upperPeakQps: number | null;
}

/**
 * Whether a rise that calls for more capacity was foretold and came. hit: both, and it came a step later at the soonest; miss: it came
 * unforetold, or was foretold only when it was there; false-alarm: foretold, and nothing came; quiet: neither.
 */
export type RiseOutcome = "hit" | "miss" | "false-alarm" | "quiet";

export interface ForecastOutcome {
  /** Steps that somebody counted. */
  readonly steps: number;
  /** Sums over those steps, texts a second: of |forecast - actual|, of forecast - actual, of what came. */
  readonly absoluteError: number;
  readonly signedError: number;
  readonly actual: number;
  readonly peakForecastQps: number;
  readonly peakActualQps: number;
  /** Whether the peak stayed within its 0.95 quantile; null where none was given. */
  readonly covered: boolean | null;
  readonly rise: RiseOutcome;
  /** When the rise began; null when none came. */
  readonly onsetMs: number | null;
  /** The rate from which on it is a rise. */
  readonly riseQps: number;
  readonly reason: string;
}

/** A rise of a quarter asks for more capacity in every scaler that aims at 80 % utilisation. */
const riseFactor = 1.25;
/** Counts of a Poisson stream stay within three standard deviations in 99.9 % of the minutes: less than that is no rise. */
const noiseDeviations = 3;

/** The rate above which traffic has risen from `levelQps`, so that neither a handful of texts nor the noise of counting makes a rise. */
export function riseThresholdQps(levelQps: number, stepMs: number): number {
  const stepS = stepMs / 1000;
  const noiseQps = Math.sqrt(Math.max(1, levelQps * stepS)) / stepS;
  return Math.max(levelQps * riseFactor, levelQps + noiseDeviations * noiseQps);
}

/** The first step from which on two steps together (one, at the end) reach the threshold: a single high minute is no rise. */
function findOnset(rates: readonly (number | null)[], thresholdQps: number): number | null {
  for (const [step, rate] of rates.entries()) {
    if (rate === null || rate < thresholdQps) continue;
    const next = rates[step + 1] ?? null;
    if (next === null || (rate + next) / 2 >= thresholdQps) return step;
  }
  return null;
}

/**
 * Compares a forecast with what came.
 * @param actual the rate in each of its steps; null where nobody counted.
 * @returns null when less than half of the steps were counted: that judges nothing.
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
  const foretold = peakForecastQps >= riseQps;
  const onset = findOnset(actual.slice(0, made.qps.length), riseQps);
  const came = onset !== null;
  const rise: RiseOutcome = came ? (foretold && onset >= 1 ? "hit" : "miss") : foretold ? "false-alarm" : "quiet";
  const said = `${peakForecastQps.toFixed(2)} foretold, ${peakActualQps.toFixed(2)} came`;
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
    reason: `${rise}: ${said}, a rise from ${made.levelQps.toFixed(2)} begins at ${riseQps.toFixed(2)} texts/s`,
  };
}
