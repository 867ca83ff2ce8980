import { describe, expect, test } from "bun:test";
import { type ActEvidence, decideActOutcome, type ToldAct } from "#controller/scaling/loop/decide-act-outcome.ts";

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
    ["the last moment", { ...serve, toldAtMs: nowMs - 120_000 }, {}, { kind: "open" }],
    [
      "too late",
      late,
      {},
      { kind: "late", reason: "not reported 3 min after it was told; told again, and others take its place" },
    ],
    [
      "gone",
      late,
      { away: "offline" },
      { kind: "late", reason: "offline, 3 min after it was told; told again, and others take its place" },
    ],
    [
      "to stand by",
      { ...late, want: { role: "standby" } },
      { desired: { ...desired, role: "standby" } },
      { kind: "late", reason: "not reported 3 min after it was told; told again" },
    ],
    [
      "refused",
      mode,
      { reported: { ...reported, differs: [hot] } },
      { kind: "late", reason: "3 min after it was told it says: it is too hot; planned on with the mode it is in" },
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
