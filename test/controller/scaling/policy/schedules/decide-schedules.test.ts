import { describe, expect, test } from "bun:test";
import { Cron } from "croner";
import { decisions } from "#cli/decide/decisions.ts";
import { alternationFault, timeZoneDoubt } from "#controller/scaling/policy/schedules/cron-window.ts";
import { decideSchedules } from "#controller/scaling/policy/schedules/decide-schedules.ts";
import { explainSchedules } from "#controller/scaling/policy/schedules/explain-schedules.ts";
import type { Schedule } from "#controller/scaling/policy/schedules/schedule.ts";

const at = (text: string) => Date.parse(text);
const schedule = (given: Partial<Schedule>): Schedule => ({
  name: "hours",
  timeZone: "Europe/Berlin",
  start: "0 9 * * *",
  end: "0 17 * * *",
  priority: 0,
  ...given,
});
const night = schedule({ name: "night", start: "0 22 * * *", end: "0 6 * * *", exact: 1 });
const work = schedule({ name: "work", start: "0 9 * * MON-FRI", end: "0 17 * * MON-FRI", floor: 8 });

describe("one window", () => {
  const utc = { timeZone: "UTC", floor: 3 };
  const ends = schedule({ ...utc, timeZone: "Europe/Prague", start: "30 6 * * 1-5", end: "10 22 * * *" });
  const both = schedule({ ...utc, start: "0 6 */2 * 1", end: "0 22 * * *" });
  const either = schedule({ ...utc, start: "0 6 17 * 1", end: "0 22 * * *" });
  const starts = schedule({ ...utc, start: "0 6 * * *", end: "0 22 * * 5" });
  const saturday = schedule({ ...utc, start: "0 0 * * SAT", end: "0 0 * * *" });
  test.each([
    { $: "the minute before it opens", schedule: work, now: "2026-01-14T07:59:59.999Z", floor: null },
    { $: "the moment it opens", schedule: work, now: "2026-01-14T08:00:00Z", floor: 8 },
    { $: "within it", schedule: work, now: "2026-01-14T12:00:00.123Z", floor: 8 },
    { $: "its last millisecond", schedule: work, now: "2026-01-14T15:59:59.999Z", floor: 8 },
    { $: "the moment it closes", schedule: work, now: "2026-01-14T16:00:00Z", floor: null },
    { $: "an hour earlier in summer", schedule: work, now: "2026-07-14T07:00:00Z", floor: 8 },
    { $: "closed by then in summer", schedule: work, now: "2026-07-14T15:00:00Z", floor: null },
    { $: "not on a Saturday", schedule: work, now: "2026-01-17T12:00:00Z", floor: null },
    { $: "over midnight, before it", schedule: night, now: "2026-01-14T22:30:00Z", floor: 1 },
    { $: "over midnight, after it", schedule: night, now: "2026-01-14T04:59:00Z", floor: 1 },
    { $: "over midnight, closed", schedule: night, now: "2026-01-14T05:00:00Z", floor: null },
    {
      $: "the same pattern twice is always open",
      schedule: schedule({ start: "0 8 * * *", end: "0 8 * * *", floor: 3 }),
      now: "2026-01-14T03:00:00Z",
      floor: 3,
    },
    {
      $: "the other half of the world",
      schedule: schedule({ timeZone: "Australia/Sydney", floor: 4 }),
      now: "2026-01-13T22:30:00Z",
      floor: 4,
    },
    {
      $: "a weekend",
      schedule: schedule({ start: "0 0 * * SAT", end: "0 0 * * MON", floor: 2 }),
      now: "2026-01-18T22:59:00Z",
      floor: 2,
    },
    { $: "every second day of the month, if it is a Monday", schedule: both, now: "2026-06-08T12:00:00Z", floor: null },
    { $: "a Monday with an odd date", schedule: both, now: "2026-06-15T12:00:00Z", floor: 3 },
    { $: "an odd date that is no Monday", schedule: both, now: "2026-06-17T12:00:00Z", floor: null },
    { $: "a day of the month or a weekday: the day", schedule: either, now: "2026-06-17T12:00:00Z", floor: 3 },
    { $: "a day of the month or a weekday: the weekday", schedule: either, now: "2026-06-08T12:00:00Z", floor: 3 },
    { $: "an end on days without a start: open on Friday", schedule: ends, now: "2026-11-27T20:00:00Z", floor: 3 },
    { $: "closed on Saturday, whose end comes alone", schedule: ends, now: "2026-11-28T12:00:00Z", floor: null },
    { $: "closed on Sunday night", schedule: ends, now: "2026-11-29T22:00:00Z", floor: null },
    {
      $: "a start on days without an end: open from the first",
      schedule: starts,
      now: "2026-11-24T12:00:00Z",
      floor: 3,
    },
    { $: "through the second", schedule: starts, now: "2026-11-25T12:00:00Z", floor: 3 },
    { $: "until the end", schedule: starts, now: "2026-11-27T22:00:00Z", floor: null },
    { $: "a day between the ends of others", schedule: saturday, now: "2026-11-28T12:00:00Z", floor: 3 },
    { $: "and no longer", schedule: saturday, now: "2026-11-29T00:00:00Z", floor: null },
    { $: "nor before", schedule: saturday, now: "2026-11-27T23:59:59.500Z", floor: null },
  ])("$$: $now -> $floor", ({ schedule, now, floor }) => {
    expect(decideSchedules([schedule], at(now)).floor).toBe(floor);
  });

  test("any patterns: open exactly while the last event was a start", () => {
    const minutes = ["0", "30"];
    const hours = ["6", "22", "*/6"];
    const days = ["*", "1-5", "6", "2,4"];
    const patterns = minutes.flatMap((minute) =>
      hours.flatMap((hour) => days.map((day) => `${minute} ${hour} * * ${day}`)),
    );
    const from = at("2026-11-09T00:00:00Z");
    const runsOf = new Map(
      patterns.map((pattern) => [
        pattern,
        new Cron(pattern, { timezone: "UTC", paused: true }).nextRuns(60, new Date(from - 1000)).map(Number),
      ]),
    );
    const last = (pattern: string, now: number) => runsOf.get(pattern)?.findLast((run) => run <= now) ?? 0;
    for (const start of patterns) {
      for (const end of patterns) {
        // Two weeks later every pattern has had an event.
        for (let now = from + 8 * 86_400_000; now < from + 10 * 86_400_000; now += 5 * 3_600_000 + 60_000) {
          if (last(start, now) === last(end, now)) continue;
          const open = decideSchedules([schedule({ timeZone: "UTC", start, end, floor: 1 })], now).floor === 1;
          expect({ start, end, now, open }).toEqual({ start, end, now, open: last(start, now) > last(end, now) });
        }
      }
    }
  });
});

