import { describe, expect, test } from "bun:test";
import {
  type Circuit,
  circuitRules,
  circuitState,
  closedCircuit,
  decideCircuit,
  mayBeOut,
  type Outcome,
  warmingCircuit,
  warmthOf,
} from "#agent/mesh/routing/decide-circuit.ts";

const after = (outcomes: readonly Outcome[], from: Circuit = closedCircuit, atMs = 0) =>
  outcomes.reduce((circuit, outcome) => decideCircuit(circuit, outcome, atMs, 0.5), from);
const failures = (count: number) => Array.from<Outcome>({ length: count }).fill("failed");

describe("a circuit", () => {
  test("opens at the fifth failure in a row, for 5 s", () => {
    expect(circuitState(after(failures(4)), 0)).toBe("closed");
    const open = after(failures(5));
    expect(circuitState(open, 0)).toBe("open");
    expect(circuitState(open, 4_999)).toBe("open");
    expect(circuitState(open, 5_000)).toBe("probing");
    expect(circuitState(after([...failures(4), "answered", ...failures(4)]), 0)).toBe("closed");
  });

  test("a deadline of our own counts half, a refusal nothing", () => {
    expect(circuitState(after(Array(9).fill("own-deadline")), 0)).toBe("closed");
    expect(circuitState(after(Array(10).fill("own-deadline")), 0)).toBe("open");
    expect(after(Array(50).fill("refused"))).toEqual(closedCircuit);
  });

  test("silence counts twice, being outrun by a backend that was asked later half", () => {
    const outcomes = (outcome: Outcome, count: number) => circuitState(after(Array(count).fill(outcome)), 0);
    expect([outcomes("silent", 2), outcomes("silent", 3)]).toEqual(["closed", "open"]);
    expect([outcomes("outrun", 9), outcomes("outrun", 10)]).toEqual(["closed", "open"]);
  });

  test("one whose probes are outrun is only slower, and is probed every 5 s", () => {
    let circuit = after(Array(10).fill("outrun"));
    const lengths: number[] = [];
    for (let atMs = 0, opening = 0; opening < 6; opening += 1) {
      const untilMs = circuit.openUntilMs as number;
      lengths.push(untilMs - atMs);
      atMs = untilMs;
      circuit = decideCircuit(circuit, "outrun", atMs, 0.5);
    }
    expect(lengths).toEqual(Array(6).fill(5_000));
  });

  test("a probe that fails opens it for twice as long, up to five minutes; one that is answered closes it", () => {
    let circuit = after(failures(5));
    let atMs = 0;
    const lengths: number[] = [];
    for (let opening = 0; opening < 9; opening += 1) {
      const untilMs = circuit.openUntilMs as number;
      lengths.push(untilMs - atMs);
      atMs = untilMs;
      circuit = decideCircuit(circuit, "failed", atMs, 0.5);
    }
    expect(lengths).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300].map((s) => s * 1000));
    const closed = decideCircuit(circuit, "answered", circuit.openUntilMs as number, 0.5);
    expect(circuitState(closed, atMs)).toBe("closed");
    expect(closed.failures).toBe(0);
  });

  test("openings differ by a fifth, so that routers do not probe together", () => {
    const lengthAt = (draw: number) => decideCircuit(after(failures(4)), "failed", 0, draw).openUntilMs;
    expect([lengthAt(0), lengthAt(1)]).toEqual([4_000, 6_000]);
  });

  test("one that came back gets its load over 30 s", () => {
    const warm = warmingCircuit(1_000);
    expect([1_000, 16_000, 31_000, 99_000].map((nowMs) => warmthOf(warm, nowMs))).toEqual([
      circuitRules.warmFrom,
      0.5,
      1,
      1,
    ]);
    expect(warmthOf(closedCircuit, 0)).toBe(1);
  });

  test("late failures of requests that were under way do not lengthen an opening", () => {
    const open = after(failures(5));
    expect(decideCircuit(open, "failed", 100, 0.5).openUntilMs).toBe(open.openUntilMs);
  });
});

test("a small fleet may lose one, a large one a third, and half always stays", () => {
  expect([0, 1, 2, 3, 5, 10, 100].map(mayBeOut)).toEqual([0, 0, 1, 1, 1, 3, 30]);
});
