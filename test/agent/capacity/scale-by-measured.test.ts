import { expect, test } from "bun:test";
import { type MeasuredCapacity, scaleByMeasured } from "#agent/capacity/scale-by-measured.ts";

const mode = (id: number, name: string, capacityQps: number | null) => ({
  id,
  name,
  capacityQps,
  busyWatts: 100,
  idleWatts: 20,
});
const modes = [mode(0, "MAXN", 400), mode(1, "120W", 300), mode(2, "70W", 200)];

const measuredIn = (...measured: readonly (readonly [string, number])[]): MeasuredCapacity[] =>
  measured.map(([modeName, qps], index) => ({ modeName, qps, atMs: index }));

test.each([
  { name: "nothing measured", measured: measuredIn(), capacities: [400, 300, 200] },
  { name: "one mode: the others like it", measured: measuredIn(["120W", 15]), capacities: [20, 15, 10] },
  {
    name: "two modes: the third like the newer one",
    measured: measuredIn(["120W", 150], ["MAXN", 300]),
    capacities: [300, 150, 150],
  },
  {
    name: "two modes, the newer one named first",
    measured: [...measuredIn(["120W", 150], ["MAXN", 300])].reverse(),
    capacities: [300, 150, 150],
  },
  { name: "a mode that the board no longer has", measured: measuredIn(["50W", 1]), capacities: [400, 300, 200] },
] as const)("capacities with $name", ({ measured, capacities }) => {
  expect(scaleByMeasured(modes, measured).map(({ capacityQps }) => capacityQps)).toEqual([...capacities]);
});

test("what the profile said stands beside what was measured instead", () => {
  const scaled = scaleByMeasured(modes, measuredIn(["MAXN", 300], ["70W", 200]));
  expect(scaled.map(({ profileQps }) => profileQps)).toEqual([400, undefined, undefined]);
});

test("a board that states no capacities gets that of the measured mode alone", () => {
  const unknown = [mode(0, "MAXN", null), mode(1, "30W", null)];
  const scaled = scaleByMeasured(unknown, measuredIn(["30W", 40]));
  expect(scaled).toEqual([mode(0, "MAXN", null), mode(1, "30W", 40)]);
});

test("a mode that is stated to carry nothing scales no other", () => {
  const scaled = scaleByMeasured([mode(0, "MAXN", 400), mode(1, "7W", 0)], measuredIn(["7W", 5]));
  expect(scaled.map(({ capacityQps }) => capacityQps)).toEqual([400, 5]);
});
