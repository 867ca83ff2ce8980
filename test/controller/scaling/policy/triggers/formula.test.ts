import { describe, expect, test } from "bun:test";
import { parseFormula } from "#controller/scaling/policy/triggers/formula.ts";

// The library takes its time to load on a busy machine: not within a test's.
parseFormula("a", ["a"]);

const names = ["queue", "load", "b"];
const work = (text: string, values: Record<string, number>) => {
  const formula = parseFormula(text, names);
  return "fault" in formula ? formula : formula.evaluate(values);
};

describe("what a formula gives", () => {
  test.each([
    { text: "queue + load", value: 12 },
    { text: "(queue - load) / 4 * 3", value: 6 },
    { text: "queue % 3 ^ 2", value: 1 },
    { text: "-queue", value: -10 },
    { text: "max(queue, load, 3) + min(load, 1)", value: 11 },
    { text: "queue > 5 ? load : 0", value: 2 },
    { text: "queue > 5 and load > 5 ? 1 : 7", value: 7 },
    { text: "queue>5 && !(load>5) || false ? 1 : 7", value: 1 },
    { text: "queue != 10 ? 1 : 2", value: 2 },
    { text: "1 < load < 3 ? 4 : 5", value: 4 },
    { text: "queue > 5", value: 1 },
    { text: "ceil(load / 3) + floor(1.9) + round(2.5) + abs(-1) + sqrt(4)", value: 8 },
  ])("$text = $value", ({ text, value }) => {
    expect(work(text, { queue: 10, load: 2 })).toEqual({ value });
  });

  test("only what it reads counts", () => {
    const formula = parseFormula("queue > 5 ? load : 0", names);
    expect(formula).toMatchObject({ names: ["queue", "load"] });
  });

  test.each(["queue / 0", "0 / 0", "queue ^ 1e9", "log(0)", "sqrt(-1)"])("%s is no number to scale by", (text) => {
    expect(work(text, { queue: 10, load: 2 })).toHaveProperty("fault");
  });

  test("what it gives instead is said", () => {
    expect(work("sqrt(-1)", {})).toEqual({ fault: "the formula gives i" });
    expect(work("0 / 0", {})).toEqual({ fault: "the formula gives NaN" });
  });

  test("a value that is missing is a fault, not zero", () => {
    expect(work("queue + load", { queue: 1 })).toHaveProperty("fault");
  });
});

describe("what is no formula", () => {
  test.each([
    "",
    "queue +",
    "unknown + 1",
    "queue.constructor",
    'queue["constructor"]',
    "constructor",
    "__proto__",
    "cos",
    "evaluate(1)",
    "import(queue)",
    "parse(queue)",
    "f(x) = x",
    "queue = 3",
    "queue; load",
    "[1, 2]",
    "1:1000000000",
    "{a: 1}",
    '"text"',
    "170!",
    "queue'",
    "2 queue",
    "queue load",
    "queue to load",
    "queue | load",
    "queue ?? 1",
    "1e999",
    "NaN",
    "null",
    "pi",
    "max",
    "max.constructor(1)",
    "(max)(1)",
    "process.exit(1)",
    "`x`",
    "queue #comment\nload",
  ])("%p", (text) => {
    expect(parseFormula(text, names)).toHaveProperty("fault");
  });

  test("too long, too many parts", () => {
    expect(parseFormula(`${"1+".repeat(600)}1`, names)).toEqual({
      fault: "expected at most 1000 characters, got 1201",
    });
    expect(parseFormula(`${"b+".repeat(300)}b`, names)).toMatchObject({
      fault: expect.stringContaining("expected at most 200 parts"),
    });
    expect(parseFormula("(".repeat(900), names)).toHaveProperty("fault");
  });

  test("the fault says what is expected", () => {
    expect(parseFormula("queu + 1", names)).toEqual({
      fault: 'expected names of triggers (queue, load, b), got "queu"',
    });
    expect(parseFormula("sin(load)", names)).toEqual({
      fault: 'expected one of the functions max, min, abs, ceil, floor, round, sqrt, exp, log, log2, log10, got "sin"',
    });
  });
});
