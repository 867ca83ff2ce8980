import type { BatchDecision } from "./decide-batch.ts";
import type { LaneRule } from "./decide-lane.ts";
import type { LanePlan } from "./decide-lane-plan.ts";

export function explainBatch({ rule, take, paddedTokens, left }: BatchDecision): string {
  switch (rule) {
    case "all-waiting":
      return "all waiting texts";
    case "full":
      return `full: ${take.length} texts of ${paddedTokens} tokens, ${left} wait for the next batch`;
    case "other-lengths":
      return `no more texts of about this length; ${left} of other lengths wait for the next batch`;
  }
}

const laneReasons: Readonly<Record<LaneRule, string>> = {
  "owed-tenant": "a tenant that has had less than its share does not wait for others' batches",
  "full-batch-ahead": "the next full batch is ready when this one is done",
  "wide-busy": "all threads compute one batch",
  "long-queue": "the queue is long: each thread computes a batch",
  "narrow-busy": "each thread has its batches",
  "narrow-not-ready": "the queue is long, but no single-threaded process is ready",
  "short-queue": "the queue is short: all threads compute one batch",
  "no-lane": "the model has no process",
};

export const explainLane = (rule: LaneRule): string => laneReasons[rule];

const planReasons: Readonly<Record<LanePlan["rule"], string>> = {
  cpu: "a CPU: small batches of similar lengths, one process per thread while the queue is long",
  gpu: "a GPU: large batches of a few lengths, the next one ready",
};

export const explainLanePlan = (rule: LanePlan["rule"]): string => planReasons[rule];
