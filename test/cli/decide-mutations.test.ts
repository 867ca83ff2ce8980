import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { UsageError } from "#platform/errors.ts";
import hpaCases from "../fixtures/hpa-cases.json";
import vpaCases from "../fixtures/vpa-cases.json";

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsOf(inner, [...path, key])]);
}

function withValueAt(input: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(input);
  let parent = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  parent[path.at(-1) as string] = value;
  return copy;
}

const odd = [null, 0, -1, 1.5, 1e308, 1e-308, -1e17, 1e18, "x", "", true, [], {}, [null]];

/** Every value of every case replaced by each odd one in turn, thinned out evenly. */
function* mutationsOf(cases: readonly { input: unknown }[], every: number) {
  let index = 0;
  for (const { input } of cases) {
    for (const path of pathsOf(input)) {
      for (const value of odd) {
        index += 1;
        if (index % every === 0)
          yield { where: `${path.join(".")} = ${JSON.stringify(value)}`, input: withValueAt(input, path, value) };
      }
    }
  }
}

describe.each([
  ["replicas", hpaCases.cases, 29],
  ["right-size", vpaCases.cases, 1],
] as const)("%s", (name, cases, every) => {
  test("an input with one odd value is answered with finite figures or refused, never a crash", () => {
    let answered = 0;
    let refused = 0;
    for (const { where, input } of mutationsOf(cases, every)) {
      try {
        const answer = JSON.stringify(decisions[name]?.answer(input, "x.json"), (_key, value) =>
          typeof value === "number" && !Number.isFinite(value) ? "not finite" : value,
        );
        expect({ where, finite: !answer.includes("not finite") }).toEqual({ where, finite: true });
        answered += 1;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        expect(error.message).toMatch(/\n {2}\S/);
        refused += 1;
      }
    }
    expect(answered).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });
});
