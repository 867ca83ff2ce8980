import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { policyCommand } from "#cli/policy.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { UsageError } from "#platform/errors.ts";
import { minuteMs } from "#platform/time.ts";
import { previewPast } from "#tools/policy/preview-past.ts";

const startMs = Date.UTC(2026, 4, 4);
/** A night, a day of `high` from `from` on, in minutes. */
const day = (high: number, minutes = 600, from = 300) =>
  Array.from({ length: minutes }, (_, minute) => ({
    minuteStartMs: startMs + minute * minuteMs,
    qps: minute < from ? 100 : high,
  }));
const policy = (given: object) => parseScalingPolicy({ name: "p", minReplicas: 1, maxReplicas: 12, ...given }, "test");

describe("a policy on recorded hours", () => {
  test("load alone: it grows with the traffic, one minute late, and says what asked for it", () => {
    const { stretches, minutes, shortMinutes, meanReplicas } = previewPast(policy({}), day(1200), startMs);
    expect(minutes).toBe(600);
    expect(stretches.map(({ replicas }) => replicas)).toEqual([1, 5]);
    expect(stretches[1]).toMatchObject({ fromMs: startMs + 301 * minuteMs, qps: 1200, load: 5, forecast: null });
    expect(shortMinutes).toBe(1);
    expect(meanReplicas).toBeCloseTo((301 + 5 * 299) / 600, 6);
  });

  test("schedules and limits are named", () => {
    const schedules = [{ name: "noon", timeZone: "UTC", start: "0 2 * * *", end: "0 4 * * *", floor: 8 }];
    const { stretches } = previewPast(policy({ schedules }), day(100), startMs);
    expect(stretches[1]).toMatchObject({
      ...{ fromMs: startMs + 120 * minuteMs, replicas: 8, schedules: ["noon"] },
      limitedBy: [{ by: "schedule-floor", from: 1, to: 8 }],
    });
  });

  test("prediction speaks, by forecasts from the past alone", () => {
    const rates = day(100, 300).map((minute, index) => ({ ...minute, qps: index % 60 < 30 ? 200 : 1200 }));
    const given = policy({ prediction: { confidence: 0.85, leadS: 120 } });
    const last = startMs + 180 * minuteMs;
    const { stretches } = previewPast(given, rates, last);
    expect(stretches.some(({ forecast }) => forecast !== null && forecast > 1)).toBe(true);
    const future = rates.map((minute) =>
      minute.minuteStartMs >= last + 60 * minuteMs ? { ...minute, qps: 0 } : minute,
    );
    const before = (list: typeof stretches) => list.filter(({ fromMs }) => fromMs < last + 60 * minuteMs);
    expect(before(previewPast(given, future, last).stretches)).toEqual(before(stretches));
  });

  test("triggers that a record can tell of count, the others are named", () => {
    const triggers = [
      { name: "rate", kind: "agents", metric: "qps", aggregate: "sum", target: 100 },
      { name: "orders", kind: "prometheus", url: "http://127.0.0.1:1", query: "x", target: 1 },
    ];
    const { stretches, leftOut } = previewPast(policy({ triggers }), day(1200), startMs);
    expect(leftOut).toEqual(["orders"]);
    expect(stretches.at(-1)).toMatchObject({ replicas: 12, triggers: { rate: 12 } });
  });

  test("minutes that nobody reported are no fall in traffic", () => {
    const holed = day(1200).filter((_, minute) => minute < 400 || minute > 410);
    const { stretches } = previewPast(policy({ behavior: { scaleDown: { stabilizationWindowS: 0 } } }), holed, startMs);
    expect(stretches.map(({ replicas }) => replicas)).toEqual([1, 5]);
  });

  test("no record at all", () => {
    expect(previewPast(policy({}), [], startMs)).toMatchObject({ stretches: [], minutes: 0 });
  });
});

describe("thormesh policy preview --past", () => {
  const file = join(import.meta.dir, "../../fixtures/policies/office.yaml");
  let server: Bun.Server<undefined>;
  const asked: string[] = [];
  const printed: string[] = [];
  const { log } = console;
  beforeEach(() => {
    printed.length = 0;
    asked.length = 0;
    console.log = (text: string) => printed.push(text);
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        const { pathname, search } = new URL(request.url);
        asked.push(pathname + search);
        return Response.json({ nowMs: startMs + 600 * minuteMs, minutes: day(1200) });
      },
    });
  });
  afterEach(async () => {
    console.log = log;
    await server.stop(true);
  });

  test("shows what the rules made of the last hours", async () => {
    expect(await policyCommand.run({ past: "10", url: server.url.href }, ["preview", file])).toBe(0);
    expect(asked).toEqual(["/api/v1/traffic?hours=58"]);
    expect(printed.join("\n")).toMatch(/FROM \(UTC\) .*LOAD +FORECAST +TRIGGERS +SCHEDULES +LIMITED BY +REPLICAS/);
    expect(printed.join("\n")).toContain("600 recorded minutes:");
    expect(printed.join("\n")).toContain("Left out, having no recorded values: waiting");
  });

  test.each([[{ past: "10", qps: "5" }], [{ past: "0" }], [{ past: "500" }], [{ url: "http://127.0.0.1:1" }]])(
    "%p is a usage error",
    (values) => {
      expect(policyCommand.run(values, ["preview", file])).rejects.toThrow(UsageError);
    },
  );
});
