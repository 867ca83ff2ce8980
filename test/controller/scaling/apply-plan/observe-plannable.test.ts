import { describe, expect, test } from "bun:test";
import {
  type AgentState,
  observeBirth,
  observeMinute,
  observePresence,
  observeReported,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CloudOfferConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import { observeCloudUnits, ownDevices } from "#controller/scaling/apply-plan/observe-cloud.ts";
import { observePlannable } from "#controller/scaling/apply-plan/observe-plannable.ts";
import type { Override } from "#controller/store/store.ts";
import type { Desired, Reported } from "#protocol/messages.ts";
import { aBirth, aDesired, aMinute, aPresence, aReported } from "../../../fakes/builders.ts";

const nowMs = 1_000_000;
const prices = { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 };
const candidate = (given: Partial<AgentCandidate> = {}): AgentCandidate => ({
  ...{ agentId: "a", unavailable: null, active: true, capacityQps: 350, energyUsdPerRequest: null, wattsPerQps: null },
  ...{ overrideRole: null, ...given },
});
const override = (given: Partial<Override>): Override => ({
  ...{ agentId: "a", role: null, powerMode: null, powerModeCap: null, createdAtMs: 0, expiresAtMs: 1e12, ...given },
});
const born = (role: "active" | "standby" = "active", birth: Parameters<typeof aBirth>[0] = {}): AgentState => {
  const present = observePresence(unknownAgent("a", nowMs), aPresence({ agentId: "a", role }), nowMs)!;
  return observeBirth(present, aBirth({ agentId: "a", ...birth }), nowMs);
};
const reports = (state: AgentState, given: Partial<Reported>) =>
  observeReported(state, aReported({ agentId: "a", ...given }), nowMs)!;
const aPower = (modeName: string) => ({ ...aMinute().power!, modeName });
const look = (
  state: AgentState,
  given: { candidate?: Partial<AgentCandidate>; desired?: Desired; override?: Override; sinceMs?: number } = {},
) =>
  observePlannable(
    ...([state, candidate(given.candidate), given.desired, given.override, prices] as const),
    ...([given.sinceMs ?? nowMs - 60_000, nowMs] as const),
  );

describe("the state an agent is planned with", () => {
  test.each<[string, Partial<AgentCandidate>, "active" | "standby", string]>([
    ["it serves", {}, "active", "active"],
    ["it is to serve and does not yet", {}, "standby", "starting"],
    ["it stands by", { active: false }, "standby", "standby"],
    ["it is gone", { unavailable: "offline" }, "active", "offline"],
    ["an operator has put it on standby", { overrideRole: "standby" }, "active", "offline"],
    ["an operator wants it", { overrideRole: "active" }, "active", "active"],
  ])("%s", (_name, given, role, expected) => {
    const { plannable, planned } = look(born(role), { candidate: given });
    expect(plannable).toMatchObject({ agentId: "a", board: "Thor", state: expected, stateForS: 60 });
    expect(planned).toMatchObject({
      available: expected !== "offline",
      active: given.active ?? true,
      serves: role === "active",
      roleIsHeld: given.overrideRole !== undefined,
      mayLower: true,
    });
    expect(plannable.staysActive).toBe(given.overrideRole === "active");
  });

  test("its own prices come before the fleet's", () => {
    expect(look(born()).plannable.prices).toEqual(prices);
    const dear = born("active", { prices: { tariffUsdPerKwh: 0.5, amortisationUsdPerHour: null } });
    expect(look(dear).plannable.prices).toEqual({ tariffUsdPerKwh: 0.5, amortisationUsdPerHour: 0.1 });
  });
});

describe("the mode an agent is in", () => {
  const held = aDesired({ version: 2, powerMode: "70W", powerModeUntilMs: nowMs + 1 });
  test.each<[string, AgentState, Desired | undefined, string | null]>([
    ["what it reports", reports(born(), { powerMode: "MAXN" }), undefined, "MAXN"],
    ["what it was told, until it answers", reports(born(), { desiredVersion: 1, powerMode: "MAXN" }), held, "70W"],
    ["what it answers", reports(born(), { desiredVersion: 2, powerMode: "MAXN" }), held, "MAXN"],
    [
      "what it was told has run out",
      reports(born(), { powerMode: "MAXN" }),
      { ...held, powerModeUntilMs: nowMs },
      "MAXN",
    ],
    [
      "what it was told without an end",
      reports(born(), { powerMode: "MAXN" }),
      { ...held, powerModeUntilMs: null },
      "70W",
    ],
    ["what its newest minute says", observeMinute(born(), aMinute({ agentId: "a" }), nowMs).state, undefined, "MAXN"],
    ["neither answer nor minute", born(), held, "70W"],
    [
      "a minute before",
      observeMinute(
        observeMinute(born(), aMinute({ agentId: "a", minuteStartMs: 0, power: aPower("70W") }), nowMs).state,
        aMinute({ agentId: "a", seq: 2 }),
        nowMs,
      ).state,
      undefined,
      "MAXN",
    ],
    [
      "a minute without power",
      observeMinute(born(), aMinute({ agentId: "a", power: null }), nowMs).state,
      undefined,
      null,
    ],
    ["an answer without a mode", reports(born(), { desiredVersion: 2, powerMode: null }), held, "70W"],
    ["not known", born(), undefined, null],
  ])("%s", (_name, state, desired, mode) => {
    const { plannable, planned } = look(state, desired === undefined ? {} : { desired });
    expect([plannable.mode, planned.mode]).toEqual([mode, mode]);
  });
});

describe("the modes a plan may choose from", () => {
  const names = (...given: Parameters<typeof look>) => look(...given).plannable.modes.map(({ name }) => name);
  const differs = { field: "powerMode", desired: "MAXN", reported: "70W", reason: "hot" } as const;

  test("all of the board's; an operator's alone, and none that the board refuses", () => {
    expect(names(born())).toEqual(["MAXN", "70W"]);
    expect(names(born(), { override: override({ powerMode: "70W" }) })).toEqual(["70W"]);
    expect(names(born(), { override: override({ role: "active" }) })).toEqual(["MAXN", "70W"]);
    expect(names(reports(born(), { powerMode: "70W", differs: [differs] }))).toEqual(["70W"]);
    expect(names(reports(born(), { powerMode: "70W", differs: [{ ...differs, field: "role" }] }))).toEqual([
      "MAXN",
      "70W",
    ]);
    const two = [{ ...differs, field: "role" } as const, differs];
    expect(names(reports(born(), { powerMode: "70W", differs: two }))).toEqual(["70W"]);
    const powerModes = [
      ...aBirth().board.powerModes,
      { id: 2, name: "?", capacityQps: null, busyWatts: null, idleWatts: null },
    ];
    const vague = born("active", { board: { ...aBirth().board, powerModes } });
    expect(names(reports(vague, { powerMode: "70W", differs: [differs] }))).toEqual(["70W", "?"]);
    // A mode that no list has: nothing is known of what it may not be.
    expect(names(reports(born(), { powerMode: "15W", differs: [differs] }))).toEqual(["MAXN", "70W"]);
    expect(names(born(), { override: override({ powerMode: "15W" }) })).toEqual(["MAXN", "70W"]);
  });

  test("an operator's mode is held, his role is not a mode", () => {
    expect(look(born(), { override: override({ powerMode: "70W" }) }).planned.modeIsHeld).toBe(true);
    expect(look(born(), { override: override({ role: "active" }) }).planned.modeIsHeld).toBe(false);
  });

  test("what it carries in each mode, in proportion to what is counted on; all of that where the board doesn't say", () => {
    expect([...look(born()).planned.capacityByMode]).toEqual([
      ["MAXN", 350],
      ["70W", 200],
    ]);
    const { planned, plannable } = look(born(), { candidate: { capacityQps: 70 } });
    expect([...planned.capacityByMode]).toEqual([
      ["MAXN", 70],
      ["70W", 40],
    ]);
    expect(plannable.modes.map(({ capacityQps }) => capacityQps)).toEqual([70, 40]);
    const { agentId } = born();
    const usual = { candidate: { capacityQps: 300 } };
    expect([...look(unknownAgent(agentId, nowMs), usual).planned.capacityByMode]).toEqual([["", 300]]);
    const board = { ...aBirth().board, powerModes: [{ ...aBirth().board.powerModes[0]!, capacityQps: null }] };
    expect([...look(born("active", { board }), usual).planned.capacityByMode]).toEqual([["MAXN", 300]]);
    expect(look(unknownAgent(agentId, nowMs)).plannable.board).toBe("unknown");
  });
});

describe("cloud units among the agents", () => {
  const offer = (id: string, agents: string[]) => ({ id, agents }) as unknown as CloudOfferConfig;
  const at = (presence: Parameters<typeof aPresence>[0] | null) => ({
    get: (agentId: string) =>
      presence === null
        ? undefined
        : observePresence(unknownAgent(agentId, 0), aPresence({ agentId, ...presence }), 0)!,
  });
  const units = (given: Partial<AgentCandidate>, presence: Parameters<typeof aPresence>[0] | null = {}) =>
    observeCloudUnits(
      [offer("spot", ["a", "missing"])],
      [candidate(given), candidate({ agentId: "own" })],
      at(presence),
    );

  test("are those the offers name, of what the fleet knows", () => {
    const serving = { agentId: "a", offerId: "spot", available: true, active: true, serves: true, roleIsHeld: false };
    expect(units({})).toEqual([serving]);
    expect(ownDevices([offer("spot", ["a"])], [candidate(), candidate({ agentId: "own" })])).toMatchObject([
      { agentId: "own" },
    ]);
    expect(ownDevices([], [candidate()])).toHaveLength(1);
  });

  test.each<[string, Partial<AgentCandidate>, Parameters<typeof aPresence>[0] | null, object]>([
    ["gone", { unavailable: "offline" }, {}, { available: false, serves: false }],
    ["on standby", { active: false }, {}, { active: false, serves: false }],
    ["not there yet", {}, null, { available: true, active: true, serves: false }],
    ["offline, but can be had", {}, { status: "offline" }, { available: true, serves: false }],
    ["there, and not serving yet", {}, { role: "standby" }, { serves: false }],
    ["put on standby by an operator", { overrideRole: "standby" }, {}, { available: false, roleIsHeld: true }],
    ["held on by an operator", { overrideRole: "active" }, {}, { available: true, serves: true, roleIsHeld: true }],
  ])("one that is %s", (_name, given, presence, expected) => {
    expect(units(given, presence)[0]).toMatchObject(expected);
  });
});
