import { expect, test } from "bun:test";
import { applyCalibration, type MeasuredMode } from "#agent/power/calibration/board-profile.ts";
import { decideDoubts } from "#agent/power/calibration/decide-doubts.ts";
import { explainDoubt } from "#agent/power/calibration/explain-doubt.ts";

const mode = (id: number, capacityQps: number, given: Partial<MeasuredMode> = {}): MeasuredMode => ({
  ...{ id, name: `mode-${id}`, capacityQps, p95Ms: 20, busyWatts: 20, idleWatts: 10 },
  ...{ maxTemperatureC: null, measuredAtMs: 1, ...given },
});

test.each([
  { $: "nothing measured", modes: [], doubts: [] },
  { $: "falling with the mode", modes: [mode(0, 300), mode(1, 200), mode(2, 0)], doubts: [] },
  { $: "equal", modes: [mode(0, 200), mode(1, 200)], doubts: [] },
  { $: "less by what two measurements may differ", modes: [mode(0, 180), mode(1, 200)], doubts: [] },
  {
    $: "less by more",
    modes: [mode(0, 179), mode(1, 200)],
    doubts: ["mode-0 carried 179.0 qps, less than the 200.0 of mode-1, a less capable mode"],
  },
  {
    $: "the user's case",
    modes: [mode(0, 5), mode(1, 0), mode(2, 2.1)],
    doubts: ["mode-1 carried 0.0 qps, less than the 2.1 of mode-2, a less capable mode"],
  },
  {
    $: "two of three below the last, the highest of which is named",
    modes: [mode(0, 10), mode(1, 20), mode(2, 50), mode(3, 40)],
    doubts: [
      "mode-0 carried 10.0 qps, less than the 50.0 of mode-2, a less capable mode",
      "mode-1 carried 20.0 qps, less than the 50.0 of mode-2, a less capable mode",
    ],
  },
  { $: "no mode carries anything", modes: [mode(0, 0), mode(1, 0)], doubts: [] },
  { $: "as much power under load as idle", modes: [mode(0, 9, { busyWatts: 9.6, idleWatts: 10 })], doubts: [] },
  {
    $: "less power under load than idle",
    modes: [mode(0, 9, { busyWatts: 9.4, idleWatts: 10 })],
    doubts: ["mode-0 drew 9.4 W under load, less than the 10.0 W idle"],
  },
  { $: "no power readings", modes: [mode(0, 9, { busyWatts: null }), mode(1, 9, { idleWatts: null })], doubts: [] },
])("$$", ({ modes, doubts }) => {
  expect(decideDoubts(modes).map(explainDoubt)).toEqual([...doubts]);
});

test("a doubtful mode carries at least what the less capable ones do, and keeps its place", () => {
  const profile = (id: number) => ({ id, name: `mode-${id}`, capacityQps: null, busyWatts: null, idleWatts: null });
  const modes = [mode(0, 300), mode(1, 0, { doubt: "why" }), mode(2, 100)];
  const about = { model: "m", texts: "mixed", targetP95Ms: 50, finishedAtMs: 1, program: "1" };
  const applied = applyCalibration([profile(0), profile(1), profile(2)], { ...about, modes });
  expect(applied.map(({ id, capacityQps }) => [id, capacityQps])).toEqual([
    [0, 300],
    [1, 100],
    [2, 100],
  ]);
});
