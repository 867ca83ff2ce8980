import { describe, expect, test } from "bun:test";
import type { ActiveAgentsDecision, ScalingFigures } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CloudDecision } from "#controller/scaling/apply-plan/decide-cloud-units.ts";
import { mayCloudShrink, withCloud } from "#controller/scaling/apply-plan/with-cloud.ts";

const figures: ScalingFigures = {
  ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 2, availableCount: 4, carriedQps: 1 },
};
const plan = { costUsd: 1, boundUsd: 1, gap: 0, feasible: true, devices: 2, reasons: [] };
const modes = [{ agentId: "a", mode: "70W" }];
const hold: ActiveAgentsDecision = { kind: "hold", rule: "stabilising", figures, plan };
const out: ActiveAgentsDecision = {
  ...{ kind: "scale-out", rule: "replacement", figures, plan, activate: ["b"], standBy: ["x"], modes },
};
const scaleIn: ActiveAgentsDecision = {
  ...{ kind: "scale-in", rule: "plan", figures, plan, activate: [], standBy: ["a"], modes },
};
const changeModes: ActiveAgentsDecision = {
  ...{ kind: "change-modes", rule: "plan", figures, plan, activate: [], standBy: [], modes },
};
const targets = [{ id: "spot", units: 1, qps: 9, by: "agents" }] as const;
const cloud = (given: Partial<CloudDecision> = {}): CloudDecision => ({
  ...{ activate: [], standBy: [], targets, carriedQps: 0, changes: [], ...given },
});

describe("the devices' decision and the cloud's as one", () => {
  test.each<[string, ActiveAgentsDecision, Partial<CloudDecision>, object]>([
    ["nothing for the cloud", out, {}, { ...out }],
    [
      "units beside a hold",
      hold,
      { activate: ["s"] },
      { kind: "scale-out", rule: "plan", activate: ["s"], standBy: [] },
    ],
    ["units beside devices that start", out, { activate: ["s"] }, { ...out, activate: ["b", "s"] }],
    [
      "units come: no device leaves in the same minute",
      scaleIn,
      { activate: ["s"] },
      { kind: "scale-out", rule: "plan", activate: ["s"], standBy: [], modes },
    ],
    [
      "units beside modes",
      changeModes,
      { activate: ["s"] },
      { kind: "scale-out", rule: "plan", activate: ["s"], modes },
    ],
    [
      "units leave beside a hold",
      hold,
      { standBy: ["s"] },
      { kind: "scale-in", rule: "plan", activate: [], standBy: ["s"] },
    ],
    ["units leave beside modes", changeModes, { standBy: ["s"] }, { kind: "scale-in", standBy: ["s"], modes }],
    ["units wait while devices leave", scaleIn, { standBy: ["s"] }, { ...scaleIn }],
    ["units wait while devices come", out, { standBy: ["s"] }, { ...out }],
  ])("%s", (_name, decision, given, expected) => {
    const together = withCloud(decision, cloud(given));
    expect(together).toMatchObject(expected);
    expect(together).toMatchObject({ figures, plan, cloud: targets });
    if (decision.kind === "hold" && together.kind !== "hold") expect(together).not.toHaveProperty("modes");
  });

  test("a plan is told only where there was one", () => {
    const { plan: _, ...unplanned } = hold;
    expect(withCloud(unplanned as ActiveAgentsDecision, cloud({ activate: ["s"] }))).not.toHaveProperty("plan");
  });

  test("cloud units may leave while no device comes or goes", () => {
    expect([hold, changeModes, out, scaleIn].map(mayCloudShrink)).toEqual([true, true, false, false]);
  });
});
