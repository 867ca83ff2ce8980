import { expect, test } from "bun:test";
import { alertRules } from "#controller/alerts/alert-rules.ts";
import { type Alert, type AlertReading, alertKey, decideAlert } from "#controller/alerts/decide-alert.ts";
import { explainAlert } from "#controller/alerts/explain-alert.ts";
import { isSilenced, type Silence } from "#controller/alerts/silence.ts";
import { hourMs, minuteMs } from "#platform/time.ts";

const reading = (value: number | null, given: Partial<AlertReading> = {}): AlertReading => ({
  ...{ rule: "latency-p95", labels: {}, value, threshold: 30, isBelow: false, unit: "ms", forMs: 5 * minuteMs },
  ...{ severity: "warning", summary: "95th percentile latency", detail: null, ...given },
});

/** Status after each minute's value; "-" without an alert. */
function statuses(values: readonly (number | null)[], given: Partial<AlertReading> = {}): string[] {
  let alert: Alert | null = null;
  return values.map((value, minute) => {
    alert = decideAlert(alert, reading(value, given), minute * minuteMs);
    return alert?.status ?? "-";
  });
}

test.each<[string, (number | null)[], Partial<AlertReading>, string]>([
  ["within", [30, 30], {}, "- -"],
  ["beyond for less than it takes", [31, 31, 31, 31, 31, 30], {}, "pending pending pending pending pending -"],
  ["beyond for as long as it takes", [31, 31, 31, 31, 31, 31], {}, "pending pending pending pending pending firing"],
  ["again within", [31, 31, 31, 30, 30], { forMs: minuteMs }, "pending firing firing resolved resolved"],
  ["beyond again after the end", [31, 30, 31], { forMs: 0 }, "firing resolved firing"],
  ["unknown for a while", [31, null, null, 31], { forMs: minuteMs }, "pending pending pending firing"],
  ["below is what is wrong", [29, 31], { forMs: 0, isBelow: true }, "firing resolved"],
  ["a share that is reached at once", [100], { forMs: 0, threshold: 99.9 }, "firing"],
])("%s", (_name, values, given, expected) => {
  expect(statuses(values, given).join(" ")).toBe(expected);
});

test("a firing alert of which nothing is heard any more is over after a quarter of an hour, and shown for a day", () => {
  const firing = decideAlert(null, reading(31, { forMs: 0 }), 0);
  expect(decideAlert(firing, null, 14 * minuteMs)?.status).toBe("firing");
  const over = decideAlert(firing, null, 15 * minuteMs);
  expect(over).toMatchObject({ status: "resolved", resolvedAtMs: 15 * minuteMs });
  expect(decideAlert(over, null, 24 * hourMs)?.status).toBe("resolved");
  expect(decideAlert(over, null, 25 * hourMs)).toBeNull();
  expect(decideAlert(decideAlert(null, reading(31), 0), null, 16 * minuteMs)).toBeNull();
});

test("a clock that is set back keeps no alert pending for longer", () => {
  const pending = decideAlert(null, reading(31), 10 * hourMs);
  const after = decideAlert(pending, reading(31), hourMs);
  expect(after).toMatchObject({ status: "pending", sinceMs: hourMs });
});

test("alerts explain themselves", () => {
  const firing = decideAlert(
    null,
    reading(31.26, { forMs: 0, labels: { agent: "thor-1" }, detail: "cause" }),
    0,
  ) as Alert;
  expect(explainAlert(firing, 5 * minuteMs)).toBe(
    "95th percentile latency (agent thor-1): 31.3 ms, above 30, for 5 min; cause",
  );
  const over = decideAlert(firing, reading(12, { labels: { agent: "thor-1" } }), 3 * hourMs) as Alert;
  expect(explainAlert(over, 3 * hourMs)).toBe(
    "95th percentile latency (agent thor-1): 12 ms, no longer above 30, over after 3 h",
  );
});

test("a key names rule and labels, in whatever order they come", () => {
  expect(alertKey({ rule: "r", labels: { b: "2", a: "1" } })).toBe("r,a=1,b=2");
});

test("thresholds and times are those that users bring", () => {
  const of = Object.entries(alertRules).map(([name, { threshold, forMs }]) => [name, threshold, forMs / minuteMs]);
  expect(of).toEqual([
    ["daily-cost", 185, 60],
    ["monthly-projection", 6000, 360],
    ["cost-spike", 20, 30],
    ["cost-anomaly", 3.5, 0],
    ["gpu-utilization", 50, 120],
    ["latency-p95", 30, 5],
    ["error-rate", 1, 2],
    ["gpu-memory", 4, 5],
    ["throughput", 50, 5],
  ]);
});

const silence = (given: Partial<Silence> = {}): Silence => ({
  ...{ id: "s", rule: null, labels: [], reason: "stocktaking", by: "me", sinceMs: 100, untilMs: 200, ...given },
});

test.each<[Partial<Silence>, number, boolean]>([
  [{}, 150, true],
  [{}, 99, false],
  [{}, 200, false],
  [{ rule: "latency-p95" }, 150, true],
  [{ rule: "cost-spike" }, 150, false],
  [{ labels: [{ name: "tenant", value: "shop" }] }, 150, true],
  [{ labels: [{ name: "tenant", value: "ops" }] }, 150, false],
  [{ labels: [{ name: "agent", value: "" }] }, 150, false],
])("a silence of %j at %d: %p", (given, nowMs, expected) => {
  expect(isSilenced({ rule: "latency-p95", labels: { tenant: "shop" } }, [silence(given)], nowMs)).toBe(expected);
});
