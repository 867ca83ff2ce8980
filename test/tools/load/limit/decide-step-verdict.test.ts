import { expect, test } from "bun:test";
import { decideStepVerdict } from "#tools/load/limit/decide-step-verdict.ts";
import type { StepSample } from "#tools/load/limit/step-sample.ts";
import { parseTargets } from "#tools/load/load-targets.ts";

type Request = StepSample["requests"][number];

/** `count` requests, evenly over ten seconds; `change` says what is special about one. */
function sampleOf(count: number, change: (index: number) => Partial<Request> = () => ({})): StepSample {
  const requests = Array.from({ length: count }, (_, index) => ({
    dueMs: (10_000 * index) / count,
    outcome: "ok",
    latencyMs: 10,
    lateMs: 0,
    ...change(index),
  }));
  return { rate: count / 10, durationMs: 10_000, requests };
}
const slow = (every: number) => (index: number) => (index % every === 0 ? { latencyMs: 50 } : {});
const failing = (every: number, outcome: string) => (index: number) => (index % every === 0 ? { outcome } : {});

test.each([
  ["nothing beyond the limit", "p95=20ms", sampleOf(1_000), "kept", true],
  ["too few requests to be certain", "p95=20ms", sampleOf(40), "kept", false],
  ["one in 10 beyond it", "p95=20ms", sampleOf(1_000, slow(10)), "missed", true],
  ["one in 22 beyond it", "p95=20ms", sampleOf(1_000, slow(22)), "kept", false],
  ["one in 18 beyond it", "p95=20ms", sampleOf(1_000, slow(18)), "missed", false],
  ["the same by fifty times as many", "p95=20ms", sampleOf(50_000, slow(18)), "missed", true],
  ["one in 50 beyond it, for p99", "p99=20ms", sampleOf(5_000, slow(50)), "missed", true],
  ["one beyond it, for the maximum", "max=20ms", sampleOf(1_000, slow(1_000)), "missed", true],
  ["exactly at the limit", "p95=10ms", sampleOf(1_000), "kept", true],
  ["no answers", "p95=20ms", sampleOf(100, failing(1, "timeout")), "missed", false],
  ["no errors, of which a few are allowed", "errors=0.1%", sampleOf(500), "kept", true],
  ["one error where none is allowed", "errors=0", sampleOf(500, failing(500, "HTTP 500")), "missed", true],
  ["refusals, which are errors", "errors=1%", sampleOf(1_000, failing(20, "HTTP 429")), "missed", true],
  ["refusals, which are no failures", "failures=1%", sampleOf(1_000, failing(20, "HTTP 429")), "kept", true],
  ["failures", "failures=1%", sampleOf(1_000, failing(20, "HTTP 500")), "missed", true],
  ["latency that grows 40 ms a second", "p95=60s", sampleOf(1_000, (i) => ({ latencyMs: 0.4 * i })), "missed", true],
  ["latency that grows 10 ms a second", "p95=60s", sampleOf(1_000, (i) => ({ latencyMs: 0.1 * i })), "kept", true],
] as const)("%s, %s", (_, targets, sample, kind, certain) => {
  const verdict = decideStepVerdict(sample, parseTargets(targets));
  expect({ kind: verdict.kind, certain: verdict.certain }).toEqual({ kind, certain });
});

test("slow requests that come together say less than as many apart", () => {
  const inARow = sampleOf(1_000, (index) => (index >= 300 && index < 375 ? { latencyMs: 50 } : {}));
  const apart = sampleOf(1_000, slow(13));
  const targets = parseTargets("p95=20ms");
  expect(decideStepVerdict(inARow, targets)).toMatchObject({ kind: "missed", certain: false });
  expect(decideStepVerdict(apart, targets)).toMatchObject({ kind: "missed", certain: true });
});

test.each([
  ["late to send, and the rest of the latency kept", 30, 25, "late"],
  ["late to send, although a little only", 30, 5, "missed"],
  ["so late that requests come in bunches", 50, 12, "late"],
  ["late, and the target was kept all the same", 18, 15, "kept"],
] as const)("%s", (_, latencyMs, lateMs, kind) => {
  const sample = sampleOf(1_000, () => ({ latencyMs, lateMs }));
  expect(decideStepVerdict(sample, parseTargets("p95=20ms")).kind).toBe(kind);
});
