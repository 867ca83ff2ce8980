import { describe, expect, test } from "bun:test";
import { findOutages, withoutOutages } from "#forecast/data/find-outages.ts";
import { parseTrace, readTraceText } from "#forecast/data/parse-trace.ts";
import { UsageError } from "#platform/errors.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

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
    {
      name: "empty file",
      input: "",
      says: 't.csv, line 1: expected a timestamp like 1995-07-01T04:00:00Z and a value, got ""',
    },
    {
      name: "other header",
      input: "time;count\n",
      says: 'line 1: expected a timestamp like 1995-07-01T04:00:00Z and a value, got "time;count"',
    },
    {
      name: "no data",
      input: text(),
      says: 'line 1: expected a timestamp like 1995-07-01T04:00:00Z and a value, got "timestamp,value"',
    },
    { name: "one line", input: text(ok), says: "at least two lines of data, got 1" },
    { name: "three fields", input: text(ok, `${line(1, 2)},3`), says: "line 3: expected 2 fields" },
    { name: "no zone", input: text(ok, "2026-01-05T00:01:00,2"), says: "line 3: expected a timestamp" },
    { name: "no such day", input: text("2026-13-05T00:01:00Z,2"), says: "line 2: expected a timestamp" },
    { name: "30 February", input: text("2026-02-30T00:00:00Z,2"), says: "line 2: expected a timestamp" },
    { name: "no number", input: text(ok, line(1, "x")), says: "line 3: expected a value of zero or more" },
    {
      name: "a first time that does not exist",
      input: text("2026-02-30T00:00:00Z,2", ok, line(1, 1)),
      says: "line 2: expected a timestamp",
    },
    {
      name: "a unit",
      input: text(ok, line(1, 1), line(2, "1.2 req/s")),
      says: "line 4: expected a value of zero or more",
    },
    {
      name: "a day and a month that may be either",
      input: "Time,Value\n1/5/2026 00:00,1\n1/5/2026 00:01,2",
      says: "expected a timestamp",
    },
    {
      name: "two columns of numbers",
      input: "time,a,b\n2026-01-05T00:00:00Z,1,2\n2026-01-05T00:01:00Z,1,2",
      says: 't.csv has several: expected --column with one of "a", "b"',
    },
    {
      name: "two series",
      input: "Series;Time;Value\na;2026-01-05T00:00:00Z;1\nb;2026-01-05T00:00:00Z;2",
      says: 't.csv has 2 series: expected --column with one of "a", "b"',
    },
    { name: "negative", input: text(line(0, -1)), says: "line 2: expected a value of zero or more" },
    { name: "infinite", input: text(line(0, "Infinity")), says: "line 2: expected a value of zero or more" },
    { name: "NaN", input: text(line(0, "NaN")), says: "at least two lines of data, got 1" },
    { name: "same time twice", input: text(ok, ok), says: "line 3: expected a unique time" },
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

