import { expect, test } from "bun:test";
import { looksLikeRunningTotal } from "#forecast/data/running-total.ts";

const values = (count: number, value: (step: number) => number | null) =>
  Array.from({ length: count }, (_, i) => value(i));

test.each([
  { what: "a counter", counts: values(90, (i) => 1000 + i * 7), is: true },
  { what: "a counter that often stands still", counts: values(90, (i) => Math.floor(i * 0.6)), is: true },
  { what: "a counter with gaps", counts: values(90, (i) => (i % 9 === 0 ? null : i)), is: true },
  { what: "a counter that was started anew", counts: values(90, (i) => i % 80), is: false },
  { what: "an hour that rises by chance", counts: values(59, (i) => i), is: false },
  { what: "a counter that hardly moves", counts: values(90, (i) => Math.floor(i / 2)), is: false },
  { what: "silence", counts: values(90, () => 0), is: false },
  { what: "traffic", counts: values(90, (i) => 50 + ((i * 37) % 11)), is: false },
  { what: "nothing", counts: [], is: false },
])("$what looks like a running total: $is", ({ counts, is }) => {
  expect(looksLikeRunningTotal(counts)).toBe(is);
});
