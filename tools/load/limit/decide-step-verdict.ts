import type { Bound, LoadTargets } from "../load-targets.ts";
import { shareBounds, sliceCount } from "./share-bounds.ts";
import { quantileOf, type StepSample } from "./step-sample.ts";

/** Target by which a step is judged; queue: answers must not take ever longer. */
export type StepTarget = "p50" | "p95" | "p99" | "max" | "errors" | "failures" | "queue";

export interface TargetVerdict {
  readonly target: StepTarget;
  readonly kept: boolean;
  /** False: at this sample size it could as well be the other way. */
  readonly certain: boolean;
  /** Measured: ms, a share, a count, or for `queue` ms that latency grows in a second. */
  readonly value: number;
  readonly limit: number;
  readonly unit: "ms" | "share" | "count" | "ms/s";
}

export interface StepVerdict {
  /** late: a target was missed because this program was late to send. */
  readonly kind: "kept" | "missed" | "late";
  readonly certain: boolean;
  readonly targets: readonly TargetVerdict[];
}

const quantiles = { p50: 0.5, p95: 0.95, p99: 0.99, max: 1 } as const;
/** Growth of latency that shows more load than is served: 2 % too much make each second 20 ms slower. */
const maxGrowth = 0.02;
/** One-sided 95 % quantile of Student's distribution with eight degrees of freedom. */
const student95 = 1.86;
/** Number of requests in a slice from which its median means something. */
const minSlice = 5;
/** Lateness beyond this share of the smallest latency target sends requests in bunches that the plan does not have. */
const maxLateShare = 0.5;
const lateLimitWithoutTargetMs = 50;

const isRefusal = (outcome: string) => outcome === "HTTP 429" || outcome === "gRPC RESOURCE_EXHAUSTED";

type Requests = StepSample["requests"];

function judgeLatency(
  requests: Requests,
  name: keyof typeof quantiles,
  limit: number,
  latencyOf: (request: Requests[number]) => number,
): TargetVerdict {
  const latencies = requests.map(latencyOf);
  const value = quantileOf(latencies, quantiles[name]) ?? Number.POSITIVE_INFINITY;
  const kept = value <= limit;
  const about = { target: name, kept, value, limit, unit: "ms" } as const;
  if (name === "max") return { ...about, certain: requests.length > 0 };
  const allowed = 1 - quantiles[name];
  const over = shareBounds(latencies.map((ms) => ms > limit));
  return { ...about, certain: kept ? over.upper <= allowed : over.lower > allowed };
}

function judgeErrors(requests: Requests, target: "errors" | "failures", limit: Bound): TargetVerdict {
  const marks = requests.map(({ outcome }) => outcome !== "ok" && (target === "errors" || !isRefusal(outcome)));
  const count = marks.filter((hit) => hit).length;
  if (limit.kind === "count") {
    return { target, kept: count <= limit.value, certain: true, value: count, limit: limit.value, unit: "count" };
  }
  const { share, lower, upper } = shareBounds(marks);
  const kept = share <= limit.value;
  // That no request failed is all that a step can show of a small share.
  const certain = kept ? upper <= limit.value || count === 0 : lower > limit.value;
  return { target, kept, certain, value: share, limit: limit.value, unit: "share" };
}

/** Judges by the line through the slices' medians: it must not surely rise by more than `maxGrowth`. */
function judgeQueue(requests: Requests, durationMs: number, latencyOf: (request: Requests[number]) => number) {
  const slices = Array.from({ length: sliceCount }, (): number[] => []);
  for (const request of requests) {
    slices[Math.min(sliceCount - 1, Math.floor((sliceCount * request.dueMs) / durationMs))]?.push(latencyOf(request));
  }
  const about = { target: "queue", limit: 1_000 * maxGrowth, unit: "ms/s" } as const;
  if (slices.some(({ length }) => length < minSlice)) return { ...about, kept: true, certain: true, value: 0 };
  const medians = slices.map((slice) => quantileOf(slice, 0.5) ?? 0);
  const middle = (sliceCount - 1) / 2;
  const mean = medians.reduce((sum, each) => sum + each, 0) / sliceCount;
  const spread = medians.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  const slope = medians.reduce((sum, each, i) => sum + (i - middle) * (each - mean), 0) / spread;
  const residue = medians.reduce((sum, each, i) => sum + (each - mean - slope * (i - middle)) ** 2, 0);
  const error = Math.sqrt(residue / (sliceCount - 2) / spread);
  const toGrowth = sliceCount / durationMs;
  const kept = (slope - student95 * error) * toGrowth <= maxGrowth;
  return { ...about, kept, certain: true, value: 1_000 * slope * toGrowth };
}

function judgeTargets(
  sample: StepSample,
  targets: LoadTargets,
  latencyOf: (request: Requests[number]) => number,
): TargetVerdict[] {
  const requests = sample.requests.toSorted((a, b) => a.dueMs - b.dueMs);
  const answered = requests.filter(({ outcome }) => outcome === "ok");
  const { errors, failures, latencyMs } = targets;
  return [
    ...Object.entries(latencyMs).map(([name, limit]) =>
      judgeLatency(answered, name as keyof typeof quantiles, limit, latencyOf),
    ),
    ...(errors === undefined ? [] : [judgeErrors(requests, "errors", errors)]),
    ...(failures === undefined ? [] : [judgeErrors(requests, "failures", failures)]),
    judgeQueue(answered, sample.durationMs, latencyOf),
  ];
}

/** Judges whether a server keeps its targets at a rate, and whether the sample suffices to say so. A rate at which this program was too late to
 * tell is neither kept nor missed. */
export function decideStepVerdict(sample: StepSample, targets: LoadTargets): StepVerdict {
  const judged = judgeTargets(sample, targets, ({ latencyMs }) => latencyMs);
  const missed = judged.filter(({ kept }) => !kept);
  if (missed.length === 0) {
    return { kind: "kept", certain: judged.every(({ certain }) => certain), targets: judged };
  }
  const certain = missed.some((each) => each.certain);
  const withoutLateness = judgeTargets(sample, targets, ({ latencyMs, lateMs }) => latencyMs - lateMs);
  const lateMs = quantileOf(
    sample.requests.map((request) => request.lateMs),
    0.95,
  );
  const smallestMs = Math.min(2 * lateLimitWithoutTargetMs, ...Object.values(targets.latencyMs));
  const late = withoutLateness.every(({ kept }) => kept) || (lateMs ?? 0) > maxLateShare * smallestMs;
  return { kind: late ? "late" : "missed", certain, targets: judged };
}