describe("traces as other programs write them", () => {
  const start = Date.UTC(2026, 0, 5);
  const iso = (minute: number, separator = "T", zone = "Z") =>
    `${new Date(start + minute * 60_000).toISOString().slice(0, 19).replace("T", separator)}${zone}`;
  const rows = (head: string, ...lines: string[]) => [head, ...lines].join("\n");
  const s = start / 1000;
  test.each([
    ["Grafana, epoch ms", rows('"Time","Value #A"', `${start},1`, `${start + 60_000},2.5`, `${start + 120_000},3`)],
    [
      "Grafana, local times",
      rows('"Time","requests"', `${iso(0, " ", "")},1`, `${iso(1, " ", "")},2.5`, `${iso(2, " ", "")},3`),
    ],
    ["Grafana 6, series as rows", rows("Series;Time;Value", `a;${iso(0)};1`, `a;${iso(1)};2.5`, `a;${iso(2)};3`)],
    ["Grafana for Excel", rows("sep=;", '"Time";"Value"', `"${iso(0)}";"1"`, `"${iso(1)}";"2.5"`, `"${iso(2)}";"3"`)],
    ["quotes around all", rows('"timestamp","value"', `"${iso(0)}","1"`, `"${iso(1)}","2.5"`, `"${iso(2)}","3"`)],
    [
      "CloudWatch",
      rows(
        "Label,RequestCount",
        "Period,60",
        "2026/01/05 00:00:00,1",
        "2026/01/05 00:01:00,2.5",
        "2026/01/05 00:02:00,3",
      ),
    ],
    ["Excel, German", rows("Zeit;Wert", "05.01.2026 00:00;1", "05.01.2026 00:01;2,5", "05.01.2026 00:02;3,0")],
    [
      "Excel, American",
      rows("Time\tValue", "1/5/2026 12:00:00 AM\t1", "1/5/2026 12:01:00 AM\t2.5", "1/5/2026 12:02:00 AM\t3"),
    ],
    [
      "InfluxDB, annotated",
      rows(
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string",
        "#group,false,false,true,true,false,false,true",
        ",result,table,_start,_stop,_time,_value,_field",
        `,,0,${iso(0)},${iso(9)},${iso(0)},1,n`,
        `,,0,${iso(0)},${iso(9)},${iso(1)},2.5,n`,
        `,,0,${iso(0)},${iso(9)},${iso(2)},3,n`,
      ),
    ],
    [
      "InfluxDB, ns",
      rows("name,time,mean", `r,${s}000000000,1`, `r,${s + 60}000000000,2.5`, `r,${s + 120}000000000,3`),
    ],
    [
      "pandas",
      rows(",value", `${iso(0, " ", "+00:00")},1.0`, `${iso(1, " ", "+00:00")},2.5`, `${iso(2, " ", "+00:00")},3.0`),
    ],
    ["pandas with an index", rows(",timestamp,value", `0,${iso(0)},1`, `1,${iso(1)},2.5`, `2,${iso(2)},3`)],
    ["epoch s", rows("ts,value", `${s},1`, `${s + 60},2.5`, `${s + 120},3`)],
    ["epoch s with a fraction", rows("ts,value", `${s}.000,1`, `${s + 60}.0,2.5`, `${s + 120},3`)],
    ["epoch µs", rows("ts,value", `${start}000,1`, `${start + 60_000}000,2.5`, `${start + 120_000}000,3`)],
    ["no heading", rows(`${iso(0)},1`, `${iso(1)},2.5`, `${iso(2)},3`)],
    ["the value first", rows("value,timestamp", `1,${iso(0)}`, `2.5,${iso(1)}`, `3,${iso(2)}`)],
    ["newest first", rows("timestamp,value", `${iso(2)},3`, `${iso(1)},2.5`, `${iso(0)},1`)],
    ["a byte order mark", `\ufeff${rows("timestamp,value", `${iso(0)},1`, `${iso(1)},2.5`, `${iso(2)},3`)}`],
    ["a line 137 ms late", rows("timestamp,value", `${iso(0)},1`, `2026-01-05T00:01:00.137Z,2.5`, `${iso(2)},3`)],
    ["digits alone to the minute", rows("t,value", "202601050000,1", "202601050001,2.5", "202601050002,3")],
    ["digits alone to the second", rows("t,value", "20260105000000,1", "20260105000100,2.5", "20260105000200,3")],
    [
      "the end of each step before its start",
      rows("end,start,value", `${iso(1)},${iso(0)},1`, `${iso(2)},${iso(1)},2.5`, `${iso(3)},${iso(2)},3`),
    ],
    [
      "start and end",
      rows("window_start,window_end,n", `${iso(0)},${iso(1)},1`, `${iso(1)},${iso(2)},2.5`, `${iso(2)},${iso(3)},3`),
    ],
    ["PostgreSQL", rows("bucket,n", `${iso(0, " ", "+00")},1`, `${iso(1, " ", "+00")},2.5`, `${iso(2, " ", "+00")},3`)],
    ["years of two digits", rows("Zeit;Wert", "05.01.26 00:00;1", "05.01.26 00:01;2,5", "05.01.26 00:02;3,0")],
    ["the first line late", rows("timestamp,value", `2026-01-05T00:00:00.137Z,1`, `${iso(1)},2.5`, `${iso(2)},3`)],
  ])("%s", (_name, input) => {
    expect(parseTrace(input, "t.csv")).toEqual({ name: "t.csv", stepMs: 60_000, startMs: start, counts: [1, 2.5, 3] });
  });

  test.each([
    ["1.2 K", 1200],
    ["3 Mil", 3e6],
    ["1,234", 1234],
    ["1,234.5", 1234.5],
    ["1e3", 1000],
    ["", null],
    ["NaN", null],
    ["null", null],
    ["-", null],
    ["N/A", null],
    ["undefined", null],
  ])("the value %p", (cell, value) => {
    const input = rows("timestamp,value", `${iso(0)},1`, `${iso(1)},"${cell}"`, `${iso(2)},3`);
    expect(parseTrace(input, "t").counts).toEqual([1, value, 3]);
  });

  test.each([
    ["1,5", 1.5],
    ["1.234,5", 1234.5],
    ["1,234", 1.234],
  ])("the value %p between semicolons", (cell, value) => {
    expect(parseTrace(rows("t;v", `${iso(0)};1`, `${iso(1)};${cell}`, `${iso(2)};3`), "t").counts).toEqual([
      1,
      value,
      3,
    ]);
  });

  test("hours of digits alone, as of page views, are no seconds since 1970", () => {
    const hours = ["2015100122,5", "2015100123,7", "2015100200,4", "2015100201,3"];
    expect(parseTrace(rows("timestamp,views", ...hours), "t")).toMatchObject({
      stepMs: 3_600_000,
      startMs: Date.UTC(2015, 9, 1, 22),
      counts: [5, 7, 4, 3],
    });
  });

  test("milliseconds since 1970 before 2001 have twelve digits, too", () => {
    const trace = parseTrace(rows("t,v", "804571200000,1", "804571260000,2", "804571320000,3"), "t");
    expect(trace).toMatchObject({ stepMs: 60_000, startMs: Date.UTC(1995, 6, 1, 4) });
  });

  test("American days of two-digit years count where a line tells day from month", () => {
    expect(parseTrace(rows("t,v", "1/12/26 23:59,1", "1/13/26 0:00,2"), "t").startMs).toBe(
      Date.UTC(2026, 0, 12, 23, 59),
    );
    expect(() => parseTrace(rows("t,v", "1/5/26 0:00,1", "1/5/26 0:01,2"), "t")).toThrow("expected a timestamp");
  });

  test("missing lines are said", () => {
    const notes: string[] = [];
    const input = rows("t,v", `${iso(0)},1`, `${iso(1)},1`, `${iso(5)},1`, `${iso(6)},1`);
    parseTrace(input, "t", { note: (text) => void notes.push(text) });
    expect(notes).toEqual(["t: 3 of 7 steps of 60 s have no line and count as gaps"]);
  });

  test("a column or a series is taken by its name", () => {
    const wide = rows("time,a,b", `${iso(0)},1,4`, `${iso(1)},2,5`);
    expect(parseTrace(wide, "t", { column: "b" }).counts).toEqual([4, 5]);
    const long = rows("Series;Time;Value", `a;${iso(0)};1`, `b;${iso(0)};4`, `a;${iso(1)};2`, `b;${iso(1)};5`);
    expect(parseTrace(long, "t", { column: "b" }).counts).toEqual([4, 5]);
    expect(() => parseTrace(wide, "t", { column: "c" })).toThrow(
      't has several: expected --column with one of "a", "b"',
    );
  });

  test("what was assumed is said", () => {
    const notes: string[] = [];
    const input = rows(
      "timestamp,value",
      `${iso(0, " ", "")},1`,
      "2026-01-05 00:01:00.137,2",
      `${iso(2, " ", "")},`,
      `${iso(3, " ", "")},1`,
    );
    parseTrace(input, "t", { note: (text) => void notes.push(text) });
    expect(notes).toEqual([
      "t: its times have no zone and were read as UTC",
      "t: 1 line has no value, which counts as a gap, not as zero",
      "t: 1 of 4 lines are up to 137 ms off the step of 60 s and were moved to it",
    ]);
  });

  test.each([
    {
      cells: ["1", "1,234", "900"],
      delimiter: ";",
      says: "t: 1,234 was read as 1.234; no line tells thousands from decimals",
    },
    {
      cells: ["1", '"1,234"', "900"],
      delimiter: ",",
      says: "t: 1,234 was read as 1234; no line tells thousands from decimals",
    },
    {
      cells: ["1", "1.234", "900"],
      delimiter: ";",
      says: "t: 1.234 was read as 1.234; no line tells thousands from decimals",
    },
    { cells: ["1", "1,234", "0,500"], delimiter: ";", says: null },
    { cells: ["1", "1,234", "2,5"], delimiter: ";", says: null },
    { cells: ["1", "1.234", "2"], delimiter: ",", says: null },
    { cells: ["1", '"1,234"', '"1,234,567"'], delimiter: ",", says: null },
  ])("a number that may be two is said: $cells", ({ cells, delimiter, says }) => {
    const notes: string[] = [];
    const lines = cells.map((cell, minute) => `${iso(minute)}${delimiter}${cell}`);
    parseTrace(rows(`t${delimiter}v`, ...lines), "t", { note: (text) => void notes.push(text) });
    expect(notes).toEqual(says === null ? [] : [says]);
  });

  test("a packed file is read", async () => {
    const directory = temporaryDirectory();
    try {
      const path = `${directory.path}/t.csv.gz`;
      await Bun.write(path, Bun.gzipSync(Buffer.from(rows("timestamp,value", `${iso(0)},1`, `${iso(1)},2`))));
      expect(parseTrace(await readTraceText(path), "t").counts).toEqual([1, 2]);
      await Bun.write(path, new Uint8Array([0x1f, 0x8b, 1, 2]));
      expect(readTraceText(path)).rejects.toThrow(UsageError);
    } finally {
      directory.remove();
    }
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
