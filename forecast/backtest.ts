import { UsageError } from "#platform/errors.ts";
import { hourMs } from "#platform/time.ts";
import type { RateSeries } from "./data/training-samples.ts";
import { inputMinutes } from "./data/window-features.ts";
import { poissonFloorPercent } from "./judge/error-measures.ts";
import { type BacktestRow, judgeReplay } from "./judge/judge-replay.ts";
import { judgeRises, type RiseFigures } from "./judge/judge-rises.ts";
import {
  type Replay,
  type ReplayOptions,
  replayForecasts,
  type Served,
  usableOrigins,
} from "./judge/replay-forecasts.ts";

export interface BacktestOptions extends ReplayOptions {
  /** Maximum of judged origins, evenly spread. */
  readonly maxOrigins: number;
}

export interface Backtest {
  readonly origins: number;
  readonly poissonFloorPercent: number | null;
  readonly rows: readonly BacktestRow[];
  /** Rises that the champion's forecasts warned of, or did not. */
  readonly rises: RiseFigures;
  /** Mean share of each model in the champion's path. */
  readonly championShares: Readonly<Record<string, number>>;
  /** Models without a forecast at some origin, because the record before it is too short. */
  readonly leftOut: readonly string[];
  readonly replay: Replay;
}

/** Fewer forecasts in either part are too few to judge by. */
const minOrigins = 20;

/**
 * Replays a series: every model forecasts at origins of the newest 30 %, knowing only the record before each. The older half calibrates the
 * quantiles and the champion, the newer half is judged.
 * @throws UsageError when the series is too short or has too many gaps for both halves.
 */
export function backtest(series: RateSeries, options: BacktestOptions): Backtest {
  const { steps, maxOrigins } = options;
  const length = series.qps.length;
  const middle = Math.floor(length * 0.85);
  const calibrating = usableOrigins(series.qps, Math.floor(length * 0.7), middle, steps, maxOrigins);
  const judged = usableOrigins(series.qps, middle, length, steps, maxOrigins);
  if (calibrating.length < minOrigins || judged.length < minOrigins) {
    throw tooShort(length, options, `${calibrating.length} and ${judged.length}`);
  }
  const origins = [...calibrating, ...judged];
  const { forecasts, served, leftOut } = replayForecasts(series, origins, options);
  const actual = origins.map((origin) => series.qps.slice(origin, origin + steps).map((rate) => rate ?? Number.NaN));
  const replay: Replay = { origins, judgedFrom: calibrating.length, actual, forecasts, served };
  const stepS = options.stepMs / 1000;
  return {
    origins: judged.length,
    poissonFloorPercent: poissonFloorPercent(judged.map((origin) => (series.qps[origin] ?? 0) * stepS)),
    rows: judgeReplay(replay, steps),
    rises: judgeRises(replay, series, options.stepMs),
    championShares: meanShares(served.slice(calibrating.length)),
    leftOut,
    replay,
  };
}

function tooShort(length: number, { steps, stepMs }: BacktestOptions, found: string): UsageError {
  const needed = Math.ceil(Math.max((minOrigins + steps) / 0.15, inputMinutes / 0.7));
  const neededHours = (needed * stepMs) / hourMs;
  return new UsageError(
    `too little traffic to judge: expected ${needed} steps (${neededHours.toFixed(1)} h) without gaps, got ${length}. Each of the newest two parts of 15 % needs ${minOrigins} origins with ${inputMinutes} known steps before and ${steps} after; they have ${found}`,
  );
}

function meanShares(served: readonly Served[]): Record<string, number> {
  const names = new Set(served.flatMap(({ shares }) => Object.keys(shares)));
  const shareOf = (name: string) => served.reduce((sum, { shares }) => sum + (shares[name] ?? 0), 0) / served.length;
  return Object.fromEntries([...names].map((name) => [name, shareOf(name)]));
}
