import { expect, test } from "bun:test";
import { decideWorkerRestart } from "#forecast/lstm/worker/decide-worker-restart.ts";
import { explainWorkerRestart } from "#forecast/lstm/worker/explain-worker-restart.ts";

test.each([
  { failuresInRow: 0, delayMs: 500, says: "lost once: restarting in 0.5 s" },
  { failuresInRow: 1, delayMs: 500, says: "lost once: restarting in 0.5 s" },
  { failuresInRow: 2, delayMs: 1_000, says: "lost 2 times in a row: restarting in 1 s" },
  { failuresInRow: 5, delayMs: 8_000, says: "lost 5 times in a row: restarting in 8 s" },
  { failuresInRow: 1_000, delayMs: 600_000, says: "lost 1000 times in a row: restarting in 600 s" },
])("a worker lost $failuresInRow times restarts in $delayMs ms", ({ failuresInRow, delayMs, says }) => {
  const decision = decideWorkerRestart(failuresInRow);
  expect(decision).toEqual({ delayMs, failuresInRow });
  expect(explainWorkerRestart(decision)).toBe(says);
});
