import { expect, test } from "bun:test";
import { backtestRoutes, refuseWithoutRoutes, routeReportToText } from "../../cli/backtest-routes.ts";

test.each([
  [{ routers: "1,0" }, '--routers: expected whole numbers from 1 to 1000, got "1,0"'],
  [{ routers: "1.5" }, '--routers: expected whole numbers from 1 to 1000, got "1.5"'],
  [{ routers: "" }, '--routers: expected whole numbers from 1 to 1000, got ""'],
  [{ trace: "a.csv" }, "--trace: expected without --routes, got both"],
  [{ html: "a.html" }, "--html: expected without --routes, got both"],
  [{ requests: "10" }, "--requests: expected"],
])("%o is refused", (values, message) => {
  expect(() => backtestRoutes({ routes: true, ...values })).toThrow(message);
});

test("its options are refused without it", () => {
  expect(() => refuseWithoutRoutes({ routers: "1" })).toThrow(
    "--routers: expected together with --routes, got it alone",
  );
  expect(() => refuseWithoutRoutes({ trace: "a.csv" })).not.toThrow();
});

test("the report has a row for each rule and each fault", () => {
  const figures = { usdPerThousand: 0.0015, missedShare: 0.005, failed: 2, p50Ms: 5, p95Ms: 17.25, p99Ms: 30 };
  const shares = { peer: 0.52, spot: 0.48 };
  const row = { scene: "mix", policy: "ours", routers: 50, p95ByOneQueue: 1.6, ...figures } as const;
  const work = { extraAttempts: 0.4, extraWork: 0.012, utilization: 0.8, fairness: 1.05, shares };
  const fault = { fault: "slow", routers: 50, failed: 0, p99Ms: 32, p99ByUnharmed: 1.34, extraWork: 0.02 } as const;
  const text = routeReportToText({ rows: [{ ...row, ...work }], faults: [fault] });
  expect(text).toMatch(
    /mix +ours +50 +1\.500 +0\.50 % +2 +5\.0 +17\.3 +30\.0 +1\.60 +40\.0 % +1\.2 % +80 % +1\.05 +peer 52, spot 48/,
  );
  expect(text).toMatch(/slow +50 +0 +32\.0 +1\.34 +2\.0 %/);
});
