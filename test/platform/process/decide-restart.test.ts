import { expect, test } from "bun:test";
import { decideRestart, forecastRestartPolicy, modelRestartPolicy } from "#platform/process/decide-restart.ts";
import { explainRestart } from "#platform/process/explain-restart.ts";

test.each([
  { name: "model", policy: modelRestartPolicy, lossesInRow: 0, rule: "at-once", delayMs: 0 },
  { name: "model", policy: modelRestartPolicy, lossesInRow: 1, rule: "at-once", delayMs: 0 },
  { name: "model", policy: modelRestartPolicy, lossesInRow: 2, rule: "delayed", delayMs: 250 },
  { name: "model", policy: modelRestartPolicy, lossesInRow: 3, rule: "delayed", delayMs: 500 },
  { name: "model", policy: modelRestartPolicy, lossesInRow: 9, rule: "delayed", delayMs: 30_000 },
  { name: "model", policy: modelRestartPolicy, lossesInRow: 1e9, rule: "delayed", delayMs: 30_000 },
  { name: "forecasting", policy: forecastRestartPolicy, lossesInRow: 0, rule: "delayed", delayMs: 500 },
  { name: "forecasting", policy: forecastRestartPolicy, lossesInRow: 1, rule: "delayed", delayMs: 500 },
  { name: "forecasting", policy: forecastRestartPolicy, lossesInRow: 2, rule: "delayed", delayMs: 1_000 },
  { name: "forecasting", policy: forecastRestartPolicy, lossesInRow: 5, rule: "delayed", delayMs: 8_000 },
  { name: "forecasting", policy: forecastRestartPolicy, lossesInRow: 1_000, rule: "delayed", delayMs: 600_000 },
] as const)(
  "the $name process, lost $lossesInRow times in a row: $rule, $delayMs ms",
  ({ policy, lossesInRow, rule, delayMs }) => {
    expect(decideRestart(lossesInRow, policy)).toEqual({ rule, lossesInRow, delayMs });
  },
);

test.each([
  { lossesInRow: 1, policy: modelRestartPolicy, text: "lost once: restarting at once" },
  { lossesInRow: 1, policy: forecastRestartPolicy, text: "lost once: restarting in 0.5 s" },
  { lossesInRow: 4, policy: modelRestartPolicy, text: "lost 4 times in a row: restarting in 1 s" },
])("$text", ({ lossesInRow, policy, text }) => {
  expect(explainRestart(decideRestart(lossesInRow, policy))).toBe(text);
});
