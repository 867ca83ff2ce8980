/** How the trace becomes the demo's traffic, and the full-size fleet the demo's fleet. */
export interface DemoScale {
  /** Real requests for each request of the trace. */
  readonly demandFactor: number;
  /** Requests of the full-size fleet that each real request stands for (N). */
  readonly requestsPerRealRequest: number;
  /** 1/N: what every capacity and threshold in requests a second is multiplied by. */
  readonly capacityScale: number;
  /** Real requests a real second, on average and in the busiest quarter of an hour. */
  readonly averageRealQps: number;
  readonly peakRealQps: number;
  /** Requests a second of the clock that the full-size fleet is asked for, on average and in the busiest quarter of an hour. */
  readonly averageFleetQps: number;
  readonly peakFleetQps: number;
}

export interface ScaleInput {
  /** Requests of the trace in each minute that is replayed. */
  readonly minuteRequests: readonly number[];
  /** How many clock seconds pass in a real one. */
  readonly speed: number;
  /** What the full-size fleet can serve with every agent active in its most capable mode, requests a second. */
  readonly fleetCapacityQps: number;
  /** The part of that capacity that the busiest quarter of an hour is to need, 0 to 1. */
  readonly peakUtilization: number;
  /** Real requests a second that this machine is to serve on average and in the busiest quarter of an hour, at most. */
  readonly maxAverageRealQps: number;
  readonly maxPeakRealQps: number;
}

const peakMinutes = 15;

/** The highest mean of `peakMinutes` neighbouring minutes (of all of them when there are fewer). */
function busiestMean(minuteRequests: readonly number[]): number {
  const span = Math.min(peakMinutes, minuteRequests.length);
  let sum = minuteRequests.slice(0, span).reduce((total, requests) => total + requests, 0);
  let best = sum;
  for (let end = span; end < minuteRequests.length; end += 1) {
    sum += (minuteRequests[end] ?? 0) - (minuteRequests[end - span] ?? 0);
    best = Math.max(best, sum);
  }
  return best / span;
}

/**
 * Two scales at once. The trace's shape is stretched so that its peak needs `peakUtilization` of the full-size fleet; and so few of
 * those requests are really sent (one in N) that this machine keeps to its limits, with the fleet's capacities shrunk by the same N.
 * Null when the trace has no request in these minutes.
 */
export function planScale(input: ScaleInput): DemoScale | null {
  const { minuteRequests, speed, fleetCapacityQps } = input;
  const mean = minuteRequests.reduce((total, requests) => total + requests, 0) / Math.max(1, minuteRequests.length);
  const peak = busiestMean(minuteRequests);
  if (!(mean > 0)) return null;
  // A minute of the trace lasts 60 / speed real seconds.
  const realSecondsPerMinute = 60 / speed;
  const demandFactor = Math.min(input.maxAverageRealQps / mean, input.maxPeakRealQps / peak) * realSecondsPerMinute;
  const fleetFactor = (input.peakUtilization * fleetCapacityQps * 60) / peak;
  const requestsPerRealRequest = fleetFactor / demandFactor;
  return {
    demandFactor,
    requestsPerRealRequest,
    capacityScale: 1 / requestsPerRealRequest,
    averageRealQps: (mean * demandFactor) / realSecondsPerMinute,
    peakRealQps: (peak * demandFactor) / realSecondsPerMinute,
    averageFleetQps: (mean * fleetFactor) / 60,
    peakFleetQps: (peak * fleetFactor) / 60,
  };
}
