import { expect, test } from "bun:test";
import { holdThroughHoles } from "#forecast/data/hold-through-holes.ts";
import { minuteMs } from "#platform/time.ts";

const of = (length: number, rate: number | null) => new Array<number | null>(length).fill(rate);
const hold = (...parts: (number | null)[][]) => holdThroughHoles(parts.flat(), minuteMs);

test("zeros after traffic are a hole: the level before it is held, and nothing is known", () => {
  const { held, known } = hold(of(20, 4), of(2, 6), of(30, 0));
  // The mean of the newest fifteen: 13 of 4 and 2 of 6.
  expect(held.slice(22)).toEqual(of(30, (13 * 4 + 2 * 6) / 15));
  expect(known).toEqual([...of(20, 4), ...of(2, 6), ...of(30, null)]);
});

test("after the hole the rates count again", () => {
  expect(hold(of(20, 4), of(5, 0), [1, 2]).held).toEqual([...of(25, 4), 1, 2]);
});

test.each([
  { name: "a missing hour is a hole too", rates: [...of(20, 4), ...of(60, null), 3], held: [...of(80, 4), 3] },
  { name: "less is not", rates: [...of(20, 4), ...of(59, null), 3], held: [...of(20, 4), ...of(59, null), 3] },
  { name: "two zeros are not", rates: [...of(20, 4), 0, 0], held: [...of(20, 4), 0, 0] },
  {
    name: "zeros of little traffic are not",
    rates: [...of(20, 0.01), ...of(40, 0)],
    held: [...of(20, 0.01), ...of(40, 0)],
  },
  { name: "it ends after two hours", rates: [...of(20, 4), ...of(130, 0)], held: [...of(140, 4), ...of(10, 0)] },
  { name: "no traffic before it", rates: [...of(70, null), ...of(5, 0)], held: [...of(70, null), ...of(5, 0)] },
  { name: "nothing", rates: [], held: [] },
])("$name", ({ rates, held }) => {
  expect(hold([...rates]).held).toEqual([...held]);
});

test("silence as at the same time yesterday is none", () => {
  const day = (evening: number) => [...of(1200, 4), ...of(240, evening)];
  expect(hold(day(0.1), of(1200, 4), of(30, 0)).held.slice(-30)).toEqual(of(30, 0));
  expect(hold(day(3), of(1200, 4), of(30, 0)).held.slice(-30)).toEqual(of(30, 4));
});

test("the level before a second hole includes the silence between", () => {
  const { held } = hold(of(20, 4), [0, 0], of(13, 4), of(5, 0));
  expect(held.at(-1)).toBeCloseTo((13 * 4) / 15);
});
