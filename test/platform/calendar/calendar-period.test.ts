import { expect, test } from "bun:test";
import { createPeriods, isTimeZone, type PeriodKind, periodOf } from "#platform/calendar/calendar-period.ts";

test.each<[string, PeriodKind, string, string, string, string, string]>([
  ["a day", "day", "2026-11-30T12:00:00Z", "UTC", "2026-11-30", "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"],
  [
    "the first moment of a day",
    "day",
    "2026-11-30T00:00:00Z",
    "UTC",
    "2026-11-30",
    "2026-11-30T00:00:00Z",
    "2026-12-01T00:00:00Z",
  ],
  [
    "a day of 23 hours",
    "day",
    "2026-03-29T12:00:00Z",
    "Europe/Berlin",
    "2026-03-29",
    "2026-03-28T23:00:00Z",
    "2026-03-29T22:00:00Z",
  ],
  [
    "a day of 25 hours",
    "day",
    "2026-10-25T12:00:00Z",
    "Europe/Berlin",
    "2026-10-25",
    "2026-10-24T22:00:00Z",
    "2026-10-25T23:00:00Z",
  ],
  [
    "a day whose midnight is skipped",
    "day",
    "2026-09-06T12:00:00Z",
    "America/Santiago",
    "2026-09-06",
    "2026-09-06T04:00:00Z",
    "2026-09-07T03:00:00Z",
  ],
  [
    "the day before one that a zone left out",
    "day",
    "2011-12-29T12:00:00Z",
    "Pacific/Apia",
    "2011-12-29",
    "2011-12-29T10:00:00Z",
    "2011-12-30T10:00:00Z",
  ],
  [
    "a month, already begun where it is counted",
    "month",
    "2026-02-28T23:30:00Z",
    "Europe/Berlin",
    "2026-03",
    "2026-02-28T23:00:00Z",
    "2026-03-31T22:00:00Z",
  ],
  [
    "the last day of a leap month",
    "month",
    "2028-02-29T23:59:59Z",
    "UTC",
    "2028-02",
    "2028-02-01T00:00:00Z",
    "2028-03-01T00:00:00Z",
  ],
  [
    "the first month of the next year",
    "month",
    "2026-12-31T12:00:00Z",
    "Pacific/Auckland",
    "2027-01",
    "2026-12-31T11:00:00Z",
    "2027-01-31T11:00:00Z",
  ],
])("%s", (_, kind, at, zone, name, start, end) => {
  expect(periodOf(kind, Date.parse(at), zone)).toEqual({ name, startMs: Date.parse(start), endMs: Date.parse(end) });
});

test("the present period is looked up once, and anew when it is over or the clock was set back", () => {
  const periods = createPeriods();
  const at = Date.parse("2026-11-30T12:00:00Z");
  const today = periods("day", at, "UTC");
  expect(periods("day", today.endMs - 1, "UTC")).toBe(today);
  expect(periods("day", today.endMs, "UTC").name).toBe("2026-12-01");
  expect(periods("day", today.startMs - 1, "UTC").name).toBe("2026-11-29");
  expect(periods("month", at, "UTC").name).toBe("2026-11");
  expect(periods("day", at, "Asia/Tokyo").name).toBe("2026-11-30");
  for (let zone = 0; zone < 300; zone += 1) periods("day", at + zone * 86_400_000, "UTC");
  expect(periods("day", at, "UTC")).toEqual(today);
});

test.each([
  ["Europe/Berlin", true],
  ["UTC", true],
  ["Europe/Atlantis", false],
  ["", false],
])("%s is a time zone: %p", (zone, expected) => {
  expect(isTimeZone(zone)).toBe(expected);
});
