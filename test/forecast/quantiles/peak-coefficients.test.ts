import { expect, test } from "bun:test";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { applyPeaks, learnPeaks } from "#forecast/quantiles/peak-coefficients.ts";
import { runToEnd } from "#forecast/simple/rate-model.ts";

test("an input that was constant but for rounding errors has no say when it changes", () => {
  const random = seededRandom(1);
  const rows = 300;
  const newest = Array.from({ length: rows }, () => random());
  const coefficients = runToEnd(
    learnPeaks(
      {
        inputs: Float64Array.from(newest.flatMap((rate, row) => [1, rate, row % 2 === 0 ? 0 : 1e-16])),
        targets: Float64Array.from(newest, (rate, row) => 1 + rate + (row % 2)),
        levels: new Float64Array(rows).fill(10),
        columns: 3,
      },
      null,
      1,
    ),
  );
  for (const quantile of applyPeaks(coefficients ?? [], [1, 0.5, 0.8], 10)) expect(quantile).toBeWithin(10, 35);
});
