import { describe, expect, test } from "bun:test";
import {
  type ActEvidence,
  decideActOutcome,
  type LateAct,
  type ToldAct,
} from "#controller/scaling/loop/decide-act-outcome.ts";
import { explainLateAct } from "#controller/scaling/loop/explain-act-outcome.ts";

const nowMs = 1_000_000;
const serve: ToldAct = { agentId: "a", want: { role: "active" }, version: 3, toldAtMs: nowMs - 60_000 };
const late: ToldAct = { ...serve, toldAtMs: nowMs - 120_001 };
const mode: ToldAct = { ...late, want: { mode: "70W" } };
const desired = { role: "active", powerMode: "70W", version: 3 } as const;
const reported: NonNullable<ActEvidence["reported"]> = {
  desiredVersion: 3,
  role: "active",
  powerMode: "MAXN",
  differs: [],
};
const nothing: ActEvidence = { desired, reported: null, reportedAtMs: null, away: null };
const hot = { field: "powerMode", desired: "70W", reported: "MAXN", reason: "it is too hot" } as const;

describe("what came of an act", () => {
  test.each<[string, ToldAct, Partial<ActEvidence>, object]>([
    ["nothing yet", serve, {}, { kind: "open" }],
    ["reported", serve, { reported, reportedAtMs: nowMs - 56_000 }, { kind: "done", afterMs: 4_000 }],
    ["a report without its time", serve, { reported }, { kind: "done", afterMs: 60_000 }],
    [
      "a clock set back",
      { ...serve, toldAtMs: nowMs + 60_000 },
      { reported, reportedAtMs: nowMs },
      { kind: "done", afterMs: 0 },
    ],
    ["a report of an earlier version", serve, { reported: { ...reported, desiredVersion: 2 } }, { kind: "open" }],
    ["a report of no version", serve, { reported: { ...reported, desiredVersion: null } }, { kind: "open" }],
    ["another role is reported", serve, { reported: { ...reported, role: "standby" } }, { kind: "open" }],
    ["a later version says the same", serve, { desired: { ...desired, version: 5 } }, { kind: "open" }],
    [
      "a later version says otherwise",
      serve,
      { desired: { ...desired, role: "standby", version: 4 } },
      { kind: "overtaken" },
    ],
    ["the same version says otherwise", serve, { desired: { ...desired, role: "standby" } }, { kind: "open" }],
    [
      "taken, but not done, without a word",
      late,
      { reported: { ...reported, role: "standby" } },
      { kind: "late", rule: "not-reported", detail: null, waitedMs: 120_001 },
    ],
    [
      "the first of two reasons",
      mode,
      { reported: { ...reported, differs: [hot, { ...hot, reason: "and something else" }] } },
      { kind: "late", rule: "refused", detail: "it is too hot", waitedMs: 120_001 },
    ],
    ["the last moment", { ...serve, toldAtMs: nowMs - 120_000 }, {}, { kind: "open" }],
    ["too late", late, {}, { kind: "late", rule: "not-reported", detail: null, waitedMs: 120_001 }],
    ["gone", late, { away: "offline" }, { kind: "late", rule: "away", detail: "offline", waitedMs: 120_001 }],
    [
      "to stand by",
      { ...late, want: { role: "standby" } },
      { desired: { ...desired, role: "standby" } },
      { kind: "late", rule: "not-reported", detail: null, waitedMs: 120_001 },
    ],
    [
      "refused",
      mode,
      { reported: { ...reported, differs: [hot] } },
      { kind: "late", rule: "refused", detail: "it is too hot", waitedMs: 120_001 },
    ],
    [
      "a mode that is reported",
      mode,
      { reported: { ...reported, powerMode: "70W" }, reportedAtMs: nowMs },
      { kind: "done", afterMs: 120_001 },
    ],
    ["no document any more", serve, { desired: null }, { kind: "open" }],
  ])("%s", (_name, act, evidence, outcome) => {
    expect(decideActOutcome(act, { ...nothing, ...evidence }, 120_000, nowMs)).toEqual(outcome as never);
  });
});

test.each<[string, ToldAct["want"], LateAct["rule"], string | null, string]>([
  [
    "silence",
    { role: "active" },
    "not-reported",
    null,
    "not reported 3 min after the order; ordered again, while others take its place",
  ],
  [
    "an absence",
    { role: "active" },
    "away",
    "offline",
    "offline, 3 min after the order; ordered again, while others take its place",
  ],
  ["a standby", { role: "standby" }, "not-reported", null, "not reported 3 min after the order; told again"],
  [
    "a refusal",
    { mode: "70W" },
    "refused",
    "it is too hot",
    "3 min after the order it says: it is too hot; still planned for, in its present mode",
  ],
])("the reason of %s", (_name, want, rule, detail, reason) => {
  expect(explainLateAct({ want }, { kind: "late", rule, detail, waitedMs: 120_001 })).toBe(reason);
});
