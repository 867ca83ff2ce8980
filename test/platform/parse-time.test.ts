import { expect, test } from "bun:test";
import { parseIsoTime, parseTime } from "#platform/parse-time.ts";

test.each([
  ["2026-05-04T12:30:00Z", Date.UTC(2026, 4, 4, 12, 30)],
  ["2026-05-04T12:30Z", Date.UTC(2026, 4, 4, 12, 30)],
  ["2026-05-04 12:30:15.25+02:00", Date.UTC(2026, 4, 4, 10, 30, 15, 250)],
  ["2026-05-04T12:30:00,123456789-0330", Date.UTC(2026, 4, 4, 16, 0, 0, 123)],
  ["2026-05-04 12:30:00 UTC", Date.UTC(2026, 4, 4, 12, 30)],
  ["2026-05-04 12:30:00-03", Date.UTC(2026, 4, 4, 15, 30)],
  ["2026-05-04", Date.UTC(2026, 4, 4)],
  ["2028-02-29T23:59:59.999Z", Date.UTC(2028, 1, 29, 23, 59, 59, 999)],
])("%s", (text, atMs) => {
  expect(parseTime(text)).toBe(atMs);
});

test.each([
  ["a day that does not exist", "2026-02-30T00:00:00Z"],
  ["29 February of a common year", "2026-02-29"],
  ["month 13", "2026-13-01T00:00:00Z"],
  ["month 0", "2026-00-01"],
  ["day 0", "2026-01-00"],
  ["hour 24", "2026-01-01T24:00:00Z"],
  ["minute 60", "2026-01-01T00:60:00Z"],
  ["second 60", "2026-01-01T00:00:60Z"],
  ["a zone beyond all", "2026-01-01T00:00:00+25:00"],
  ["hours of a zone beyond all", "2026-01-01T00:00:00+25"],
  ["minutes of a zone beyond an hour", "2026-01-01T00:00:00+01:60"],
  ["no zone", "2026-01-01T00:00:00"],
  ["a year alone", "2026"],
  ["words", "May 4 2026"],
  ["a number", "1767571200"],
  ["more behind it", "2026-01-01T00:00:00Z x"],
  ["a year before 100", "0099-01-01"],
  ["nothing", ""],
])("null for %s", (_name, text) => {
  expect(parseTime(text)).toBeNull();
});

test("a time without a zone is told apart", () => {
  expect(parseIsoTime("2026-01-01 00:00:00")).toEqual({ atMs: Date.UTC(2026, 0, 1), hasZone: false });
  expect(parseIsoTime("2026-02-30 00:00:00")).toBeNull();
});
