import { expect, test } from "bun:test";
import { alertsToText } from "#cli/cost/alerts.ts";
import { baselinesToText, comparisonToText } from "#cli/cost/baseline.ts";
import { budgetsToText } from "#cli/cost/budgets.ts";
import { anomaliesToText, forecastToText } from "#cli/cost/cost-outlook.ts";
import { chargebackToText } from "#cli/cost/cost-reports.ts";
import { savingsToText } from "#cli/cost/savings.ts";
import { type AlertReading, decideAlert } from "#controller/alerts/decide-alert.ts";
import { decideComparison } from "#controller/cost/baseline/decide-comparison.ts";
import { decideBudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import { moneyOf } from "#controller/cost/money/money.ts";

test("nothing yet is said, with what to do", () => {
  expect(budgetsToText([])).toContain("thormesh budgets set");
  expect(alertsToText({ alerts: [], silences: [], notifiers: [] })).toContain("nobody is notified");
  expect(anomaliesToText([])).toBe("no day cost more than expected");
  expect(savingsToText([])).toContain("no savings found");
  expect(baselinesToText([])).toContain("thormesh cost baseline set");
});

test("budgets and alerts", () => {
  const budget = {
    ...{ id: "all", scope: { kind: "tenant" as const, name: "shop" }, period: "daily" as const, amountUsd: 10 },
    actions: [{ atPercent: 80, action: "notify" as const }],
  };
  const state = decideBudgetState({
    ...{ budget, period: { startMs: 0, endMs: 86_400_000 }, nowMs: 43_200_000, spent: moneyOf(9), recent: moneyOf(18) },
    recentHours: 24,
  });
  expect(budgetsToText([state])).toMatch(
    /all +tenant shop +daily +10\.00 +9\.00 \(90 %\) +18\.00 \(180 %\) +at-risk +notify/,
  );
  const twice = [80, 100].map((atPercent) => ({ atPercent, action: "notify" as const }));
  expect(budgetsToText([{ ...state, reached: twice }])).toMatch(/at-risk +notify$/m);
  const limited = { ...state, reached: [{ atPercent: 80, action: "limit" as const, limitPercent: 50 }] };
  expect(budgetsToText([{ ...limited, ceiling: { requests: 12, tokens: 300 } }])).toMatch(
    /at-risk +limit-50 \(12 requests and 300 tokens per minute\)/,
  );
  const reading: AlertReading = {
    ...{ rule: "error-rate", labels: {}, value: 5, threshold: 1, isBelow: false, unit: "%", forMs: 0 },
    ...{ severity: "critical", summary: "requests that failed", detail: null },
  };
  const alert = decideAlert(null, reading, 0);
  const text = alertsToText({
    alerts: alert === null ? [] : [{ ...alert, silenced: true, text: "requests that failed: 5 %\u001b[31m" }],
    silences: [
      {
        id: "s1",
        rule: null,
        labels: [{ name: "tenant", value: "shop" }],
        reason: "x",
        by: "me",
        sinceMs: 0,
        untilMs: 60_000,
      },
    ],
    notifiers: [
      { name: "n", kind: "slack", queued: 1, sent: 2, failures: 3, dropped: 4, lastSentMs: null, lastError: "no" },
    ],
  });
  expect(text).toContain("FIRING error-rate (critical, silenced)");
  expect(text).not.toContain("\u001b");
  expect(text).toMatch(/s1 +any tenant=shop +1970-01-01T00:01Z +me +x/);
  expect(text).toMatch(/n +slack +2 +1 +3 +4 +no/);
});

test("reports", () => {
  const line = { usedUsd: 1, offersUsd: 0.5, idleUsd: 0.25, totalUsd: 1.75, requests: 10, tokens: 100, energyKwh: 0 };
  const chargeback = chargebackToText({
    ...{ month: "2026-11", window: { startMs: 0, endMs: 1 }, currency: "USD", totalUsd: 2, unsharedIdleUsd: 0.25 },
    missingEnergyMinutes: 3,
    tenants: [
      { tenant: "shop", costCentre: null, ...line, usdPerRequest: 0.175, usdPerMillionTokens: 17_500, models: [] },
    ],
  });
  expect(chargeback).toMatch(/shop +- +1\.00 +0\.50 +0\.25 +1\.75 +10 +17500\.0000/);
  expect(chargeback).toContain("0.25 $ of idle time is charged to no tenant");
  expect(chargeback).toContain("the energy of 3 agent-minutes is unknown");
  const range = { expectedUsd: 5, lowUsd: 4, highUsd: 6 };
  const month = { month: "2026-11", spentUsd: 1, rest: range, total: range, dailyUsd: 1, days: 9, reason: "by 9 days" };
  expect(forecastToText({ ...month, next: { month: "2026-12", ...range } })).toMatch(/2026-12 +5\.00 +4\.00 +6\.00/);
  const unknown = { expectedUsd: 0, lowUsd: null, highUsd: null };
  expect(forecastToText({ ...month, total: unknown, next: { month: "2026-12", ...unknown } })).toMatch(
    /2026-11, all +0\.00 +- +-\n2026-12 +0\.00 +- +-/,
  );
  const day = {
    ...{ dayStartMs: -3_600_000, date: "1970-01-01" },
    scope: { kind: "tenant" as const, name: "shop" },
    rule: "level" as const,
    isAnomaly: true,
  };
  const figures = {
    score: 4,
    costUsd: 2,
    expectedUsd: 1,
    requests: 1,
    usualRequests: 1,
    movers: [],
    reason: "2 $ instead of 1 $",
  };
  expect(anomaliesToText([{ ...day, ...figures }])).toBe("1970-01-01 tenant shop: 2 $ instead of 1 $");
  const saving = { kind: "sleep" as const, target: "thor-1", action: "sleep", evidence: "idle", yearlyUsd: 12 };
  expect(savingsToText([{ ...saving, risk: "low", effort: "high" }])).toMatch(/1 +sleep +thor-1 +12\.00 +low +high/);
  const parts = { region: {}, tenant: {}, model: {}, agent: {} };
  expect(baselinesToText([{ name: "b", startMs: 0, endMs: 86_400_000, days: 1, usd: 2, requests: 3, parts }])).toMatch(
    /b +1970-01-01 +1970-01-02 +1\.0 +2\.00 +3/,
  );
  const local = { startMs: -3_600_000, endMs: 82_800_000, days: 1, usd: 2, requests: 3, parts };
  expect(baselinesToText([{ name: "b", ...local }])).toMatch(/b +1969-12-31T23:00Z +1970-01-01T23:00Z/);
  const before = { days: 1, usd: 2, requests: 1, parts: { shop: 2 } };
  const after = { days: 1, usd: 1, requests: 1, parts: { shop: 1 } };
  const compared = comparisonToText({ ...decideComparison(before, after), reason: "less" });
  expect(compared).toMatch(/shop +2\.0000 +1\.0000 +1\.0000/);
  expect(compared).toContain("at the present request rate: 365.00 $ saved a year");
});
