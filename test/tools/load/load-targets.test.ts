import { expect, test } from "bun:test";
import { judgeLoad } from "#tools/load/judge-load.ts";
import { type LoadTargets, limitErrors, parseTargets } from "#tools/load/load-targets.ts";
import type { WatchedProcesses } from "#tools/load/watch/watch-processes.ts";

const none: LoadTargets = { latencyMs: {}, flatMemory: false };

const read: [string, LoadTargets][] = [
  ["", none],
  ["p95=30ms,errors=0,rate=50", { ...none, latencyMs: { p95: 30 }, errors: { kind: "count", value: 0 }, rate: 50 }],
  [" p50=1.5 , max=2s ", { ...none, latencyMs: { p50: 1.5, max: 2000 } }],
  ["failures=0.1%,memory=flat", { ...none, failures: { kind: "share", value: 0.001 }, flatMemory: true }],
];
test.each(read)("%p", (text, targets) => expect(parseTargets(text)).toEqual(targets));

test.each([
  "p95",
  "p95=",
  "p95=fast",
  "p90=3ms",
  "errors=-1",
  "errors=few",
  "rate=50rps",
  "rate=1e3",
  "memory=small",
  "x=1",
  "p95=30=40",
  "errors=1,errors=2",
  "memory=flat,memory=flat",
  "constructor=1",
])("%p is bad usage", (text) => expect(() => parseTargets(text)).toThrow("--target: expected"));

const run = {
  answered: 90,
  errors: { "HTTP 429": 9, timeout: 1 },
  rejected: 9,
  failed: 1,
  unanswered: 0,
  latencyMs: { p50: 1, p95: 20, p99: 30, max: 31 },
  durationMs: 10_000,
  phases: [],
  latestSendMs: null,
};
const watched = (kind: "flat" | "growing", gone: number[] = []): WatchedProcesses => ({
  pids: [1],
  cpuS: 1,
  memoryBytes: { first: 1, last: 1, most: 1 },
  memory: { kind, reason: "because", earlyBytes: 1, lateBytes: 1 },
  gone,
});

test.each([
  ["", undefined, 0],
  ["p95=20ms,rate=9,errors=10%,failures=1", undefined, 0],
  ["p95=19ms", undefined, 1],
  ["max=30ms", undefined, 1],
  // A hundredth less than asked for passes.
  ["rate=9.09", undefined, 0],
  ["rate=9.1", undefined, 1],
  ["errors=9", undefined, 1],
  ["errors=9.9%", undefined, 1],
  ["failures=0", undefined, 1],
  ["failures=1%", undefined, 0],
  ["memory=flat", watched("flat"), 0],
  ["memory=flat", watched("growing"), 1],
  ["memory=flat", undefined, 1],
  ["", watched("growing"), 0],
  ["", watched("flat", [7]), 1],
  ["p50=0,rate=10,errors=0", undefined, 3],
] as const)("%p misses", (targets, processes, missed) => {
  expect(judgeLoad(run, 9, processes, parseTargets(targets))).toHaveLength(missed);
});

test.each(["", "p95=1s,rate=1,memory=flat"])("%p: a hundredth may be errors", (text) => {
  expect(limitErrors(parseTargets(text)).errors).toEqual({ kind: "share", value: 0.01 });
});
test.each(["errors=90%", "failures=0"])("%p: no limit of errors is added", (text) => {
  expect(limitErrors(parseTargets(text))).toEqual(parseTargets(text));
});

test("without an answer nothing passes", () => {
  const empty = { ...run, answered: 0, errors: {}, rejected: 0, failed: 0 };
  expect(
    judgeLoad({ ...empty, latencyMs: { p50: null, p95: null, p99: null, max: null } }, 0, undefined, none),
  ).toEqual(["no request was answered"]);
});
