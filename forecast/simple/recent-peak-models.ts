import type { RateModel } from "./rate-model.ts";
import { createRidgeModel } from "./ridge-model.ts";

/** Repeats the highest rate of the last `steps` steps, as most scalers do that look at peaks at all. */
export const recentPeak: RateModel = {
  name: "recent-peak",
  forecast: ({ qps }, steps) =>
    qps.length < steps ? null : new Array<number>(steps).fill(Math.max(...qps.slice(-steps))),
};

/** Creates a ridge regression of the highest coming step, which it forecasts for every step. */
export const createPeakRidge = () => createRidgeModel({ name: "peak-ridge", normalised: false, ofPeak: true });
