import type { NextRate } from "./decide-next-rate.ts";

const show = (rate: number): string => `${Number(rate.toPrecision(3))} qps`;

export function explainNextRate(next: NextRate): string {
  switch (next.rule) {
    case "first":
      return "first rate";
    case "repeat":
      return "repeated because it was late once";
    case "lower":
      return `${show(next.failedQps)} was late`;
    case "higher":
      return `${show(next.passedQps)} was in time`;
    case "between":
      return `between ${show(next.passedQps)} and ${show(next.failedQps)}`;
    case "none-passed":
      return `not even ${show(next.failedQps)} is served in time`;
    case "highest-passed":
      return `${show(next.passedQps)}, the highest rate tried, is served in time`;
    case "converged":
      return `${show(next.passedQps)} is served in time, ${show(next.failedQps)} is not`;
    default:
      return next satisfies never;
  }
}
