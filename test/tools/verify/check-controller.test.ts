import { expect, test } from "bun:test";
import type { AgentView, FleetView, Health } from "#controller/api/schemas.ts";
import { checkAgents, checkControllerHealth, checkDecision, checkServing } from "#tools/verify/check-controller.ts";

const health = { status: "ok", version: "1.2.3", brokerConnected: true, problems: [] } as unknown as Health;
const agent = (agentId: string, given: Partial<AgentView> = {}) =>
  ({ agentId, status: "online", unavailableReason: null, ...given }) as AgentView;
const fleet = (given: object = {}) =>
  ({
    nowMs: 1_000_000,
    controller: { version: "1.2.3", startedAtMs: 0, brokerConnected: true },
    agents: { total: 2, online: 2, offline: 0, active: 1, standby: 1, draining: 0 },
    latestDecision: { atMs: 970_000, kind: "hold", rule: "enough", reason: "" },
    freeze: null,
    policy: null,
    ...given,
  }) as FleetView;

test.each([
  [health, "ok"],
  [{ ...health, status: "degraded", problems: ["the disk is full"] }, "warn"],
  [{ ...health, brokerConnected: false }, "fail"],
] as const)("health %#: %s", (given, status) => {
  expect(checkControllerHealth(given as Health).status).toBe(status);
});

test.each([
  ["none yet", [], "warn", "none has reported yet"],
  ["all online", [agent("a"), agent("b")], "ok", "2 of 2 online"],
  ["one offline", [agent("a"), agent("b", { status: "offline" })], "warn", "1 of 2 online; offline: b"],
  ["one unable", [agent("a", { unavailableReason: "no model" })], "warn", "1 of 1 online; a: no model"],
  ["all offline", [agent("a", { status: "offline" })], "fail", "0 of 1 online: a"],
] as const)("agents: %s", (_, agents, status, detail) => {
  expect(checkAgents(agents)).toMatchObject({ status, detail });
});

test.each([
  [{}, "ok", "1 active, 1 standby, 0 draining"],
  [{ agents: { total: 2, online: 2, active: 0, standby: 2, draining: 0 } }, "fail", "no agent serves"],
  [{ freeze: { reason: "maintenance", untilMs: null } }, "warn", "frozen: maintenance"],
  [{ policy: { name: "p", mode: "auto", problem: "line 3" } }, "fail", "not in force: line 3"],
] as const)("the fleet %j: %s", (given, status, detail) => {
  expect(checkServing(fleet(given))).toMatchObject({ status, detail: expect.stringContaining(detail) });
});

test.each([
  [{}, "ok", "30 s ago: hold (enough)"],
  [{ latestDecision: { atMs: 600_000, kind: "hold", rule: "enough", reason: "" } }, "warn", "400 s ago"],
  [{ latestDecision: null }, "fail", "none since the start"],
  [{ latestDecision: null, nowMs: 60_000 }, "warn", "none yet"],
] as const)("decisions %j: %s", (given, status, detail) => {
  expect(checkDecision(fleet(given))).toMatchObject({ status, detail: expect.stringContaining(detail) });
});
