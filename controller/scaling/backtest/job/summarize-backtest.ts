import { minuteMs } from "#platform/time.ts";
import type { PolicyResult } from "../run-backtest.ts";
import type { BacktestQuestion, BacktestResult } from "./backtest-question.ts";

/** Maximum steps of a result: more than a chart has pixels for is of no use. */
const maxSteps = 480;

/** Reduces a series of minutes to steps. */
function bySteps(values: readonly number[], minutes: number, reduce: (step: readonly number[]) => number): number[] {
  return Array.from({ length: Math.ceil(values.length / minutes) }, (_, step) =>
    reduce(values.slice(step * minutes, (step + 1) * minutes)),
  );
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Shortens the minutes of a backtest to what a chart shows: peaks of the demand stay, and what capacity was lacking. */
export function summarizeBacktest(
  { startMs, rates }: Pick<BacktestQuestion, "startMs" | "rates">,
  results: readonly PolicyResult[],
): BacktestResult {
  const minutes = Math.max(1, Math.ceil(rates.length / maxSteps));
  return {
    ...{ startMs, stepMs: minutes * minuteMs },
    demandQps: bySteps(rates, minutes, (step) => Math.max(...step)),
    results: results.map((result) => ({
      label: result.policy,
      ...{ costUsd: result.costUsd, energyKwh: result.energyKwh, sloMinutes: result.sloMinutes },
      ...{ lostTexts: result.lostRequests, activations: result.activations, utilization: result.utilization },
      capacityQps: bySteps(
        result.minutes.map(({ capacityQps }) => capacityQps),
        minutes,
        (step) => Math.min(...step),
      ),
      unitsOn: bySteps(
        result.minutes.map(({ unitsOn }) => unitsOn),
        minutes,
        mean,
      ),
    })),
  };
}
