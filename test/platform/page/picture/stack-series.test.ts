import { expect, test } from "bun:test";
import { stackSeries } from "#platform/page/picture/stack-series.ts";

test("bars stand upon each other, the topmost drawn first; lines stay as they are, and what is not known is no bar", () => {
  const bar = (label: string, values: readonly (number | null)[]) =>
    ({ label, values, color: "--c1", kind: "bars" }) as const;
  const line = { label: "budget", values: [9, 9, 9], color: "--c-limit" } as const;
  const drawn = stackSeries([bar("a", [1, null, null]), line, bar("b", [2, 5, null]), bar("c", [4, 0, null])]);
  expect(drawn.map(({ label, values }) => [label, values])).toEqual([
    ["c", [7, 5, null]],
    ["b", [3, 5, null]],
    ["a", [1, null, null]],
    ["budget", [9, 9, 9]],
  ]);
});
