import { expect, test } from "bun:test";
import { sloToText } from "#cli/slo.ts";
import { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import { reportSlo } from "#controller/slo/slo-report.ts";
import type { ServiceSums } from "#controller/store/store.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";

const config = parseConfig(SloConfig, {}, "test");
const sums = (requests: number, given: Partial<ServiceSums> = {}): ServiceSums => {
  const latencyCounts = emptyLatencyCounts();
  latencyCounts[latencyBucket(100)] = requests;
  return {
    ...{ region: "hall", model: "mini", requests, queue: 0, deadline: 0, standby: 0, rateLimit: 0, error: 0 },
    ...{ latencyCounts, ...given },
  };
};

test("what users were given, on lines of 80 characters", () => {
  const long = "a-model-whose-name-is-longer-than-a-column-may-be";
  const busy = sums(9_999_990_000, { queue: 10_000, model: long });
  const lost = sums(0, { error: 3, model: "" });
  const shown = sloToText([
    ...reportSlo("1h", [sums(999, { queue: 1 })], config),
    ...reportSlo("30d", [busy, lost], config),
  ]);
  expect(shown).toBe(
    [
      "target: 99.9 % of requests answered, 95 % of them within 1000 ms",
      "BUDGET: error budget left; BURN: burn rate, 1 uses all of it by the window's end",
      "",
      "WINDOW  OF                      REQUESTS     ANSWERED  P95    BUDGET  BURN",
      "1h      fleet                   1000         99.90 %   99 ms  none    1.0",
      "1h      region hall             1000         99.90 %   99 ms  none    1.0",
      "1h      model mini              1000         99.90 %   99 ms  none    1.0",
      "30d     fleet                   10000000003  100.00 %  99 ms  100 %   0.0",
      "30d     region hall             10000000003  100.00 %  99 ms  100 %   0.0",
      "30d     model (not told)        3            0.00 %    -      none    1000",
      "30d     model a-model-whose-n…  10000000000  100.00 %  99 ms  100 %   0.0",
    ].join("\n"),
  );
  expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("an empty fleet says so", () => {
  expect(sloToText([])).toBe("no requests on record yet");
  expect(sloToText(reportSlo("1h", [], config))).toBe("no requests on record yet");
});

test("no latency promised, a round availability", () => {
  const rows = reportSlo("1h", [sums(1)], { ...config, p95Ms: null, availability: 0.9 });
  expect(sloToText(rows).split("\n")[0]).toBe("target: 90 % of requests answered");
});
