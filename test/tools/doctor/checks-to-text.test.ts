import { describe, expect, test } from "bun:test";
import { paintColours, paintFor } from "#platform/terminal/paint.ts";
import { type CheckResult, failed, note, ok } from "#tools/doctor/check.ts";
import { checksToText, countChecks } from "#tools/doctor/checks-to-text.ts";

const plain = (text: string) => text;
const checks: CheckResult[] = [
  ok("board", "Jetson"),
  note("calibration profile", "none: modes are chosen by thresholds or assumed figures", "run thormesh calibrate"),
  failed("broker", "mqtt://broker:1883 does not answer", "start it\nor set broker.url"),
];

test("a table of names, states, findings and remedies, with the verdict at its end", () => {
  expect(checksToText(checks, plain)).toBe(`CHECK                STATE   FOUND, AND WHAT TO DO
board                ok      Jetson
calibration profile  note    none: modes are chosen by thresholds or assumed
                             figures
                             -> run thormesh calibrate
broker               FAILED  mqtt://broker:1883 does not answer
                             -> start it
                             -> or set broker.url

1 of 3 checks failed, 1 note.`);
  expect(countChecks(checks)).toEqual({ ok: 1, note: 1, failed: 1 });
});

test.each([
  ["none failed", [ok("a", "b")], "All checks passed."],
  ["notes", [note("a", "b"), note("c", "d")], "All checks passed, 2 notes."],
  ["the only one failed", [failed("a", "b")], "1 of 1 check failed."],
])("the verdict: %s", (_, given, verdict) => {
  expect(checksToText(given, plain).split("\n").at(-1)).toBe(verdict);
});

test("no line is longer than 80 characters, whatever is found, and nothing acts on the terminal", () => {
  const path = `/var/lib/${"very-long-directory/".repeat(20)}`;
  const text = checksToText(
    [
      failed("loaded files", `\u001b[2J ${path}`, `chmod 700 ${path}`),
      ok("setting the power mode", "word ".repeat(90)),
    ],
    plain,
  );
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(text).not.toContain("\u001b");
  expect(text.replaceAll(/\n */g, "")).toContain(path);
});

describe("colours", () => {
  test.each([
    ["a terminal", { isTTY: true }, {}, true],
    ["a pipe", {}, {}, false],
    ["a terminal whose user wants none", { isTTY: true }, { NO_COLOR: "1" }, false],
    ["a terminal that has none", { isTTY: true }, { TERM: "dumb" }, false],
  ])("%s", (_, output, environment, isColoured) => {
    expect(checksToText(checks, paintFor(output, environment)).includes("\u001b[")).toBe(isColoured);
  });

  test("they change nothing but the colour", () => {
    expect(Bun.stripANSI(checksToText(checks, paintColours))).toBe(checksToText(checks, plain));
  });
});
