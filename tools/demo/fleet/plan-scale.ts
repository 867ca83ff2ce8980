/** Scales from the trace to the demo's traffic and from the full-size fleet to the demo's fleet. */
export interface DemoScale {
  /** Real requests for each request of the trace. */
  readonly demandFactor: number;
  /** Requests of the full-size fleet that each real request stands for (N). */
  readonly requestsPerRealRequest: number;
  /** Factor 1/N for every capacity and threshold in requests per second. */
  readonly capacityScale: number;
  /** Real requests a real second, on average and in the busiest quarter of an hour. */
  readonly averageRealQps: number;
  readonly peakRealQps: number;
  /** Demand on the full-size fleet in requests a clock second, on average and in the busiest quarter of an hour. */
  readonly averageFleetQps: number;
  readonly peakFleetQps: number;
}

interface ScaleInput {
  /** Requests of the trace in each replayed minute. */
  readonly minuteRequests: readonly number[];
  /** Clock seconds per real second. */
  readonly speed: number;
  /** Capacity of the full-size fleet with every agent active in its most capable mode, requests per second. */
  readonly fleetCapacityQps: number;
  /** Share of that capacity for the busiest quarter of an hour, 0 to 1. */
  readonly peakUtilization: number;
  /** Limits of real requests per second on this machine, on average and in the busiest quarter of an hour. */
  readonly maxAverageRealQps: number;
  readonly maxPeakRealQps: number;
}

const peakMinutes = 15;

/** Highest mean of `peakMinutes` consecutive minutes (of all if there are fewer). */
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
 * Plans two scales. The trace is scaled so that its peak needs `peakUtilization` of the full-size fleet, and only one in N of these requests is
 * sent, so that this machine stays within its limits, with the fleet's capacities divided by the same N. Null without a request in these minutes.
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
