import { expect, test } from "bun:test";
import { decideNextRate, type JudgedRate } from "#tools/load/limit/decide-next-rate.ts";

const bounds = { startRate: 10, minRate: 0.5, maxRate: 1_000, precision: 1.04 };
const kept = (rate: number, times = 1): JudgedRate => ({ rate, times, kind: "kept" });
const missed = (rate: number, times = 1): JudgedRate => ({ rate, times, kind: "missed" });
const late = (rate: number, times = 1): JudgedRate => ({ rate, times, kind: "late" });
const measure = (rate: number) => ({ kind: "measure", rate });
const end = (rule: string, keptRate: number | null, missedRate: number | null) => ({
  kind: "end",
  rule,
  kept: keptRate,
  missed: missedRate,
});

test.each<[string, JudgedRate[], object]>([
  ["begins", [], measure(10)],
  ["doubles while it is kept", [kept(10)], measure(20)],
  ["doubles up to the maximum", [kept(10), kept(640)], measure(1_000)],
  ["ends at the maximum", [kept(1_000)], end("beyond", 1_000, null)],
  ["measures the first miss again", [kept(10), missed(20)], measure(20)],
  ["halves when even the start is missed twice", [missed(10, 2)], measure(5)],
  ["halves down to the minimum", [missed(10, 2), missed(0.8)], measure(0.5)],
  ["measures the minimum again", [missed(10, 2), missed(0.5)], measure(0.5)],
  ["ends at the minimum", [missed(10, 2), missed(0.5, 2)], end("none", null, 0.5)],
  ["takes the mean", [kept(10), missed(40, 2)], measure(20)],
  ["takes the mean without measuring inner misses again", [kept(10), missed(160, 2), missed(40)], measure(20)],
  ["measures the last miss again", [kept(10), missed(20, 2), missed(10.3)], measure(10.3)],
  ["ends when they are close", [kept(10), missed(20, 2), missed(10.3, 2)], end("found", 10, 10.3)],
  ["measures the next one again where a miss was none", [kept(10, 2), missed(20), missed(40, 2)], measure(20)],
  ["goes on doubling when all misses were none", [kept(10), kept(20, 2)], measure(40)],
  ["blames itself", [kept(10), late(10.3, 2)], end("late", 10, 10.3)],
  ["ignores what was kept above a miss", [kept(10), missed(20, 2), kept(40)], measure(Math.sqrt(200))],
])("%s", (_, judged, expected) => {
  expect(decideNextRate(judged, bounds)).toEqual(expected as ReturnType<typeof decideNextRate>);
});
