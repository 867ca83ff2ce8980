import { expect, test } from "bun:test";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { fitQuantile } from "#forecast/quantiles/fit-quantile.ts";

function fit(rows: readonly (readonly [number[], number])[], quantile: number, weights?: readonly number[]): number[] {
  const columns = rows[0]![0].length;
  const task = fitQuantile(
    {
      inputs: Float64Array.from(rows.flatMap(([inputs]) => inputs)),
      targets: Float64Array.from(rows.map(([, target]) => target)),
      weights: Float64Array.from(weights ?? rows.map(() => 1)),
      columns,
    },
    { quantile, lambda: 1e-6, start: new Float64Array(columns), rounds: 200 },
  );
  let step = task.next();
  while (step.done !== true) step = task.next();
  return [...step.value];
}

const numbers = (values: readonly number[]) =>
  values.map((value) => [[1], value] as const).map(([x, y]) => [[...x], y] as const);

test.each([
  { name: "the median of five", values: [1, 2, 3, 4, 100], quantile: 0.5, expected: 3 },
  { name: "the 0.9 quantile of eleven", values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], quantile: 0.9, expected: 9 },
  { name: "one", values: [7], quantile: 0.95, expected: 7 },
])("a constant is $name", ({ values, quantile, expected }) => {
  expect(Math.abs(fit(numbers(values) as never, quantile)[0]! - expected)).toBeLessThan(0.4);
});

test("there are as many steps as rounds, so that nobody waits for all of them", () => {
  const rows = { inputs: Float64Array.of(1), targets: Float64Array.of(7), weights: Float64Array.of(1), columns: 1 };
  const task = fitQuantile(rows, { quantile: 0.5, lambda: 1e-6, start: new Float64Array(1), rounds: 5 });
  expect([...task]).toHaveLength(5);
});

test("weights count rows", () => {
  expect(fit(numbers([1, 5]) as never, 0.5, [3, 1])[0]).toBeCloseTo(1, 1);
  expect(fit(numbers([1, 5, 1e9]) as never, 0.5, [1, 2, 0])[0]).toBeCloseTo(5, 1);
});

test("the upper quantile follows a spread that grows with an input", () => {
  const random = seededRandom(4);
  // Uniform on [x, 3x]: the median is 2x, the 0.9 quantile 2.8x.
  const rows = Array.from({ length: 4_000 }, () => {
    const x = 1 + random();
    return [[1, x], x + 2 * x * random()] as [number[], number];
  });
  const at = (coefficients: number[], x: number) => coefficients[0]! + coefficients[1]! * x;
  const median = fit(rows, 0.5);
  const upper = fit(rows, 0.9);
  for (const x of [1, 1.5, 2]) {
    expect(at(median, x) / x).toBeCloseTo(2, 1);
    expect(Math.abs(at(upper, x) / x - 2.8)).toBeLessThan(0.08);
  }
});
