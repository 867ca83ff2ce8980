import { expect, test } from "bun:test";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { binColumns, maxBins } from "#forecast/trees/bin-columns.ts";

test("few distinct values get a bin each, equal ones share it", () => {
  const { rows, bins, limits } = runToEnd(binColumns(Float64Array.of(3, 1, 1, 1, 2, 1), 2));
  expect(rows).toBe(3);
  expect(limits.map((own) => [...own])).toEqual([[1, 2], []]);
  expect([...bins]).toEqual([2, 0, 1, 0, 0, 0]);
});

test("many values are cut into bins of equally many rows", () => {
  const rising = Float64Array.from({ length: 6400 }, (_, row) => row);
  const { bins, limits } = runToEnd(binColumns(rising, 1));
  expect(limits[0]?.length).toBe(maxBins - 1);
  for (let bin = 0; bin < maxBins; bin += 1) expect(bins.filter((each) => each === bin).length).toBe(100);
});

test.each([
  { name: "no rows", inputs: [], columns: 2, bins: [] },
  { name: "no columns", inputs: [], columns: 0, bins: [] },
  { name: "NaN goes with the highest", inputs: [1, Number.NaN, 2], columns: 1, bins: [0, 1, 1] },
])("$name", ({ inputs, columns, bins }) => {
  expect([...runToEnd(binColumns(Float64Array.from(inputs), columns)).bins]).toEqual([...bins]);
});
