import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { localDay, readZone, startOfDay } from "#controller/cost/window/local-time.ts";
import { parseQueryWindow, parseWindow, windowPattern } from "#controller/cost/window/parse-window.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import windowCases from "../../../fixtures/window-cases.json";

const answer = (input: unknown) => decisions["window"]?.answer(input, "x.json") as Record<string, unknown>;
const nowMs = Date.parse("2026-11-30T10:20:30Z");
const isoOf = (window: ReturnType<typeof parseWindow>) =>
  "expected" in window
    ? window.expected
    : [window.startMs, window.endMs].map((ms) => new Date(ms).toISOString().replace(":00.000Z", "Z")).join(" ");

describe("OpenCost's cases", () => {
  test("there are all", () => expect(windowCases.cases.length).toBe(31));
  test.each(windowCases.cases.map((each) => [each.name, each] as const))("%s", (_name, each) => {
    expect(answer(each.input)).toMatchObject(("decided" in each && each.decided) || each.expect);
  });
});

describe("what the cases leave open", () => {
  test.each([
    ["1583712000,1583884800", "2020-03-09T00:00Z 2020-03-11T00:00Z"],
    ["1583712000-1583884800", "2020-03-09T00:00Z 2020-03-11T00:00Z"],
    ["1583712000|1583884800", "2020-03-09T00:00Z 2020-03-11T00:00Z"],
    ["1583712000000,1583884800000", "2020-03-09T00:00Z 2020-03-11T00:00Z"],
    ["0,1583884800000", "1970-01-01T00:00Z 2020-03-11T00:00Z"],
    ["0,1583884800", "1970-01-01T00:00Z 2020-03-11T00:00Z"],
    ["15m", "2026-11-30T10:06Z 2026-11-30T10:21Z"],
    ["2w", "2026-11-17T00:00Z 2026-12-01T00:00Z"],
    ["lastweek", "2026-11-22T00:00Z 2026-11-29T00:00Z"],
    ["1h offset 1w", "2026-11-23T09:20:30.000Z 2026-11-23T10:20:30.000Z"],
    ["2024-02-29T00:00:00Z,2024-03-01T00:00:00Z", "2024-02-29T00:00Z 2024-03-01T00:00Z"],
  ])("%s is %s", (text, window) => {
    expect(isoOf(parseWindow(text, nowMs))).toBe(window);
  });

  test.each([
    ["1583712000,1583884800000", /both times in unix seconds/],
    ["99999999999,100000000000", /both times in unix seconds/],
    ["0,9999999999999999", /up to 8640000000000000/],
    ["2023-02-29T00:00:00Z,2023-03-01T00:00:00Z", /a day and a time that exist/],
    ["2023-02-28T24:00:00Z,2023-03-01T00:00:00Z", /a day and a time that exist/],
    ["7d ", /15m/],
    ["7d,1583884800", /15m/],
    ["TODAY", /15m/],
  ])("%s is none", (text, expected) => {
    expect(isoOf(parseWindow(text, nowMs))).toMatch(expected);
  });

  test.each([
    ["0d", /start before the end/],
    ["1583884800,1583712000", /start before the end/],
    ["999999d", /from 1970 on/],
    ["1893456000,1893542400", /not in the future/],
    ["today", /2026-11-30T00:00Z 2026-12-01T00:00Z/],
  ])("a query of %s", (text, expected) => {
    expect(isoOf(parseQueryWindow(text, nowMs))).toMatch(expected);
  });

  test("the pattern of the API takes all that the parser takes", () => {
    const texts = windowCases.cases.filter((each) => !("error" in (each.decided ?? each.expect)));
    for (const { input } of texts) expect(input.window).toMatch(new RegExp(windowPattern));
  });

  test("an unknown zone is named", () => {
    const input = { window: "7d", nowUtc: "2026-11-30T10:20:30Z", utcOffset: "Mars/Olympus" };
    expect(answer(input)).toEqual({ error: true, reason: expect.stringMatching(/utcOffset: .*Berlin.*Mars/) });
    expect(() => answer({ ...input, nowUtc: "soon" })).toThrow(/nowUtc: expected a time.*soon/);
  });
});

describe("local days", () => {
  const zoned = (text: string, at: string, zone: string) => isoOf(parseWindow(text, Date.parse(at), zone));
  test.each([
    ["23 hours in spring", "today", "2026-03-29T12:00:00Z", "2026-03-28T23:00Z 2026-03-29T22:00Z"],
    ["25 hours in autumn", "today", "2026-10-25T12:00:00Z", "2026-10-24T22:00Z 2026-10-25T23:00Z"],
    ["over a month with a change", "lastmonth", "2026-04-15T12:00:00Z", "2026-02-28T23:00Z 2026-03-31T22:00Z"],
    ["over a new year", "lastmonth", "2026-01-01T12:00:00Z", "2025-11-30T23:00Z 2025-12-31T23:00Z"],
    ["week from Sunday", "lastweek", "2026-03-30T12:00:00Z", "2026-03-21T23:00Z 2026-03-28T23:00Z"],
  ])("Berlin: %s", (_name, text, at, window) => {
    expect(zoned(text, at, "Europe/Berlin")).toBe(window);
  });

  test("a midnight that the clock skips: the day begins an hour later", () => {
    expect(zoned("today", "2018-11-04T12:00:00Z", "America/Sao_Paulo")).toBe("2018-11-04T03:00Z 2018-11-05T02:00Z");
  });

  test.each(["UTC", "+05:45", "-14:00", "Europe/Berlin", "America/Sao_Paulo", "Asia/Tehran", "Pacific/Apia"])(
    "every moment of years lies in its local day: %s",
    (zone) => {
      const offsetAt = readZone(zone);
      if (offsetAt === null) throw new Error(zone);
      for (let atMs = Date.UTC(2011, 11, 20); atMs < Date.UTC(2019, 2, 1); atMs += 31 * hourMs) {
        const day = localDay(atMs, offsetAt);
        const [startMs, endMs] = [startOfDay(day, offsetAt), startOfDay(day + 1, offsetAt)];
        expect(
          startMs <= atMs && atMs < endMs && endMs - startMs >= 22 * hourMs && endMs - startMs <= 2 * dayMs,
        ).toBeTrue();
      }
    },
  );
});