describe("starts and ends that do not take turns", () => {
  test.each([
    ["30 6 * * 1-5", "10 22 * * *", "it closes at Friday 22:10 and again at Saturday 22:10 without a start between"],
    ["0 6 * * *", "0 22 * * 1-5", "it opens at Saturday 06:00 and again at Sunday 06:00 without an end between"],
    ["*/10 * * * *", "5 * * * *", "it opens at Thursday 00:10 and again at Thursday 00:20 without an end between"],
  ])("%s to %s", (start, end, fault) => {
    expect(alternationFault(start, end)).toBe(fault);
  });
  test.each([
    ["0 9 * * 1-5", "0 17 * * 1-5"],
    ["0 22 * * *", "0 6 * * *"],
    ["0 0 * * SAT", "0 0 * * MON"],
    ["0 8 * * *", "0 8 * * *"],
    ["0 0 1 1 *", "0 0 2 1 *"],
    ["0 0 * * 1-5", "0 0 * * 2-6"],
  ])("%s to %s do", (start, end) => {
    expect(alternationFault(start, end)).toBeNull();
  });
});

test.each([
  ["Etc/GMT+2", "Etc/GMT+2 is 2 h behind UTC, all year"],
  ["etc/gmt-10", "etc/gmt-10 is 10 h ahead of UTC, all year"],
  ["Etc/GMT", null],
  ["Etc/GMT+0", null],
  ["Europe/Berlin", null],
])("the zone %s is doubted: %p", (zone, doubt) => {
  expect(timeZoneDoubt(zone)).toBe(doubt);
});

