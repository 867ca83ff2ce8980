import { type BatchDeadline, slackFactor } from "./decide-batch-deadline.ts";

/** Returns the sentence for a person. */
export function explainBatchDeadline({ rule, deadlineMs, tokens, expectedMs }: BatchDeadline): string {
  switch (rule) {
    case "engine-build":
      return "TensorRT may have to build an engine";
    case "unmeasured":
      return "the process has not computed anything yet";
    case "shortest":
      return "the shortest deadline of any batch";
    case "longest":
      return `the longest deadline of any batch, ${deadlineMs / 1000} s`;
    case "measured-speed":
      return `${slackFactor} times the ${Math.ceil(expectedMs ?? 0)} ms that ${tokens} tokens take at the measured speed`;
  }
}
