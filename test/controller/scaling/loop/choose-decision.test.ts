import { describe, expect, test } from "bun:test";
import type { ActiveAgentsDecision, Explained } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { chooseDecision, holdFrozen, withPolicyReason } from "#controller/scaling/loop/choose-decision.ts";

type Decision = Explained<ActiveAgentsDecision>;
const figures = { peakQps: 5 } as unknown as Decision["figures"];
const decision = (kind: string, reason: string, more: object = {}) =>
  ({ kind, rule: "peak", activate: [], standBy: [], figures, reason, ...more }) as unknown as Decision;
const plain = decision("scale-out", "plain");

describe("the plan or the plain rule", () => {
  const change = decision("scale-in", "planned", { plan: "a plan", cloud: "units" });
  const hold = decision("hold", "planned", { plan: "a plan" });

  test.each([
    { name: "no plan", planned: null, missed: null, chosen: plain },
    { name: "a plan that changes something", planned: change, missed: "users wait", chosen: change },
    { name: "a plan that changes nothing", planned: hold, missed: null, chosen: hold },
  ])("$name", ({ planned, missed, chosen }) => {
    expect(chooseDecision(plain, planned, missed)).toEqual(chosen);
  });

  test("a plan that changes nothing is no answer while users wait; it is shown", () => {
    expect(chooseDecision(plain, hold, "users wait")).toEqual({ ...plain, plan: "a plan" } as unknown as Decision);
    const withUnits = { ...hold, cloud: "units" } as unknown as Decision;
    expect(chooseDecision(plain, withUnits, "users wait")).toMatchObject({ reason: "plain", cloud: "units" } as object);
  });
});

test("frozen: what would be done is told", () => {
  const held = { kind: "hold", rule: "frozen", figures } as const;
  expect(holdFrozen(plain, "stocktaking")).toEqual({
    ...held,
    reason: "frozen by an operator: stocktaking; would otherwise: plain",
  });
  expect(holdFrozen(decision("hold", "calm"), "stocktaking").reason).toBe("frozen by an operator: stocktaking");
});

test("a policy that acts is named first", () => {
  const scaling = { policy: "night", reason: "at least 2", acts: true } as unknown as Parameters<
    typeof withPolicyReason
  >[1];
  expect(withPolicyReason(plain, scaling).reason).toBe("policy night: at least 2. So: plain");
  expect(withPolicyReason(plain, { ...scaling, acts: false } as typeof scaling)).toBe(plain);
  expect(withPolicyReason(plain, null)).toBe(plain);
});
