import { describe, expect, test } from "bun:test";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { decideSchedules } from "#controller/scaling/policy/schedules/decide-schedules.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { suggestPolicy } from "#tools/policy/suggest-policy.ts";
import { neededFor, type SuggestTerms, suggestSchedules } from "#tools/policy/suggest-schedules.ts";
import { suggestionToText } from "#tools/policy/suggestion-to-text.ts";

// A Monday in winter; Berlin is an hour ahead.
const mondayMs = Date.UTC(2026, 0, 12);
const terms: SuggestTerms = { timeZone: "UTC", capacityPerReplicaQps: 100, targetUtilization: 0.8, maxReplicas: 12 };

/** Minutes of some days; the rate by the hour in UTC and the day's number. */
function record(days: number, rateAt: (hour: number, day: number) => number, startMs = mondayMs) {
  return Array.from({ length: days * 1440 }, (_, minute) => ({
    minuteStartMs: startMs + minute * minuteMs,
    qps: rateAt(Math.floor(minute / 60) % 24, Math.floor(minute / 1440)),
  }));
}
/** Working days from 9 to 17 are busy, weekends from 12 to 24 a little. */
const office = (hour: number, day: number) =>
  day % 7 < 5 ? (hour >= 9 && hour < 17 ? 750 : 40) : hour >= 12 ? 150 : 40;

describe("schedules from a record", () => {
  test("are the floors of working days and of the weekend, hours alike as one window", () => {
    const { minReplicas, schedules } = suggestSchedules(record(7, office), terms);
    expect(minReplicas).toBe(1);
    expect(schedules.map(({ name, start, end, floor }) => [name, start, end, floor])).toEqual([
      ["work-09", "0 9 * * MON-FRI", "0 12 * * MON-FRI", 10],
      ["work-12", "0 12 * * MON-FRI", "0 17 * * MON-FRI", 10],
      ["weekend-12", "0 12 * * SAT,SUN", "0 0 * * SUN,MON", 2],
    ]);
  });

  test("hold the floor in every minute of the record, in any zone, and by every hour that is busy", () => {
    for (const timeZone of ["UTC", "Europe/Berlin", "Asia/Kolkata"]) {
      for (const rateAt of [office, (hour: number) => 80 * (1 + (hour % 7)), () => 300]) {
        const recorded = record(7, rateAt);
        const { minReplicas, schedules } = suggestSchedules(recorded, { ...terms, timeZone });
        for (let minute = 0; minute < recorded.length; minute += 17) {
          const { minuteStartMs, qps } = recorded[minute]!;
          const floor = decideSchedules(schedules, minuteStartMs).floor ?? 0;
          expect(Math.max(minReplicas, floor)).toBeGreaterThanOrEqual(neededFor(qps, terms));
        }
      }
    }
  });

  test("a few days are one class; a single busy minute in two hundred sets no floor", () => {
    const recorded = record(4, () => 40);
    recorded[9 * 60] = { ...recorded[9 * 60]!, qps: 900 };
    expect(suggestSchedules(recorded, terms)).toEqual({ minReplicas: 1, schedules: [] });
    const busy = suggestSchedules(
      record(4, (hour) => (hour === 23 ? 200 : 40)),
      terms,
    );
    expect(busy.schedules.map(({ start, end }) => [start, end])).toEqual([["0 23 * * *", "0 0 * * *"]]);
  });

  test("no more agents than there are", () => {
    expect(neededFor(9999, terms)).toBe(12);
    expect(neededFor(0, terms)).toBe(1);
    expect(neededFor(80, terms)).toBe(1);
    expect(neededFor(80.1, terms)).toBe(2);
  });
});

describe("a suggested policy", () => {
  test("is replayed on days that its schedules do not know, beside doing without", () => {
    const suggestion = suggestPolicy(record(9, office), terms);
    const [always, plain, scheduled] = suggestion?.replays ?? [];
    expect(always).toMatchObject({ meanReplicas: 10, shortMinutes: 0 });
    // Tuesday and Wednesday of the second week: eight hours at ten agents, the rest at one.
    expect(suggestion).toMatchObject({ days: 9, replayedDays: 2, minutes: 2 * 1440 + 1 });
    expect(scheduled?.shortMinutes).toBeLessThan(plain?.shortMinutes ?? 0);
    expect(scheduled?.meanReplicas).toBeGreaterThan(3.9);
    expect(scheduled?.meanReplicas).toBeLessThan(4.5);
    const saved = 10 - (scheduled?.meanReplicas ?? 0);
    expect(suggestion?.savedHoursAWeek).toBeCloseTo(saved * 168, 6);
    expect(suggestion?.savedShare).toBeCloseTo(saved / 10, 9);
  });

  test("is a file that the parser takes, in preview", () => {
    const suggestion = suggestPolicy(record(9, office), { ...terms, timeZone: "Europe/Berlin" })!;
    const text = suggestionToText(suggestion, 0.004);
    expect(parseScalingPolicy(parseYaml(text, "suggested.yaml"), "suggested.yaml")).toEqual(suggestion.policy);
    expect(text).toContain("mode: preview");
    expect(text).toMatch(
      /# A week saves \d+ agent-hours \(\d\d\.\d %\) compared with always on: about \d\.\d\d US\$ of energy/,
    );
    expect(suggestionToText(suggestion, null)).toContain("not on record");
  });

  test("needs three days", () => {
    expect(suggestPolicy(record(2, office), terms)).toBeNull();
    expect(suggestPolicy([], terms)).toBeNull();
    expect(suggestPolicy(record(3, office), terms)).not.toBeNull();
  });

  test("survives a change of the clocks and gaps in the record", () => {
    const autumn = record(8, office, Date.UTC(2026, 9, 20)).filter((_, minute) => minute % 3000 > 120);
    const { policy } = suggestPolicy(autumn, { ...terms, timeZone: "Europe/Berlin" })!;
    expect(policy.schedules.length).toBeGreaterThan(0);
    expect(policy.minReplicas).toBe(1);
    expect(autumn.length * minuteMs).toBeLessThan(8 * dayMs);
  });
});
