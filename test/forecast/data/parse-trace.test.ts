import { describe, expect, test } from "bun:test";
import { findOutages, withoutOutages } from "#forecast/data/find-outages.ts";
import { parseTrace } from "#forecast/data/parse-trace.ts";
import { UsageError } from "#platform/errors.ts";

const line = (minute: number, value: number | string) =>
  `2026-01-05T00:${String(minute).padStart(2, "0")}:00Z,${value}`;
const text = (...lines: string[]) => ["timestamp,value", ...lines].join("\n");

describe("parseTrace", () => {
  test("finds the step and leaves a missing line a gap, not a zero", () => {
    expect(parseTrace(text(line(0, 3), line(1, 0), line(4, 2.5), line(5, 7), ""), "t.csv")).toEqual({
      name: "t.csv",
      stepMs: 60_000,
      startMs: Date.UTC(2026, 0, 5),
      counts: [3, 0, null, null, 2.5, 7],
    });
  });

  test("takes other steps, Windows line ends and zones", () => {
    const crlf = "timestamp,value\r\n2026-01-05T00:00:00+01:00,1\r\n2026-01-05T00:05:00+01:00,2\r\n";
    expect(parseTrace(crlf, "t")).toMatchObject({ stepMs: 300_000, startMs: Date.UTC(2026, 0, 4, 23), counts: [1, 2] });
  });

  const ok = line(0, 1);
  test.each([
    { name: "empty file", input: "", says: 't.csv, line 1: expected "timestamp,value", got ""' },
    { name: "other header", input: "time;count\n", says: 'line 1: expected "timestamp,value", got "time;count"' },
    { name: "no data", input: text(), says: "at least two lines of data, got 0" },
    { name: "one line", input: text(ok), says: "at least two lines of data, got 1" },
    { name: "three fields", input: text(ok, `${line(1, 2)},3`), says: "line 3: expected two fields" },
    { name: "no zone", input: text(ok, "2026-01-05T00:01:00,2"), says: "line 3: expected a timestamp" },
    { name: "no such day", input: text("2026-13-05T00:01:00Z,2"), says: "line 2: expected a timestamp" },
    { name: "30 February", input: text("2026-02-30T00:00:00Z,2"), says: "line 2: expected a timestamp" },
    { name: "no number", input: text(ok, line(1, "x")), says: "line 3: expected a value of zero or more" },
    { name: "no value", input: text(ok, line(1, "")), says: "line 3: expected a value of zero or more" },
    { name: "negative", input: text(line(0, -1)), says: "line 2: expected a value of zero or more" },
    { name: "infinite", input: text(line(0, "Infinity")), says: "line 2: expected a value of zero or more" },
    { name: "NaN", input: text(line(0, "NaN")), says: "line 2: expected a value of zero or more" },
    { name: "same time twice", input: text(ok, ok), says: "line 3: expected a later time" },
    { name: "backwards", input: text(line(5, 1), line(4, 1)), says: "line 3: expected a later time" },
    {
      name: "off the step",
      input: text(ok, line(1, 1), line(2, 1), "2026-01-05T00:02:30Z,1"),
      says: "line 5: expected a time on the trace's step of 60 s",
    },
    {
      name: "years apart",
      input: text(ok, line(1, 1), "2126-01-05T00:00:00Z,1"),
      says: "expected at most 5000000 steps",
    },
  ])("refuses: $name", ({ input, says }) => {
    expect(() => parseTrace(input, "t.csv")).toThrow(UsageError);
    expect(() => parseTrace(input, "t.csv")).toThrow(says);
  });
});

describe("findOutages", () => {
  const zeros = (length: number) => new Array<number>(length).fill(0);
  const busy = (length: number, level: number) => new Array<number>(length).fill(level);
  test.each([
    { name: "nothing", counts: [], expected: [] },
    {
      name: "ten zeros at 3 a step",
      counts: [...busy(60, 3), ...zeros(10), 3],
      expected: [{ startIndex: 60, length: 10 }],
    },
    { name: "at the end", counts: [...busy(60, 5), ...zeros(12)], expected: [{ startIndex: 60, length: 12 }] },
    { name: "nine zeros are too few", counts: [...busy(60, 100), ...zeros(9), 3], expected: [] },
    { name: "quiet traffic may be silent", counts: [...busy(60, 2.9), ...zeros(10), 3], expected: [] },
    { name: "nothing known before", counts: [...zeros(100), 3], expected: [] },
    {
      name: "gaps before are left out",
      counts: [...busy(30, 6), ...new Array(30).fill(null), ...zeros(10)],
      expected: [{ startIndex: 60, length: 10 }],
    },
  ])("$name", ({ counts, expected }) => {
    expect(findOutages(counts)).toEqual([...expected]);
  });

  test("turns them into gaps", () => {
    expect(withoutOutages([1, 0, 0, 4], [{ startIndex: 1, length: 2 }])).toEqual([1, null, null, 4]);
  });

  test("finds the hole of 13 July in the NASA trace and nothing else", async () => {
    const path = new URL("../../../models/traffic-lstm/nasa_http_jul95_1min.csv", import.meta.url).pathname;
    const trace = parseTrace(await Bun.file(path).text(), "nasa");
    expect(trace).toMatchObject({ stepMs: 60_000, startMs: Date.UTC(1995, 6, 1, 4) });
    expect(trace.counts).toHaveLength(39_692);
    const outages = findOutages(trace.counts);
    expect(outages.map(({ startIndex }) => new Date(trace.startMs + startIndex * 60_000).toISOString())).toEqual([
      "1995-07-13T23:49:00.000Z",
    ]);
  });
});