describe("changes of the clock", () => {
  const inGap = schedule({ start: "0 2 * * *", end: "0 3 * * *", floor: 5 });
  const twice = schedule({ start: "30 2 * * *", end: "30 3 * * *", floor: 5 });
  test.each([
    {
      $: "a window the clock skips is not open the day before",
      schedule: inGap,
      now: "2026-03-28T12:00:00Z",
      floor: null,
    },
    { $: "nor at the moment it is skipped", schedule: inGap, now: "2026-03-29T01:00:00Z", floor: null },
    { $: "nor the day after", schedule: inGap, now: "2026-03-29T12:00:00Z", floor: null },
    { $: "the night after it is open again", schedule: inGap, now: "2026-03-30T00:30:00Z", floor: 5 },
    { $: "half in the gap: opens when the clock has jumped", schedule: twice, now: "2026-03-29T01:10:00Z", floor: 5 },
    { $: "half in the gap: closed before", schedule: twice, now: "2026-03-29T00:59:00Z", floor: null },
    { $: "an hour that comes twice: opens the first time", schedule: twice, now: "2026-10-25T00:30:00Z", floor: 5 },
    { $: "and is open through the second", schedule: twice, now: "2026-10-25T02:29:00Z", floor: 5 },
    { $: "until its end", schedule: twice, now: "2026-10-25T02:30:00Z", floor: null },
    { $: "a long night has an hour more", schedule: night, now: "2026-10-25T04:59:00Z", floor: 1 },
    { $: "a short night an hour less", schedule: night, now: "2026-03-29T04:00:00Z", floor: null },
  ])("$$: $now -> $floor", ({ schedule, now, floor }) => {
    expect(decideSchedules([schedule], at(now)).floor).toBe(floor);
  });

  test("a whole year in one zone: 365 windows of eight hours, none of them missed or doubled", () => {
    const daily = schedule({ start: "0 9 * * *", end: "0 17 * * *", floor: 1 });
    let openMinutes = 0;
    for (let minute = at("2026-01-01T00:00:00Z"); minute < at("2027-01-01T00:00:00Z"); minute += 30 * 60_000) {
      if (decideSchedules([daily], minute).floor !== null) openMinutes += 30;
    }
    expect(openMinutes).toBe(365 * 8 * 60);
  });
});

describe("windows that overlap", () => {
  const always = { start: "0 0 * * *", end: "0 0 * * *" };
  const rule = (name: string, given: Partial<Schedule>) => schedule({ name, ...always, ...given });
  test.each([
    { $: "none", rules: [], floor: null, ceiling: null },
    { $: "the highest floor", rules: [rule("a", { floor: 2 }), rule("b", { floor: 5 })], floor: 5, ceiling: null },
    { $: "the lowest ceiling", rules: [rule("a", { ceiling: 9 }), rule("b", { ceiling: 7 })], floor: null, ceiling: 7 },
    { $: "floor and ceiling", rules: [rule("a", { floor: 2 }), rule("b", { ceiling: 7 })], floor: 2, ceiling: 7 },
    { $: "exact is both", rules: [rule("a", { exact: 4 })], floor: 4, ceiling: 4 },
    { $: "none at all", rules: [rule("a", { exact: 0 })], floor: 0, ceiling: 0 },
    {
      $: "contradiction: the floor",
      rules: [rule("a", { floor: 8 }), rule("b", { ceiling: 3 })],
      floor: 8,
      ceiling: 8,
    },
    { $: "two exacts: the higher", rules: [rule("a", { exact: 3 }), rule("b", { exact: 5 })], floor: 5, ceiling: 5 },
    {
      $: "a higher priority comes first",
      rules: [rule("a", { exact: 1 }), rule("b", { floor: 6, priority: 10 })],
      floor: 6,
      ceiling: 6,
    },
    {
      $: "a lower one counts within what is left",
      rules: [rule("a", { floor: 8, priority: 1 }), rule("b", { floor: 3, ceiling: 5, priority: 2 })],
      floor: 5,
      ceiling: 5,
    },
    {
      $: "and may narrow it",
      rules: [rule("a", { ceiling: 4, priority: -1 }), rule("b", { floor: 2, priority: 2 })],
      floor: 2,
      ceiling: 4,
    },
    {
      $: "three levels",
      rules: [
        rule("a", { exact: 9, priority: 1 }),
        rule("b", { ceiling: 6, priority: 2 }),
        rule("c", { floor: 7, priority: 3 }),
      ],
      floor: 7,
      ceiling: 7,
    },
  ])("$$ -> $floor..$ceiling", ({ rules, floor, ceiling }) => {
    expect(decideSchedules(rules, at("2026-05-05T12:00:00Z"))).toMatchObject({ floor, ceiling });
    expect(decideSchedules(rules.toReversed(), at("2026-05-05T12:00:00Z"))).toMatchObject({ floor, ceiling });
  });

  test("it says which, until when, and when the next change comes", () => {
    const both = [work, night];
    expect(decideSchedules(both, at("2026-01-14T12:00:00Z"))).toEqual({
      floor: 8,
      ceiling: null,
      open: [{ name: "work", priority: 0, floor: 8, ceiling: null, untilMs: at("2026-01-14T16:00:00Z") }],
      contradictions: [],
      nextChangeMs: at("2026-01-14T16:00:00Z"),
    });
    expect(decideSchedules(both, at("2026-01-14T18:00:00Z"))).toMatchObject({
      open: [],
      nextChangeMs: at("2026-01-14T21:00:00Z"),
    });
    const contradicting = [rule("a", { floor: 8 }), rule("b", { ceiling: 3 })];
    expect(decideSchedules(contradicting, at("2026-05-05T12:00:00Z")).contradictions).toEqual([8]);
  });

  test("without schedules nothing changes ever", () => {
    expect(decideSchedules([], at("2026-05-05T12:00:00Z"))).toEqual({
      ...{ floor: null, ceiling: null, open: [], contradictions: [], nextChangeMs: null },
    });
  });

  test.each([
    ["a floor", [work, night], "2026-01-14T12:00:00Z", "work wants at least 8 until 2026-01-14 17:00 Europe/Berlin"],
    [
      "an exact number",
      [work, night],
      "2026-01-14T22:00:00Z",
      "night wants exactly 1 until 2026-01-15 06:00 Europe/Berlin",
    ],
    [
      "both bounds",
      [schedule({ name: "fair", floor: 2, ceiling: 5 })],
      "2026-01-14T12:00:00Z",
      "fair wants at least 2 and at most 5 until 2026-01-14 17:00 Europe/Berlin",
    ],
    ["no window", [work, night], "2026-01-14T18:00:00Z", "no schedule's window is open"],
    [
      "windows together",
      [rule("a", { floor: 2, priority: 1 }), rule("b", { ceiling: 7 })],
      "2026-05-05T12:00:00Z",
      /^a wants at least 2 until .*; b wants at most 7 until .*; together at least 2 and at most 7$/,
    ],
    [
      "a contradiction",
      [rule("a", { floor: 8 }), rule("b", { ceiling: 3 })],
      "2026-05-05T12:00:00Z",
      /; the floor of 8 overrides a lower ceiling of the same priority; together exactly 8$/,
    ],
  ] as [string, Schedule[], string, string | RegExp][])("the reason of %s", (_name, schedules, now, reason) => {
    expect(explainSchedules(decideSchedules(schedules, at(now)), schedules)).toMatch(reason);
  });
});

