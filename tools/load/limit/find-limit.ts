import type { LoadTargets } from "../load-targets.ts";
import { decideNextRate, type JudgedRate, type NextRate, type SearchBounds } from "./decide-next-rate.ts";
import { decideStepVerdict, type StepVerdict } from "./decide-step-verdict.ts";
import { requestsNeeded } from "./sample-size.ts";
import { joinSamples, type StepSample } from "./step-sample.ts";

const minStepMs = 5_000;
const maxStepMs = 60_000;
/** Precision of the rate: 4 %. */
const precision = 1.04;
export const minRate = 0.5;

export interface LimitStep {
  readonly sample: StepSample;
  readonly verdict: StepVerdict;
}

export interface LimitSearch {
  readonly steps: readonly LimitStep[];
  readonly end:
    | Extract<NextRate, { kind: "end" }>
    /** time: the next step would end after the time limit; stopped: a signal came. */
    | { readonly kind: "end"; readonly rule: "time" | "stopped" };
}

export interface LimitSearchParts {
  readonly targets: LoadTargets;
  readonly startRate: number;
  readonly maxRate: number;
  readonly maxTimeMs: number;
  /** Time that a step takes besides what it measures: warm-up and cool-down. */
  readonly overheadMs: number;
  readonly nowMs: () => number;
  /** Warms up, measures for `durationMs` and lets the server cool down. May end early once `decided` says that more would not change the verdict. */
  readonly measure: (rate: number, durationMs: number, decided: (sample: StepSample) => boolean) => Promise<StepSample>;
  readonly stopped: () => boolean;
  readonly onStep: (step: LimitStep) => void;
}

/** Newest verdict of each rate. */
export function judgedRates(steps: readonly LimitStep[]): JudgedRate[] {
  const rates = new Map<number, JudgedRate>();
  for (const { sample, verdict } of steps) {
    const { rate } = sample;
    rates.set(rate, { rate, kind: verdict.kind, times: (rates.get(rate)?.times ?? 0) + 1 });
  }
  return [...rates.values()];
}

/** Time in which enough requests come for the targets' quantiles. */
function firstStepMs(rate: number, targets: LoadTargets): number {
  return Math.min(maxStepMs, Math.max(minStepMs, (1_000 * requestsNeeded(targets)) / rate));
}

/**
 * Searches the highest rate at which the targets are kept. A step whose verdict is not certain is measured for longer, up to a minute in all; a
 * step that surely misses ends early.
 */
export async function findLimit(parts: LimitSearchParts): Promise<LimitSearch> {
  const { targets, measure, nowMs, overheadMs } = parts;
  const endMs = nowMs() + parts.maxTimeMs;
  const bounds: SearchBounds = { startRate: parts.startRate, minRate, maxRate: parts.maxRate, precision };
  const steps: LimitStep[] = [];
  const fits = (durationMs: number) => nowMs() + overheadMs + durationMs <= endMs;
  const decided = (sample: StepSample) => {
    const { kind, certain } = decideStepVerdict(sample, targets);
    return kind === "missed" && certain;
  };

  const step = async (rate: number, firstMs: number): Promise<LimitStep> => {
    let sample = await measure(rate, firstMs, decided);
    let verdict = decideStepVerdict(sample, targets);
    for (let moreMs = firstMs; !verdict.certain && !parts.stopped(); moreMs *= 2) {
      const durationMs = Math.min(moreMs, maxStepMs - sample.durationMs);
      if (durationMs < minStepMs || !fits(durationMs)) break;
      sample = joinSamples(sample, await measure(rate, durationMs, decided));
      verdict = decideStepVerdict(sample, targets);
    }
    return { sample, verdict };
  };

  for (;;) {
    const next = decideNextRate(judgedRates(steps), bounds);
    if (next.kind === "end") return { steps, end: next };
    const durationMs = firstStepMs(next.rate, targets);
    if (!fits(durationMs)) return { steps, end: { kind: "end", rule: "time" } };
    const measured = await step(next.rate, durationMs);
    if (parts.stopped()) return { steps, end: { kind: "end", rule: "stopped" } };
    steps.push(measured);
    parts.onStep(measured);
  }
}
