import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";

const hour = 3_600_000;
const answer = (name: string, input: unknown) => decisions[name]?.answer(input, "x.json");

describe("decisions of a device, from what is known at least", () => {
  test.each([
    ["role", {}, { role: "active", source: "configuration" }],
    ["role", { stopping: true }, { role: "draining", source: "stopping" }],
    ["sleep", { standbySinceMs: 0, servingPeers: 1, nowMs: hour }, { kind: "sleep" }],
    ["sleep", { standbySinceMs: 0, nowMs: hour }, { kind: "stay", reason: /no other agent/ }],
    ["wake", { sleeping: [{ agentId: "b", desiredRole: "active" }, { agentId: "c" }], nowMs: 0 }, ["b"]],
    ["calibration-rate", { search: { firstQps: 100 } }, { kind: "try", rateQps: 100 }],
    [
      "calibration-rate",
      { search: { firstQps: 100 }, trials: [{ rateQps: 100, verdict: "in-time" }] },
      { kind: "try", rateQps: 140 },
    ],
    [
      "profile-correction",
      {
        mode: { id: 0, name: "MAXN", capacityQps: 100, busyWatts: 30, idleWatts: 10 },
        minute: { qps: 0, requests: 0, meanWatts: 13 },
      },
      { capacity: 1, idleWatts: 1.005 },
    ],
  ] as [string, object, object][])("%s %j", (name, input, expected) => {
    const wanted = Object.entries(expected).map(([key, value]) => [
      key,
      value instanceof RegExp ? expect.stringMatching(value) : value,
    ]);
    const given = answer(name, input) as object;
    if (Array.isArray(expected)) expect(given).toEqual(expected);
    else expect(given).toMatchObject(Object.fromEntries(wanted));
    // An array of inputs is answered by an array.
    expect(answer(name, [input, input])).toEqual([given, given]);
  });

  test.each([
    ["role", { role: "boss" }, /role: unknown key/],
    ["sleep", { nowMs: "soon" }, /nowMs: expected number, got "soon"/],
    ["wake", { nowMs: 0 }, /sleeping: expected required property/],
    ["calibration-rate", { search: { firstQps: 1, tolerance: 0 } }, /search\.tolerance/],
    ["profile-correction", { minute: { qps: -1 } }, /minute\.qps/],
  ] as [string, object, RegExp][])("%s refuses %j", (name, input, message) => {
    expect(() => answer(name, input)).toThrow(message);
  });
});