describe("from a file", () => {
  const mistakes = (schedules: unknown): string[] => {
    try {
      decisions["schedules"]?.answer({ schedules, nowMs: 0 }, "x.json");
      return [];
    } catch (error) {
      return (error as Error).message.split("\n  ").slice(1);
    }
  };

  test("all mistakes at once, each with its place", () => {
    const lines = mistakes([
      schedule({ timeZone: "Mars/Base", start: "0 25 * * *", end: "0 0 30 2 *" }),
      schedule({ floor: 5, ceiling: 3 }),
      schedule({ name: "other", exact: 1, floor: 1 }),
    ]);
    expect(lines.map((line) => line.split(":")[0])).toEqual([
      "schedules.0.timeZone",
      "schedules.0.start",
      "schedules.0.end",
      "schedules.0.floor",
      "schedules.1.floor",
      "schedules.1.name",
      "schedules.2.exact",
    ]);
    expect(lines[0]).toContain('got "Mars/Base"');
    expect(lines[1]).toContain("Invalid value for hour: 25");
    expect(lines[2]).toContain("never does");
  });

  test.each(["", "* * * *", "0 0 * * * *", "a b c d e", "+02:00"])("no cron: %p", (start) => {
    expect(mistakes([schedule({ start, floor: 1 })])[0]).toMatch(/^schedules\.0\.start: expected/);
  });

  test("a fixed offset is no zone: it has no daylight saving", () => {
    expect(mistakes([schedule({ timeZone: "+02:00", floor: 1 })])[0]).toMatch(/^schedules\.0\.timeZone/);
  });
});

test("floors that override ceilings are listed by priority; a floor at its ceiling does not", () => {
  const always = { start: "0 0 * * *", end: "0 0 * * *" };
  const at = (priority: number, floor: number, ceiling: number) => [
    schedule({ ...always, name: `floor-${priority}`, priority, floor }),
    schedule({ ...always, name: `ceiling-${priority}`, priority, ceiling }),
  ];
  const decision = decideSchedules([...at(1, 5, 4), ...at(2, 9, 8), ...at(3, 3, 3)], 0);
  expect(decision.contradictions).toEqual([9, 5]);
  expect(decideSchedules([schedule({ ...always, exact: 3 })], 0)).toMatchObject({
    ...{ contradictions: [], floor: 3, ceiling: 3 },
  });
  const never = schedule({ start: "0 0 31 2 *", end: "0 1 31 2 *", floor: 2 });
  expect(decideSchedules([never], 0)).toMatchObject({ nextChangeMs: null });
});
