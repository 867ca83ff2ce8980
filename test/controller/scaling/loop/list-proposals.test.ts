import { expect, test } from "bun:test";
import type { ScalingFigures } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { listProposals } from "#controller/scaling/loop/list-proposals.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";

const config = { capacityPerReplicaQps: 350, targetUtilization: 0.8, stabilizationMs: 600_000, maxReplicas: 20 };
const figures: ScalingFigures = {
  ...{ peakQps: 812, windowPeakQps: 1200, need: 3, windowNeed: 5, activeCount: 2, availableCount: 6, carriedQps: 560 },
};

test("every rule's own word is listed; what can't say anything is null", () => {
  const seen = { liveQps: 100, forecastPeakQps: null, candidates: [] };
  expect(listProposals(seen, figures, null, undefined, config).proposals).toEqual([
    { rule: "present rate", agents: 1 },
    { rule: "forecast", agents: null },
    { rule: "highest of the last 10 min", agents: 5 },
  ]);
  expect(listProposals(seen, figures, null, { devices: 2 }, config).proposals.at(-1)).toEqual({
    ...{ rule: "fleet plan", agents: 2 },
  });
});

test.each<[string, Partial<ScalingFigures>, object[]]>([
  ["nothing", { windowNeed: 3 }, []],
  ["what was needed lately", {}, [{ by: "stabilisation", from: 3, to: 5 }]],
  ["the minimum", { need: 4, windowNeed: 4 }, [{ by: "minimum", from: 3, to: 4 }]],
  ["what is available", { need: 2, windowNeed: 2 }, [{ by: "available agents", from: 3, to: 2 }]],
])("limited by %s", (_name, given, limitedBy) => {
  const seen = { liveQps: 100, forecastPeakQps: 812, candidates: [] };
  expect(listProposals(seen, { ...figures, ...given }, null, undefined, config).limitedBy).toEqual(limitedBy as never);
});

test("a policy's rules and limits are its own", () => {
  const scaling = {
    policy: "factory",
    acts: true,
    replicas: 8,
    limitedBy: [{ by: "schedule-floor", from: 3, to: 8 }],
    proposals: {
      load: { qps: 100, replicas: 1 },
      triggers: {
        proposals: [
          { metric: "queue", kind: "replicas", replicas: 3, ratio: 1 },
          { metric: "orders", kind: "failed", rule: "not-fetched" },
        ],
      },
      prediction: { need: 3 },
      schedules: {},
    },
  } as unknown as ScalingDecision;
  const listed = listProposals(
    { liveQps: 100, forecastPeakQps: 812, candidates: [] },
    figures,
    scaling,
    undefined,
    config,
  );
  expect(listed.proposals.slice(3)).toEqual([
    { rule: "policy factory: present rate", agents: 1 },
    { rule: "policy factory: trigger queue", agents: 3 },
    { rule: "policy factory: trigger orders", agents: null },
    { rule: "policy factory: forecast", agents: 3 },
  ]);
  expect(listed.limitedBy).toEqual([
    { by: "stabilisation", from: 3, to: 5 },
    { by: "schedule-floor", from: 3, to: 8 },
    { by: "available agents", from: 8, to: 6 },
  ]);
});
