import { describe, expect, test } from "bun:test";
import pino from "pino";
import { WatchedTime } from "#controller/scaling/loop/watched-time.ts";

const startMs = 1_000_000;
const config = { intervalMs: 10_000, warmUpMs: 60_000, stabilizationMs: 100_000 };
const create = () => {
  const lines: number[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line).jumpS) });
  return { time: new WatchedTime(config, 180_000, startMs, log), lines };
};
const state = ({ warmUpEndsMs, observedSinceMs }: WatchedTime) => [warmUpEndsMs - startMs, observedSinceMs - startMs];

describe("the warm-up and the time that was watched", () => {
  test.each([
    { name: "the first round", now: 5_000, last: null, expected: [60_000, 0], jumps: [] },
    { name: "the next one", now: 10_000, last: 0, expected: [60_000, 0], jumps: [] },
    { name: "three intervals later", now: 30_000, last: 0, expected: [60_000, 0], jumps: [] },
    { name: "a gap in what was watched", now: 30_001, last: 0, expected: [60_000, 30_001], jumps: [] },
    { name: "as long as an agent may be silent", now: 180_000, last: 0, expected: [60_000, 180_000], jumps: [] },
    { name: "longer", now: 180_001, last: 0, expected: [240_001, 180_001], jumps: [180] },
    { name: "a clock that was set back", now: -5_000, last: 0, expected: [55_000, -5_000], jumps: [-5] },
    { name: "one that was, before the first round", now: -5_000, last: null, expected: [55_000, 0], jumps: [] },
  ])("$name", ({ now, last, expected, jumps }) => {
    const { time, lines } = create();
    time.heal(startMs + now, last === null ? null : startMs + last);
    expect(state(time)).toEqual([...expected]);
    expect(lines).toEqual([...jumps]);
  });
});

test("peaks count for the stabilisation time, and none from the future", () => {
  const { time } = create();
  for (const ago of [100_001, 100_000, 0, -1]) time.addPeak({ atMs: startMs - ago, peakQps: ago });
  expect(time.recentPeaks(startMs).map(({ peakQps }) => peakQps)).toEqual([100_000, 0]);
  expect(time.recentPeaks(startMs + 100_000).map(({ peakQps }) => peakQps)).toEqual([0]);
});
