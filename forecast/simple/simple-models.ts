import { dayMs } from "#platform/time.ts";
import { type Baseline, lastValue, movingAverage, seasonalNaive } from "./baselines.ts";
import { createHoltWintersModel } from "./holt-winters.ts";
import type { RateModel } from "./rate-model.ts";
import { createRidgeModel } from "./ridge-model.ts";

const fromBaseline = (name: string, baseline: Baseline): RateModel => ({
  name,
  forecast: ({ qps }, steps) => (qps.length === 0 ? null : baseline(qps, steps)),
});

/** Creates every path forecaster but the network, each with a memory of its own. */
export function createSimpleModels(): RateModel[] {
  return [
    fromBaseline("last-value", lastValue),
    fromBaseline("moving-average-5", movingAverage(5)),
    fromBaseline("moving-average", movingAverage(30)),
    {
      name: "seasonal-naive",
      forecast: ({ qps, stepMs }, steps) => seasonalNaive(qps, steps, Math.round(dayMs / stepMs)),
    },
    createHoltWintersModel(),
    createRidgeModel({ name: "ridge", normalised: false }),
    createRidgeModel({ name: "ridge+", normalised: true }),
  ];
}
